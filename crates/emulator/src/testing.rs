//! For tests of the emulator: requests as a client sends them, and a check of every answer's fields.

use axum::http::Method;
use serde_json::Value;

use super::{Emulator, Running, Settings, schema};

/// An emulator with a client.
pub struct Bench {
    pub running: Running,
    client: reqwest::Client,
    pub token: Option<String>,
}

/// Status, headers and body of an answer.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Bench {
    /// The project is `demo-project`; requests carry the owner's token.
    pub async fn start() -> Self {
        Self::with(Settings {
            project: "demo-project".into(),
            ..Settings::default()
        })
        .await
    }

    pub async fn with(settings: Settings) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let running = Emulator::start(settings).await.unwrap();
        let token = running.emulator.tokens.ready().to_owned();
        Self {
            running,
            client: reqwest::Client::new(),
            token: Some(token),
        }
    }

    /// `path` starts with the service's prefix.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let headers = body.map(|_| ("content-type", "application/json"));
        self.raw(
            method,
            path,
            headers.as_slice(),
            body.map(|b| b.to_string().into_bytes()),
        )
        .await
    }

    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let method: Method = method.parse().unwrap();
        let url = format!("{}{path}", self.running.emulator.base_url);
        let mut request = self.client.request(method.clone(), url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status < 300 {
            check_answer(&method, path, &json);
        }
        Answer {
            status,
            headers,
            text,
            json,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }
}

/// No answer has a field that the published message lacks.
fn check_answer(method: &Method, path: &str, json: &Value) {
    let path = path.split('?').next().unwrap_or(path);
    let Some((prefix, rest)) = path[1..].split_once('/') else {
        return;
    };
    let Some(service) = schema::Service::from_prefix(prefix) else {
        return;
    };
    if let Some(matched) = schema::find(service, method, &format!("/{rest}"))
        && json.is_object()
    {
        assert_eq!(matched.check_response(json), [], "{method} {path}: {json}");
    }
}
