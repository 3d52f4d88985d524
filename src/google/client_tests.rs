use reqwest::Method;
use serde_json::{Value, json};

use super::*;
use crate::google::{
    request::segment,
    testing::{Counting, Server, answer, client, hangs_up, raw},
};

fn read() -> Request<'static> {
    Request::get(Api::Run, "v2/x".to_owned(), "look at `x`".to_owned())
}

fn write() -> Request<'static> {
    Request::new(Api::Run, Method::POST, "v2/x".to_owned(), "create `x`".to_owned())
}

async fn get(server: &Server) -> Result<Value, Error> {
    server.client().json(read()).await
}

#[tokio::test]
async fn a_read_is_tried_again_until_google_recovers() {
    let server = Server::script(vec![
        raw(500, "oops"),
        raw(502, "<html>bad gateway</html>"),
        answer(200, json!({"a": 1})),
    ])
    .await;
    assert_eq!(get(&server).await.unwrap(), json!({"a": 1}));
    assert_eq!(server.lines(), ["GET /v2/x"; 3]);
    assert_eq!(server.asked()[0].header("user-agent"), http::USER_AGENT);
}

#[tokio::test]
async fn tries_end_and_the_last_error_is_told() {
    let server = Server::start(|_| raw(503, "still down")).await;
    let error = get(&server).await.unwrap_err();
    assert_eq!(server.lines().len(), 4);
    assert_eq!(error.http_status(), Some(503));
    assert_eq!(error.to_string(), "could not look at `x`: still down (HTTP 503)");
}

#[tokio::test]
async fn a_write_is_sent_again_only_when_google_did_nothing() {
    let server = Server::script(vec![raw(429, ""), raw(429, ""), answer(200, json!({}))]).await;
    server.client().json::<Value>(write()).await.unwrap();
    assert_eq!(server.lines().len(), 3);
    // A 503 may come from in front of a server that goes on.
    for status in [500, 502, 503, 504] {
        let server = Server::start(move |_| raw(status, "?")).await;
        let error = server.client().json::<Value>(write()).await.unwrap_err();
        assert!(error.is_ambiguous(), "{status}");
        assert_eq!(server.lines().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_broken_connection_leaves_a_write_ambiguous() {
    let (base, count) = hangs_up().await;
    let environment = [(Api::Run.override_variable(), base)].into_iter().collect();
    let c = client(&environment, Arc::new(Counting::default()));
    let error = c.json::<Value>(write()).await.unwrap_err();
    assert!(error.is_ambiguous() && !error.is_user_fixable(), "{error}");
    assert_eq!(*count.lock().unwrap(), 1);
    assert!(error.to_string().contains("no answer from 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_retry_after_beyond_the_budget_ends_the_call_at_once() {
    let server = Server::start(|_| raw(429, "quota").header("retry-after", "3600")).await;
    assert_eq!(get(&server).await.unwrap_err().http_status(), Some(429));
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = Server::start(|asked| match asked.header("authorization") {
        "Bearer token-1" => answer(200, json!({})),
        _ => raw(401, ""),
    })
    .await;
    get(&server).await.unwrap();
    assert_eq!(server.lines().len(), 2);
    let server = Server::start(|_| raw(401, "never")).await;
    assert_eq!(get(&server).await.unwrap_err().http_status(), Some(401));
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(|_| answer(200, json!({}))).await;
    let to = elsewhere.base.clone();
    let server = Server::start(move |_| raw(307, "").header("location", &to)).await;
    assert_eq!(get(&server).await.unwrap_err().http_status(), Some(307));
    assert!(elsewhere.lines().is_empty());
}

#[tokio::test]
async fn a_name_that_climbs_out_of_its_place_is_never_sent() {
    let server = Server::start(|_| answer(200, json!({}))).await;
    let request = Request::get(Api::Run, format!("v2/{}", segment("..")), "look".to_owned());
    let error = server.client().json::<Value>(request).await.unwrap_err();
    assert!(matches!(error, Error::BadName { .. }), "{error}");
    assert!(server.lines().is_empty());
    assert_eq!(segment("a/b c@sha256:1"), "a%2Fb%20c%40sha256%3A1");
}

#[test]
fn gclouds_value_for_storage_is_understood() {
    let url = |value: &str| {
        let environment = [(Api::Storage.override_variable(), value)].into_iter().collect();
        base_url(&environment, Api::Storage).unwrap().to_string()
    };
    assert_eq!(
        url("http://127.0.0.1:1/storage/storage/v1/"),
        "http://127.0.0.1:1/storage/"
    );
    assert_eq!(url("http://127.0.0.1:1/storage/v1/"), "http://127.0.0.1:1/");
    assert_eq!(url("http://127.0.0.1:1/"), "http://127.0.0.1:1/");
}
