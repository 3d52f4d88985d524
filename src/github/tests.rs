//! The client against a scripted server on loopback.

mod checks;
mod comments;
mod contents;
mod limits;
mod redirects;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::environment::Environment;

/// Who the token belongs to.
const OWN: &str = "github-actions[bot]";
const MARKER: &str = "<!-- llm-deploy:preview -->";

#[derive(Clone, Debug)]
struct Seen {
    method: Method,
    path: String,
    body: Value,
    authorization: Option<String>,
}

type Script = dyn Fn(&Seen, usize) -> Response + Send + Sync;

#[derive(Clone)]
struct Server {
    base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Script>,
}

impl Server {
    /// Answers each request as `script` says; its second argument counts the requests of the same kind.
    async fn start(script: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            seen: Arc::default(),
            script: Arc::new(script),
        };
        let app = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        server
    }

    fn github(&self) -> GitHub {
        let environment: Environment = [
            ("GITHUB_API_URL", format!("{}/api/v3", self.base)),
            ("GITHUB_REPOSITORY", "acme/models".to_owned()),
        ]
        .into_iter()
        .collect();
        let mut github = GitHub::new(&environment, &SecretString::from("secret-token")).unwrap();
        github.pause = Duration::from_millis(1);
        github
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn count(&self, method: &Method) -> usize {
        self.seen().iter().filter(|s| s.method == method).count()
    }
}

impl GitHub {
    /// The first comment that starts with the marker.
    async fn find_comment(&self, pull_request: u64, marker: &str) -> Result<Option<Comment>, Error> {
        let found = self
            .comments(pull_request, &|comment| comment.body.starts_with(marker))
            .await?;
        Ok(found.into_iter().next())
    }
}

