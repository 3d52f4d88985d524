//! A loopback stand-in for Google Cloud, GitHub, Hugging Face and a served model: `demo`, `emulator`, tests.
//!
//! It uses nothing of the product. Each service is reached under its own path prefix on one port, holds real
//! state, checks every request against the published schemas and refuses as the real service does.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use serde_json::Value;

/// How the emulator is to behave.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Project id that exists; any other is refused.
    pub project: String,
    /// Command that serves each revision, run by `sh -c` with the container's environment, PORT and
    /// arguments; the built-in stand-in when absent.
    pub serve: Option<String>,
    /// File that gets one JSON line per request.
    pub record: Option<std::path::PathBuf>,
    /// Factor on the emulator's own pretended delays (build, import); 0 for none. Never on the endpoint's.
    pub pace: f64,
    /// Speed of the built-in endpoint.
    pub speed: Speed,
}

/// Stated speed of the built-in endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Time to the first token.
    pub ttft: std::time::Duration,
    /// Gap between tokens.
    pub gap: std::time::Duration,
}

impl Default for Speed {
    fn default() -> Self {
        Self {
            ttft: std::time::Duration::from_millis(40),
            gap: std::time::Duration::from_millis(8),
        }
    }
}

/// A request to one of the services, already matched to a method of its schema.
#[derive(Clone, Debug)]
pub struct Call {
    /// Method id of Google's discovery document, such as `run.projects.locations.services.create`.
    pub id: String,
    pub method: Method,
    /// Path below the service's prefix, percent-encoding kept.
    pub path: String,
    /// Path parameters by their name in the schema's path (`projectsId`), percent-decoded.
    pub params: BTreeMap<String, String>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The body as JSON; `Null` when there is none or it is no JSON.
    pub json: Value,
}

/// What a service answers.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: axum::body::Body,
}

impl Call {
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.as_str())
    }
}

impl Reply {
    pub fn json(status: StatusCode, value: &Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            "content-type",
            axum::http::HeaderValue::from_static("application/json; charset=UTF-8"),
        );
        Self {
            status,
            headers,
            body: axum::body::Body::from(value.to_string()),
        }
    }

    pub fn ok(value: &Value) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// An error in Google's form: `{"error":{"code":404,"message":…,"status":"NOT_FOUND","details":[…]}}`.
    pub fn google_error(code: StatusCode, status: &str, message: &str, details: Vec<Value>) -> Self {
        let mut error = serde_json::json!({"code": code.as_u16(), "message": message, "status": status});
        if !details.is_empty() {
            error["details"] = Value::Array(details);
        }
        Self::json(code, &serde_json::json!({ "error": error }))
    }
}

/// A running emulator.
pub struct Emulator {
    pub settings: Settings,
    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub base_url: String,
}

/// Every part of the emulator holds the whole by this.
pub type Shared = Arc<Emulator>;
