//! A file on a branch: what is read, and what may never pass for 'no such file'.

use super::*;

const SHA: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";

fn not_found(message: &str) -> Response {
    reply(
        404,
        &json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": "404" }),
    )
}

fn file(content: &str, encoding: &str) -> Value {
    json!({ "type": "file", "encoding": encoding, "size": 5, "name": "llm-deploy.yaml",
        "path": "llm-deploy.yaml", "content": content, "sha": SHA })
}

/// What comes of reading `infra/llm-deploy.yaml` on `release/1#x` when the file is answered so.
async fn read(
    answer: impl Fn() -> Response + Send + Sync + 'static,
) -> (Server, Result<Option<String>, Error>) {
    let server = Server::start(move |seen, _| {
        if seen.path.contains("/branches/") {
            reply(200, &json!({ "name": "x", "commit": { "sha": SHA } }))
        } else {
            answer()
        }
    })
    .await;
    let found = server
        .github()
        .file_on_branch("release/1#x", "infra/llm-deploy.yaml")
        .await;
    (server, found)
}

#[tokio::test]
async fn a_file_is_read_at_the_branchs_commit() {
    // In lines of 60 characters, as GitHub sends it.
    let (server, found) = read(|| reply(200, &file("cHJvamVjdDog\nYS1iLWMK\n", "base64"))).await;
    assert_eq!(found.unwrap().as_deref(), Some("project: a-b-c\n"));
    let paths: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(
        paths,
        [
            "/api/v3/repos/acme/models/branches/release%2F1%23x".to_owned(),
            format!("/api/v3/repos/acme/models/contents/infra/llm-deploy.yaml?ref={SHA}"),
        ]
    );
}

#[tokio::test]
async fn a_file_that_the_commit_does_not_have_is_none() {
    let (_, found) = read(|| not_found("Not Found")).await;
    assert_eq!(found.unwrap(), None);
}

#[tokio::test]
async fn nothing_else_passes_for_no_file() {
    type Case = (&'static str, fn() -> Response);
    let cases: [Case; 8] = [
        ("No commit found", || not_found("No commit found for the ref x")),
        ("larger than 1 MB", || reply(200, &file("", "none"))),
        ("too large", || {
            reply(
                403,
                &json!({ "message": "This API returns blobs up to 100 MB in size. The requested blob is too large" }),
            )
        }),
        ("contents: read", || {
            reply(
                403,
                &json!({ "message": "Resource not accessible by integration" }),
            )
        }),
        ("it is a directory", || reply(200, &json!([file("", "")]))),
        ("it is a submodule", || {
            reply(200, &json!({ "type": "submodule", "size": 0 }))
        }),
        ("not UTF-8", || reply(200, &file("/w==", "base64"))),
        ("no base64", || reply(200, &file("?", "base64"))),
    ];
    for (words, answer) in cases {
        let error = read(answer).await.1.unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn a_branch_that_is_not_shown_is_an_error_whatever_the_reason() {
    for (status, message) in [
        (404, "Branch not found"),
        (404, "Not Found"),
        (403, "Resource not accessible by integration"),
    ] {
        let server = Server::start(move |_, _| reply(status, &json!({ "message": message }))).await;
        let error = server
            .github()
            .file_on_branch("main", "llm-deploy.yaml")
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(message) && error.contains("contents: read"),
            "{error}"
        );
    }
}