async fn answer(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let seen = Seen {
        method,
        path: uri.to_string(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        authorization: headers
            .get("authorization")
            .map(|v| v.to_str().unwrap().to_owned()),
    };
    if seen.path == "/api/graphql" {
        assert_eq!(seen.body["query"], "query { viewer { login } }");
        return reply(200, &json!({ "data": { "viewer": { "login": OWN } } }));
    }
    let before = {
        let mut all = server.seen.lock().unwrap();
        let before = all
            .iter()
            .filter(|s| s.method == seen.method && s.path == seen.path)
            .count();
        all.push(seen.clone());
        before
    };
    (server.script)(&seen, before)
}

fn reply(status: u16, body: &Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

fn with_header(status: u16, name: &'static str, value: &str, body: &Value) -> Response {
    (
        StatusCode::from_u16(status).unwrap(),
        [(name, value.to_owned())],
        body.to_string(),
    )
        .into_response()
}

fn comment(id: u64, body: &str) -> Value {
    let url = format!("https://github.com/acme/models/pull/7#issuecomment-{id}");
    json!({ "id": id, "html_url": url, "body": body, "user": { "login": OWN, "id": 41_898_282 } })
}

fn written(seen: &Seen, id: u64) -> Value {
    comment(id, seen.body["body"].as_str().unwrap())
}

#[tokio::test]
async fn a_refusal_names_the_permission() {
    for (status, message) in [
        (403, "Resource not accessible by integration"),
        (404, "Not Found"),
    ] {
        let server = Server::start(move |seen, _| match seen.method {
            Method::GET => reply(200, &json!([])),
            _ => reply(status, &json!({ "message": message })),
        })
        .await;
        let github = server.github();
        let error = github.create_comment(7, "x").await.unwrap_err().to_string();
        assert!(
            error.contains("pull-requests: write") && error.contains(message),
            "{error}"
        );
        let error = github
            .create_deployment("main", "production", true, false, &json!({}))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("deployments: write"), "{error}");
        assert!(!error.contains("secret-token"));
        assert_eq!(server.count(&Method::POST), 2, "a refusal is not repeated");
    }
}

#[tokio::test]
async fn reads_are_repeated_after_a_server_error_and_not_for_ever() {
    let server = Server::start(|_, before| {
        if before < 2 {
            reply(502, &json!({}))
        } else {
            reply(200, &json!([]))
        }
    })
    .await;
    assert_eq!(server.github().find_comment(7, MARKER).await.unwrap(), None);
    let down = Server::start(|_, _| reply(500, &json!({ "message": "boom" }))).await;
    let error = down.github().find_comment(7, MARKER).await.unwrap_err();
    assert!(error.to_string().contains("boom"), "{error}");
    assert_eq!(down.count(&Method::GET), 4);
}

#[tokio::test]
async fn a_comment_whose_write_ended_unclear_is_not_written_twice() {
    let server = Server::start(|seen, _| match seen.method {
        // The write came through, though its answer was an error.
        Method::GET => reply(200, &json!([comment(5, &format!("{MARKER}\nbody"))])),
        _ => reply(502, &json!({})),
    })
    .await;
    let made = server
        .github()
        .create_comment(7, &format!("{MARKER}\nbody"))
        .await
        .unwrap();
    assert_eq!(made.id, 5);
    assert_eq!(server.count(&Method::POST), 1);
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_when_it_is_short() {
    let server = Server::start(|_, before| {
        if before == 0 {
            with_header(429, "retry-after", "0", &json!({}))
        } else {
            reply(200, &json!([]))
        }
    })
    .await;
    assert_eq!(server.github().find_comment(7, MARKER).await.unwrap(), None);
    let server =
        Server::start(|_, _| with_header(403, "retry-after", "3000", &json!({ "message": "rate limit" })))
            .await;
    let error = server.github().find_comment(7, MARKER).await.unwrap_err();
    assert!(
        matches!(error, Error::RateLimited { wait, .. } if wait == Duration::from_secs(3000)),
        "{error}"
    );
}

#[tokio::test]
async fn a_deployment_goes_through_its_states() {
    let server = Server::start(|_, _| reply(201, &json!({ "id": 42 }))).await;
    let github = server.github();
    let id = github
        .create_deployment("abc", "preview/pr-7", false, true, &json!({"run": "1-0"}))
        .await
        .unwrap()
        .id;
    github
        .deployment_status(
            id,
            DeploymentState::InProgress,
            None,
            Some("https://github.com/acme/models/actions/runs/1"),
            "Building",
        )
        .await
        .unwrap();
    github
        .deployment_status(
            id,
            DeploymentState::Success,
            Some("https://x.run.app"),
            Some("javascript:x"),
            &"é\n".repeat(300),
        )
        .await
        .unwrap();
    let seen = server.seen();
    assert_eq!(
        seen[0].body,
        json!({
            "ref": "abc", "environment": "preview/pr-7", "description": "Deployed by llm-deploy", "auto_merge": false,
            "required_contexts": [], "transient_environment": true, "production_environment": false,
            "payload": { "run": "1-0" },
        })
    );
    assert_eq!(seen[1].path, "/api/v3/repos/acme/models/deployments/42/statuses");
    assert_eq!(seen[1].body["state"], "in_progress");
    assert_eq!(seen[2].body["environment_url"], "https://x.run.app");
    assert_eq!(seen[2].body.get("log_url"), None);
    assert_eq!(seen[2].body["description"].as_str().unwrap().chars().count(), 140);
}

#[tokio::test]
async fn the_latest_status_is_a_deployments_state() {
    let server = Server::start(|seen, _| {
        if seen.path.contains("/1/") {
            reply(200, &json!([{ "state": "in_progress" }]))
        } else if seen.path.contains("/2/") {
            reply(200, &json!([{ "state": "something_new" }]))
        } else if seen.path.contains("/3/") {
            reply(200, &json!([]))
        } else {
            reply(
                200,
                &json!([{ "id": 3, "sha": "abc", "payload": "text" }, { "id": 1 }]),
            )
        }
    })
    .await;
    let github = server.github();
    let found = github.deployments("preview/pr-7").await.unwrap();
    assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [3, 1]);
    let state = |id| github.deployment_state(id);
    assert_eq!(state(1).await.unwrap(), Some(DeploymentState::InProgress));
    assert_eq!(state(2).await.unwrap(), Some(DeploymentState::Unknown));
    assert_eq!(state(3).await.unwrap(), None);
}

#[tokio::test]
async fn every_deployment_of_an_environment_is_set_inactive() {
    let server = Server::start(|seen, _| match seen.method {
        Method::GET => reply(200, &json!([{ "id": 1 }, { "id": 2 }])),
        Method::POST if seen.path.contains("/1/") => reply(404, &json!({ "message": "Not Found" })),
        _ => reply(201, &json!({ "id": 9 })),
    })
    .await;
    server.github().deactivate("preview/pr-7").await.unwrap();
    let seen = server.seen();
    assert!(
        seen[0].path.contains("environment=preview%2Fpr%2D7"),
        "{}",
        seen[0].path
    );
    assert_eq!(seen[2].body["state"], "inactive");
    assert_eq!(server.count(&Method::POST), 2);
}

#[tokio::test]
async fn the_pull_requests_state_is_read() {
    let pull = json!({
        "state": "closed", "merged": true, "head": { "sha": "abc", "repo": { "id": 5 } },
        "base": { "ref": "release/1", "repo": { "id": 5, "default_branch": "main" } },
        "labels": [{ "id": 1, "name": "deploy-preview" }],
    });
    let server = Server::start(move |_, _| reply(200, &pull)).await;
    let state = server.github().pull_request_state(7).await.unwrap();
    assert_eq!(
        state,
        PullRequestState {
            open: false,
            merged: true,
            head_sha: "abc".to_owned(),
            fork: false,
            base_ref: "release/1".to_owned(),
            default_branch: "main".to_owned(),
            labels: vec!["deploy-preview".to_owned()],
        }
    );
    assert_eq!(server.seen()[0].path, "/api/v3/repos/acme/models/pulls/7");
}

#[tokio::test]
async fn wrong_settings_are_explained() {
    let token = SecretString::from("t");
    for (repository, url, token, expected) in [
        ("", "https://api.github.com", &token, "GITHUB_REPOSITORY"),
        ("a/b/c", "https://api.github.com", &token, "owner/name"),
        ("a/..", "https://api.github.com", &token, "owner/name"),
        ("a/b", "http://github.example", &token, "GITHUB_API_URL"),
        (
            "a/b",
            "https://api.github.com",
            &SecretString::from("two\nlines"),
            "github-token",
        ),
    ] {
        let environment: Environment = [("GITHUB_REPOSITORY", repository), ("GITHUB_API_URL", url)]
            .into_iter()
            .collect();
        let error = GitHub::new(&environment, token).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("two\nlines"));
    }
}
