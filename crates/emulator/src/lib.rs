//! An emulator of Google Cloud, GitHub, Hugging Face and a served model, on loopback. llm-deploy's commands `demo` and
//! `emulator` run it, and so do the tests.
//!
//! It must not depend on any crate of llm-deploy: it is the independent side of every test. Each service is reached
//! under its own path prefix on one port, keeps real state, checks every request against the published schemas, and
//! refuses what the real service refuses.

#![allow(
    clippy::disallowed_methods,
    reason = "it reads the files of tests and of whoever starts it"
)]

pub mod access;
#[cfg(test)]
mod access_tests;
mod admission;
pub mod artifact_registry;
pub mod busy;
pub mod certificate;
pub mod cloud_build;
pub mod cloud_quotas;
mod denied;
pub mod docker_registry;
pub mod endpoint;
pub mod faults;
pub mod github;
pub mod hugging_face;
pub mod iam;
pub mod iam_credentials;
mod list;
mod listen;
pub mod logging;
mod members;
pub mod monitoring;
mod permissions;
pub mod policy;
mod proxy;
pub mod record;
mod reply;
pub mod resource_manager;
mod roles;
pub mod run;
mod running;
pub mod schema;
pub mod secret_manager;
pub mod seed;
pub mod server;
pub mod service_usage;
pub mod storage;
pub mod sts;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod tokens;

use std::{collections::BTreeMap, sync::Arc};

use axum::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use server::{Running, serve_files};

/// Number of the project that exists.
pub const PROJECT_NUMBER: &str = "481516234200";

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
    /// How instances come and go.
    pub scaling: Scaling,
    /// The project is as new: no service accounts, pools or secrets, and only the APIs are on that a new project
    /// has. Otherwise it is prepared as the documentation says.
    pub bare: bool,
    /// Requests that are to meet a fault; more can be added while it runs.
    pub faults: Vec<faults::Rule>,
    /// Permissions of the job's GitHub token, by their names in a workflow, that are not the usual ones.
    pub permissions: Vec<(String, github::Access)>,
}

/// How instances come and go. The pretended times are those of the built-in endpoint alone, whatever the pace.
#[derive(Clone, Copy, Debug)]
pub struct Scaling {
    /// How long an instance that nobody uses is kept.
    pub idle: std::time::Duration,
    /// From when an instance is asked for to when its container runs.
    pub container: std::time::Duration,
    /// How long the container loads the model.
    pub load: std::time::Duration,
    /// From there to when the server answers.
    pub init: std::time::Duration,
}

impl Default for Scaling {
    /// An idle GPU instance is kept for ten minutes; nothing else takes its time.
    fn default() -> Self {
        Self {
            idle: std::time::Duration::from_secs(600),
            container: std::time::Duration::ZERO,
            load: std::time::Duration::ZERO,
            init: std::time::Duration::ZERO,
        }
    }
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
    /// Whose access token came with it; nobody's at a service that asks for none.
    pub caller: Option<tokens::Principal>,
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
    /// A request to a deployed endpoint; its body is passed on unread.
    fn of_endpoint(request: &axum::extract::Request) -> Self {
        let query = url::form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes());
        Self {
            id: String::new(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            params: BTreeMap::new(),
            caller: None,
            query: query.into_owned().collect(),
            headers: request.headers().clone(),
            body: Bytes::new(),
            json: Value::Null,
        }
    }

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

impl From<Reply> for axum::response::Response {
    fn from(reply: Reply) -> Self {
        let mut response = Self::new(reply.body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
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

    /// No answer: the connection ends.
    pub fn hang_up() -> Self {
        let mut reply = Self::json(StatusCode::INTERNAL_SERVER_ERROR, &Value::Null);
        reply
            .headers
            .insert(listen::HANG_UP, axum::http::HeaderValue::from_static("1"));
        reply
    }

    /// 501, for a method that the schema has and the emulator hasn't.
    pub fn not_implemented(call: &Call) -> Self {
        Self::google_error(
            StatusCode::NOT_IMPLEMENTED,
            "UNIMPLEMENTED",
            &format!("The emulator has no {} {} {}", call.method, call.path, call.id),
            Vec::new(),
        )
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

/// The whole emulator: what each service holds.
pub struct Emulator {
    pub settings: Settings,
    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub base_url: String,
    /// Cancelled when the emulator ends; every task and child process ends with it.
    pub stop: CancellationToken,
    /// What looks after child processes, so that their end can be waited for.
    pub children: tokio_util::task::TaskTracker,
    pub recorder: record::Recorder,
    /// Of the proxy's own TLS.
    certificate: Option<Arc<rustls::ServerConfig>>,
    pub faults: faults::Faults,
    pub busy: busy::Busy,
    pub tokens: tokens::Tokens,
    pub storage: storage::Storage,
    pub secrets: secret_manager::Secrets,
    pub registry: artifact_registry::Registry,
    pub logs: logging::Logs,
    pub metrics: monitoring::Metrics,
    pub iam: iam::Iam,
    pub services: service_usage::Services,
    pub projects: resource_manager::Projects,
    pub quotas: cloud_quotas::Quotas,
    pub builds: cloud_build::Builds,
    pub run: run::Run,
    pub github: github::GitHub,
    pub hub: hugging_face::Hub,
}

/// Every part of the emulator holds the whole by this.
pub type Shared = Arc<Emulator>;

impl Emulator {
    /// Serves on a free loopback port.
    ///
    /// # Errors
    /// When no loopback port can be bound or `settings.record` can't be opened.
    pub async fn start(settings: Settings) -> Result<Running, std::io::Error> {
        server::start(settings).await
    }

    fn new(settings: Settings, base_url: String) -> Self {
        let (iam, secrets, services) = if settings.bare {
            (
                iam::Iam::bare(&settings.project),
                secret_manager::Secrets::default(),
                service_usage::Services::bare(),
            )
        } else {
            (
                iam::Iam::seeded(&settings.project),
                secret_manager::Secrets::seeded(),
                service_usage::Services::default(),
            )
        };
        let emulator = Self {
            base_url,
            stop: CancellationToken::new(),
            children: tokio_util::task::TaskTracker::new(),
            recorder: record::Recorder::default(),
            busy: busy::Busy::default(),
            certificate: None,
            faults: faults::Faults::of(&settings.faults),
            tokens: tokens::Tokens::default(),
            storage: storage::Storage::default(),
            secrets,
            registry: artifact_registry::Registry::default(),
            logs: logging::Logs::default(),
            metrics: monitoring::Metrics::default(),
            iam,
            services,
            projects: resource_manager::Projects::default(),
            quotas: cloud_quotas::Quotas::default(),
            builds: cloud_build::Builds::default(),
            run: run::Run::default(),
            github: github::GitHub::permitting(&settings.permissions),
            hub: hugging_face::Hub::default(),
            settings,
        };
        emulator.seed();
        emulator
    }
}
