//! Redirects: followed as GitHub's documentation asks, and never with the token to another server.

use super::*;

/// The kinds that the API may answer with.
const KINDS: [u16; 4] = [301, 302, 307, 308];

fn ids(seen: &Seen) -> bool {
    seen.path.starts_with("/api/v3/repositories/")
}

/// A server that says of every request by the repository's old name where it is now: `location` followed by the rest.
async fn renamed(
    kind: u16,
    location: &'static str,
    script: impl Fn(&Seen) -> Response + Send + Sync + 'static,
) -> Server {
    let base: Arc<Mutex<String>> = Arc::default();
    let own = Arc::clone(&base);
    let server = Server::start(move |seen, _| {
        if ids(seen) {
            return script(seen);
        }
        let rest = seen.path.rsplit_once("/acme/models/").unwrap().1;
        let there = format!("{location}{rest}").replace("BASE", &own.lock().unwrap());
        with_header(
            kind,
            "location",
            &there,
            &json!({ "message": "Moved Permanently" }),
        )
    })
    .await;
    server.base.clone_into(&mut base.lock().unwrap());
    server
}

#[tokio::test]
async fn a_redirect_to_another_host_never_carries_the_token() {
    for kind in KINDS {
        let other = Server::start(|_, _| reply(200, &json!([]))).await;
        let target = other.base.clone();
        let server =
            Server::start(move |_, _| with_header(kind, "location", &format!("{target}/x"), &json!({})))
                .await;
        let github = server.github();
        let read = github.find_comment(7, MARKER).await.unwrap_err();
        let write = github
            .create_deployment("main", "production", true, false, &json!({}))
            .await
            .unwrap_err();
        for error in [read.to_string(), write.to_string()] {
            assert!(error.contains("another server"), "{kind}: {error}");
            assert!(!error.contains("secret-token"), "{kind}: {error}");
        }
        assert!(other.seen().is_empty(), "{kind}: {:?}", other.seen());
        assert_eq!(
            server.count(&Method::POST),
            1,
            "{kind}: what is refused is not repeated"
        );
    }
}

#[tokio::test]
async fn neither_does_one_to_another_port_scheme_or_no_url_at_all() {
    for location in [
        "http://127.0.0.1:1/x",
        "https://127.0.0.1/x",
        "ftp://127.0.0.1/",
        "http://",
        "",
    ] {
        let server = Server::start(move |_, _| with_header(307, "location", location, &json!({}))).await;
        let error = server.github().find_comment(7, MARKER).await.unwrap_err();
        // An empty one is the base itself, which redirects again.
        let told = ["another server", "again and again"];
        assert!(
            told.iter().any(|t| error.to_string().contains(t)),
            "{location:?}: {error}"
        );
    }
    let server = Server::start(|_, _| reply(301, &json!({}))).await;
    assert!(server.github().find_comment(7, MARKER).await.is_err());
}

#[tokio::test]
async fn a_renamed_repository_is_followed_with_the_very_request() {
    for kind in KINDS {
        for location in ["BASE/api/v3/repositories/1/", "/api/v3/repositories/1/"] {
            let server = renamed(kind, location, |seen| match seen.method {
                Method::GET => reply(200, &json!([])),
                _ => reply(201, &written(seen, 9)),
            })
            .await;
            let body = format!("{MARKER}\nbody");
            let made = server.github().create_comment(7, &body).await.unwrap();
            assert_eq!(made.id, 9, "{kind} {location}");
            let seen = server.seen();
            let post = seen.iter().find(|s| s.method == Method::POST && ids(s)).unwrap();
            assert_eq!(post.path, "/api/v3/repositories/1/issues/7/comments");
            assert_eq!(post.body["body"], body);
            assert!(
                seen.iter()
                    .all(|s| s.authorization.as_deref() == Some("Bearer secret-token")),
                "{kind}: {seen:?}"
            );
            let posts = seen.iter().filter(|s| s.method == Method::POST).count();
            assert_eq!(posts, 2, "one is redirected, one is carried out");
        }
    }
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let server = Server::start(|seen, _| with_header(301, "location", &seen.path, &json!({}))).await;
    let error = server.github().find_comment(7, MARKER).await.unwrap_err();
    assert!(error.to_string().contains("again and again"), "{error}");
    assert_eq!(server.count(&Method::GET), 4);
}

#[tokio::test]
async fn an_enterprise_servers_path_stays_in_front() {
    for base in ["/api/v3", "/api/v3/", ""] {
        let server = Server::start(|_, _| {
            reply(
                200,
                &json!({ "state": "open", "head": { "sha": "abc" }, "base": { "ref": "main" } }),
            )
        })
        .await;
        let environment: Environment = [
            ("GITHUB_API_URL", format!("{}{base}", server.base)),
            ("GITHUB_REPOSITORY", "acme/models".to_owned()),
        ]
        .into_iter()
        .collect();
        let github = GitHub::new(&environment, &SecretString::from("secret-token")).unwrap();
        github.pull_request_state(7).await.unwrap();
        let expected = format!("{}/repos/acme/models/pulls/7", base.trim_end_matches('/'));
        assert_eq!(server.seen()[0].path, expected, "{base}");
        assert_eq!(
            server.seen()[0].authorization.as_deref(),
            Some("Bearer secret-token")
        );
    }
}
