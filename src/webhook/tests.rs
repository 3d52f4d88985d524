use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::post};
use serde_json::json;

use super::*;

fn environment(url: &str) -> Environment {
    let mut environment: Environment = [(VARIABLE, url)].into_iter().collect();
    environment.tempo = Tempo::new(0.1);
    environment
}

/// A receiver that answers as `answers` says, the last one for ever; counts what it got.
async fn receiver(answers: &'static [(u16, &'static str)]) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let app = Router::new().route(
        "/services/T0/B0/s3cret",
        post(move || async move {
            let at = counted.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            let (status, retry_after) = answers[at];
            let headers = [("retry-after", retry_after), ("location", "/elsewhere")];
            (StatusCode::from_u16(status).unwrap(), headers).into_response()
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/services/T0/B0/s3cret", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, count)
}

#[tokio::test]
async fn a_message_is_repeated_only_where_that_is_safe() {
    for (answers, tries, good) in [
        (&[(200, "")][..], 1, true),
        (&[(429, "3"), (200, "")], 2, true),
        (&[(503, ""), (500, ""), (200, "")], 3, true),
        (&[(500, "")], 4, false),
        (&[(429, "100000")], 1, false),
        (&[(403, "")], 1, false),
        (&[(400, "")], 1, false),
        (&[(302, "")], 1, false),
        (&[(307, "")], 1, false),
    ] {
        let (url, count) = receiver(answers).await;
        let webhook = Webhook::from_environment(&environment(&url)).unwrap();
        let outcome = webhook.send(&json!({"text": "x"})).await;
        assert_eq!(
            (count.load(Ordering::SeqCst), outcome.is_ok()),
            (tries, good),
            "{answers:?}"
        );
        if let Err(error) = outcome {
            let said = format!("{error} {error:?}");
            assert!(said.contains("127.0.0.1") && !said.contains("s3cret"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_told_without_the_url() {
    let webhook = Webhook::from_environment(&environment("http://127.0.0.1:9/s3cret")).unwrap();
    let said = webhook.send(&json!({})).await.unwrap_err().to_string();
    assert_eq!(
        said,
        "the webhook at 127.0.0.1 could not be reached: no connection"
    );
}

#[test]
fn the_url_is_https_and_no_error_quotes_it() {
    for (url, good) in [
        ("https://hooks.slack.com/services/T0/B0/s3cret", true),
        ("http://localhost:9/s3cret", true),
        ("http://hooks.slack.com/services/s3cret", false),
        ("ftp://h/s3cret", false),
        ("s3cret", false),
        ("https://s3cret:x:y", false),
    ] {
        let outcome = Webhook::from_environment(&environment(url)).map(drop);
        assert_eq!(outcome.is_ok(), good, "{url}");
        if let Err(error) = outcome {
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
    let none = Webhook::from_environment(&Environment::default()).map(drop);
    assert_eq!(none, Err(Error::Missing));
}
