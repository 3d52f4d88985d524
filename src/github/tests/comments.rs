//! Comments: found on any page, of those only whom we trust.

use super::*;

#[tokio::test]
async fn a_comment_on_the_third_page_is_found() {
    let base: Arc<Mutex<String>> = Arc::default();
    let own = Arc::clone(&base);
    let server = Server::start(move |seen, _| {
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
    let found = server.github().find_comment(7, MARKER).await.unwrap();
    assert_eq!(found.map(|comment| comment.id), Some(9));
    assert_eq!(server.count(&Method::GET), 3);
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
async fn only_our_own_comments_with_our_marker_are_seen() {
    let by = |id: u64, user: Value| {
        let mut found = comment(id, MARKER);
        found["user"] = user;
        found["author_association"] = json!("OWNER");
        found
    };
    let all = json!([
        by(1, json!({ "login": "github-actions", "id": 1, "type": "User" })),
        by(2, json!({ "login": "reviewer[bot]", "id": 2, "type": "Bot" })),
        by(3, Value::Null),
        by(4, json!({ "login": OWN, "id": 41_898_282, "type": "Bot" })),
        by(5, json!({ "login": "octocat", "id": 583_231, "type": "User" })),
    ]);
    let server = Server::start(move |_, _| reply(200, &all)).await;
    let found = server.github().comments(7, &|_| true).await.unwrap();
    let seen: Vec<_> = found.iter().map(|c| c.id).collect();
    assert_eq!(seen, [4]);
}

#[tokio::test]
async fn a_comment_that_is_gone_is_none() {
    let server = Server::start(|seen, _| match seen.method {
        Method::DELETE | Method::GET => reply(404, &json!({ "message": "Not Found" })),
        _ => reply(200, &written(seen, 5)),
    })
    .await;
    let github = server.github();
    assert_eq!(github.comment(5).await.unwrap(), None);
    github.delete_comment(5).await.unwrap();
    assert_eq!(github.update_comment(5, "new").await.unwrap().body, "new");
}

#[tokio::test]
async fn a_new_comment_is_the_job_tokens() {
    let server = Server::start(|seen, _| reply(201, &written(seen, 3))).await;
    let made = server.github().create_comment(7, "body").await.unwrap();
    assert!(made.url.ends_with("issuecomment-3"));
    let post = server.seen().remove(0);
    assert_eq!(post.path, "/api/v3/repos/acme/models/issues/7/comments");
    assert_eq!(post.authorization.as_deref(), Some("Bearer secret-token"));
}
