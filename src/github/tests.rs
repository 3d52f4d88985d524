//! The client against a scripted server on loopback.

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
    json!({ "id": id, "html_url": format!("https://github.com/acme/models/pull/7#issuecomment-{id}"), "body": body })
}

fn written(seen: &Seen, id: u64) -> Value {
    comment(id, seen.body["body"].as_str().unwrap())
}

#[tokio::test]
async fn the_first_comment_is_created() {
    let server = Server::start(|seen, _| match seen.method {
        Method::GET => reply(
            200,
            &json!([comment(1, "hello"), comment(2, &format!("> {MARKER}\nquoted"))]),
        ),
        _ => reply(201, &written(seen, 3)),
    })
    .await;
    let made = server
        .github()
        .upsert_comment(7, MARKER, &format!("{MARKER}\nbody"))
        .await
        .unwrap();
    assert!(made.created);
    assert!(made.url.ends_with("issuecomment-3"));
    let post = server
        .seen()
        .into_iter()
        .find(|s| s.method == Method::POST)
        .unwrap();
    assert_eq!(post.path, "/api/v3/repos/acme/models/issues/7/comments");
    assert_eq!(post.authorization.as_deref(), Some("Bearer secret-token"));
}

#[tokio::test]
async fn a_comment_on_the_third_page_is_found_and_updated() {
    let base: Arc<Mutex<String>> = Arc::default();
    let own = Arc::clone(&base);
    let server = Server::start(move |seen, _| {
        if seen.method == Method::PATCH {
            return reply(200, &written(seen, 9));
        }
        let page: u32 = seen.path.rsplit_once("page=").map_or(1, |(_, p)| p.parse().unwrap_or(1));
        let page = if seen.path.contains("&page=") { page } else { 1 };
        let next = format!(
            "<{base}/api/v3/repos/acme/models/issues/7/comments?per_page=100&page={}>; rel=\"next\", <x>; rel=\"last\"",
            page + 1,
            base = own.lock().unwrap()
        );
        match page {
            3 => reply(200, &json!([comment(8, "x"), comment(9, &format!("{MARKER}\nold"))])),
            _ => with_header(200, "link", &next, &json!([comment(u64::from(page), "x")])),
        }
    })
    .await;
    server.base.clone_into(&mut base.lock().unwrap());
    let updated = server.github().upsert_comment(7, MARKER, "new").await.unwrap();
    assert_eq!((updated.id, updated.created), (9, false));
    assert_eq!(
        (
            server.count(&Method::GET),
            server.count(&Method::PATCH),
            server.count(&Method::POST)
        ),
        (3, 1, 0)
    );
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for() {
    let server =
        Server::start(|_, _| with_header(200, "link", "<http://127.0.0.2:1/x>; rel=\"next\"", &json!([])))
            .await;
    let error = server.github().find_comment(7, MARKER).await.unwrap_err();
    assert!(error.to_string().contains("another server"), "{error}");
}

#[tokio::test]
async fn the_token_does_not_follow_a_redirect_to_another_host() {
    let other = Server::start(|_, _| reply(200, &json!([]))).await;
    let target = other.base.clone();
    let server =
        Server::start(move |_, _| with_header(302, "location", &format!("{target}/x"), &json!({}))).await;
    assert_eq!(server.github().find_comment(7, MARKER).await.unwrap(), None);
    let seen = other.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].authorization, None);
}

#[tokio::test]
async fn somebody_elses_comment_with_our_marker_is_left_alone() {
    let server = Server::start(|seen, _| match seen.method {
        Method::GET => reply(
            200,
            &json!([comment(1, &format!("{MARKER}\nforged")), comment(2, MARKER)]),
        ),
        Method::PATCH if seen.path.ends_with("/1") => reply(
            403,
            &json!({ "message": "Resource not accessible by integration" }),
        ),
        _ => reply(200, &written(seen, 2)),
    })
    .await;
    let updated = server.github().upsert_comment(7, MARKER, "new").await.unwrap();
    assert_eq!((updated.id, updated.created), (2, false));
}

#[tokio::test]
async fn an_outsiders_comment_with_our_marker_is_not_touched() {
    let server = Server::start(|seen, _| match seen.method {
        Method::GET => {
            let mut forged = comment(1, &format!("{MARKER}\nforged"));
            forged["user"] = json!({ "login": "mallory", "type": "User" });
            forged["author_association"] = json!("CONTRIBUTOR");
            let mut own = comment(2, &format!("{MARKER}\nold"));
            own["user"] = json!({ "login": "github-actions[bot]", "type": "Bot" });
            own["author_association"] = json!("NONE");
            reply(200, &json!([forged, own]))
        }
        _ => reply(200, &written(seen, 2)),
    })
    .await;
    server.github().upsert_comment(7, MARKER, "new").await.unwrap();
    let patched: Vec<String> = server
        .seen()
        .into_iter()
        .filter(|s| s.method == Method::PATCH)
        .map(|s| s.path)
        .collect();
    assert_eq!(patched, ["/api/v3/repos/acme/models/issues/comments/2"]);
}

