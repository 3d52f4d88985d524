//! Somebody who takes webhook messages, on loopback.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::post};
use serde_json::Value;

pub struct Receiver {
    pub url: String,
    messages: Arc<Mutex<Vec<Value>>>,
    /// Ends it when the test ends.
    _runtime: tokio::runtime::Runtime,
}

impl Receiver {
    /// Answers with `answers` first, then always with 200.
    pub fn new(answers: &'static [u16]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let messages: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&messages);
        let take = move |Json(message): Json<Value>| async move {
            let mut all = kept.lock().unwrap();
            let status = answers.get(all.len()).copied().unwrap_or(200);
            all.push(message);
            let headers = [("retry-after", "0"), ("location", "/elsewhere")];
            (StatusCode::from_u16(status).unwrap(), headers).into_response()
        };
        let url = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!(
                "http://{}/services/T0/B0/xoxs3cr3t",
                listener.local_addr().unwrap()
            );
            let app = Router::new().route("/services/T0/B0/xoxs3cr3t", post(take));
            tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
            url
        });
        Self {
            url,
            messages,
            _runtime: runtime,
        }
    }

    /// What came, in order, also what was turned away.
    pub fn messages(&self) -> Vec<Value> {
        self.messages.lock().unwrap().clone()
    }
}
