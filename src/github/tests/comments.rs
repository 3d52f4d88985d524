//! The sticky comment: found, updated in place, and only one.

use super::*;

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