#[tokio::test]
async fn a_comment_deleted_meanwhile_is_made_anew() {
    let server = Server::start(|seen, _| match seen.method {
        Method::GET => reply(200, &json!([comment(1, MARKER)])),
        Method::PATCH => reply(404, &json!({ "message": "Not Found" })),
        _ => reply(201, &written(seen, 2)),
    })
    .await;
    assert!(
        server
            .github()
            .upsert_comment(7, MARKER, "new")
            .await
            .unwrap()
            .created
    );
}

#[tokio::test]
async fn two_runs_at_once_leave_one_comment() {
    let server = Server::start(|seen, before| match seen.method {
        Method::GET if before == 0 => reply(200, &json!([])),
        // The other run's comment came in between.
        Method::GET => reply(200, &json!([comment(4, MARKER), comment(5, MARKER)])),
        Method::POST => reply(201, &written(seen, 5)),
        Method::DELETE => StatusCode::NO_CONTENT.into_response(),
        _ => reply(200, &written(seen, 4)),
    })
    .await;
    let left = server.github().upsert_comment(7, MARKER, "new").await.unwrap();
    assert_eq!((left.id, left.created), (4, false));
    let seen = server.seen();
    let path = |method: &Method| seen.iter().find(|s| s.method == method).map(|s| s.path.as_str());
    assert_eq!(
        path(&Method::PATCH),
        Some("/api/v3/repos/acme/models/issues/comments/4")
    );
    assert_eq!(
        path(&Method::DELETE),
        Some("/api/v3/repos/acme/models/issues/comments/5")
    );
}

#[tokio::test]
async fn the_earlier_of_two_runs_keeps_its_comment() {
    let server = Server::start(|seen, before| match seen.method {
        Method::GET if before == 0 => reply(200, &json!([])),
        Method::GET => reply(200, &json!([comment(4, MARKER), comment(5, MARKER)])),
        _ => reply(201, &written(seen, 4)),
    })
    .await;
    let left = server.github().upsert_comment(7, MARKER, "new").await.unwrap();
    assert_eq!((left.id, left.created), (4, true));
    assert_eq!(
        (server.count(&Method::PATCH), server.count(&Method::DELETE)),
        (0, 0)
    );
}

#[tokio::test]
async fn a_rate_limit_is_no_reason_for_a_second_comment() {
    let server = Server::start(|seen, _| match seen.method {
        Method::GET => reply(200, &json!([comment(1, MARKER)])),
        Method::PATCH => with_header(
            403,
            "retry-after",
            "0",
            &json!({ "message": "secondary rate limit" }),
        ),
        _ => reply(201, &written(seen, 2)),
    })
    .await;
    let error = server
        .github()
        .upsert_comment(7, MARKER, "new")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::RateLimited { .. }), "{error}");
    assert_eq!(server.count(&Method::POST), 0);
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
        let error = github
            .upsert_comment(7, MARKER, "x")
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("pull-requests: write") && error.contains(message),
            "{error}"
        );
        let error = github
            .create_deployment("main", "production", true, false)
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
    let server = Server::start(|seen, before| match seen.method {
        // The write came through, though its answer was an error.
        Method::GET if before == 0 => reply(200, &json!([])),
        Method::GET => reply(200, &json!([comment(5, &format!("{MARKER}\nbody"))])),
        _ => reply(502, &json!({})),
    })
    .await;
    let made = server
        .github()
        .upsert_comment(7, MARKER, &format!("{MARKER}\nbody"))
        .await
        .unwrap();
    assert_eq!((made.id, made.created), (5, true));
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
        .create_deployment("abc", "preview/pr-7", false, true)
        .await
        .unwrap();
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
        })
    );
    assert_eq!(seen[1].path, "/api/v3/repos/acme/models/deployments/42/statuses");
    assert_eq!(seen[1].body["state"], "in_progress");
    assert_eq!(seen[2].body["environment_url"], "https://x.run.app");
    assert_eq!(seen[2].body.get("log_url"), None);
    assert_eq!(seen[2].body["description"].as_str().unwrap().chars().count(), 140);
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
    let server =
        Server::start(|_, _| reply(200, &json!({ "state": "closed", "head": { "sha": "abc" } }))).await;
    let state = server.github().pull_request_state(7).await.unwrap();
    assert_eq!(
        state,
        PullRequestState {
            open: false,
            head_sha: "abc".to_owned()
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
