//! The HTTP server: finds the service by its prefix, checks the request, hands it over.

use std::{io, sync::Arc};

use axum::{
    body::Bytes,
    extract::Request,
    http::{Method, StatusCode},
    response::Response,
};
use serde_json::Value;

use super::{
    Call, Emulator, Reply, Settings, Shared, access, admission, certificate, docker_registry, faults, github,
    hugging_face, listen, proxy, record, running,
    schema::{self, Service, Violation},
    tokens,
};

pub use super::running::{Running, serve_files};

/// Largest request body, in bytes: build contexts and the like are far below.
const MAX_BODY: usize = 256 << 20;

pub(super) async fn start(settings: Settings) -> io::Result<Running> {
    let recorder = record::Recorder::open(settings.record.as_deref())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let mut emulator = Emulator::new(settings, base_url);
    emulator.recorder = recorder;
    let certificate = certificate::generate()?;
    let trusted = running::TrustFile::write(&certificate.pem)?;
    emulator.certificate = Some(certificate.server);
    let emulator = Arc::new(emulator);
    let (stop, shared) = (emulator.stop.clone(), emulator.clone());
    let server = tokio::spawn(listen::serve(listener, stop, move |request| {
        let emulator = shared.clone();
        async move { respond(&emulator, request).await }
    }));
    Ok(Running {
        emulator,
        server,
        trusted,
    })
}

/// The answer to any request, of whichever way it came.
pub(super) async fn respond(emulator: &Shared, request: Request) -> Response {
    let stop = emulator.stop.clone();
    let reply = tokio::select! {
        reply = route(emulator, request) => reply,
        () = stop.cancelled() => {
            Reply::google_error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "The service is shutting down.", Vec::new())
        }
    };
    reply.into()
}

async fn route(emulator: &Shared, request: Request) -> Reply {
    if request.method() == Method::CONNECT {
        return proxy::connect(emulator, request);
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return Reply::invalid("The request's body could not be read, or is larger than 256 MiB.");
    };
    let path = parts.uri.path();
    let after_slash = path.strip_prefix('/').unwrap_or(path);
    let (prefix, rest) = match after_slash.find('/') {
        Some(n) => after_slash.split_at(n),
        None => (after_slash, ""),
    };
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes());
    let call = Call {
        id: String::new(),
        method: parts.method,
        path: if rest.is_empty() { "/" } else { rest }.to_owned(),
        params: std::collections::BTreeMap::new(),
        query: query.into_owned().collect(),
        json: serde_json::from_slice(&body).unwrap_or(Value::Null),
        headers: parts.headers,
        body,
        caller: None,
    };
    let _answering = emulator.busy.enter(prefix);
    if let Some(service) = Service::from_prefix(prefix) {
        return google(emulator, service, call).await;
    }
    emulator.recorder.write(prefix, &call);
    let fault = emulator.faults.meet(prefix, &call);
    if let Some(reply) = faults::before(emulator, prefix, &call, fault.as_ref()).await {
        return reply;
    }
    let reply = match prefix {
        "github" => github::GitHub::handle(emulator, &call).await,
        "hf" => hugging_face::Hub::handle(emulator, &call).await,
        "docker" => docker_registry::handle(emulator, &call).await,
        "oidc" => tokens::oidc(emulator, &call).await,
        _ => Reply::unknown_url(path),
    };
    faults::after(emulator, prefix, &call, fault.as_ref(), reply).await
}

async fn google(emulator: &Shared, service: Service, mut call: Call) -> Reply {
    let matched = schema::find(service, &call.method, &call.path);
    if let Some(matched) = &matched {
        call.id.clone_from(&matched.method.id);
        call.params.clone_from(&matched.params);
    }
    let mistakes = matched.as_ref().map(|m| check(service, m, &mut call));
    emulator.recorder.write(service.prefix(), &call);
    let fault = emulator.faults.meet(service.prefix(), &call);
    let prefix = service.prefix();
    if let Some(reply) = faults::before(emulator, prefix, &call, fault.as_ref()).await {
        return reply;
    }
    let reply = checked(emulator, service, &mut call, mistakes).await;
    faults::after(emulator, prefix, &call, fault.as_ref(), reply).await
}

/// `mistakes` is absent when the service has no such method.
async fn checked(
    emulator: &Shared,
    service: Service,
    call: &mut Call,
    mistakes: Option<Vec<Violation>>,
) -> Reply {
    let Some(mistakes) = mistakes else {
        return match service {
            Service::Storage => super::storage::Storage::handle_plain(emulator, call).await,
            _ => Reply::unknown_url(&call.path),
        };
    };
    if let Some(refused) = admission::refuse(emulator, service, call) {
        return refused;
    }
    if !mistakes.is_empty() {
        return match service {
            Service::Storage => super::storage::refusal(&mistakes),
            _ => schema::refusal(&mistakes),
        };
    }
    if let Some(refused) = super::members::refuse(emulator, call) {
        return refused;
    }
    let reply = handle(emulator, service, call).await;
    if reply.status.is_success() && call.id.ends_with(".testIamPermissions") {
        return access::test(emulator, call);
    }
    reply
}

/// Reads the body as the method's message and checks it with the query.
fn check(service: Service, matched: &schema::Matched, call: &mut Call) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut body = None;
    if service == Service::Sts && content_type(call) == "application/x-www-form-urlencoded" {
        body = Some(super::sts::form(&call.body));
    } else if !matched.upload && !call.body.is_empty() {
        match read_json(call) {
            Ok(value) => body = Some(value),
            Err(mistake) => found.push(mistake),
        }
    }
    found.extend(matched.check(&call.query, &mut body));
    call.json = body.unwrap_or(Value::Null);
    found
}

fn read_json(call: &Call) -> Result<Value, Violation> {
    let kind = content_type(call);
    if kind != "application/json" {
        return Err(schema::wrong_content_type(kind));
    }
    serde_json::from_slice(&call.body).map_err(|_| schema::no_json())
}

/// The media type, without its parameters.
pub(super) fn content_type(call: &Call) -> &str {
    let value = call.headers.get("content-type").and_then(|v| v.to_str().ok());
    value.and_then(|v| v.split(';').next()).map_or("", str::trim)
}

async fn handle(emulator: &Shared, service: Service, call: &Call) -> Reply {
    use super::{
        artifact_registry, cloud_build, cloud_quotas, iam, iam_credentials, logging, monitoring,
        resource_manager, run, secret_manager, service_usage, storage, sts,
    };
    match service {
        Service::Run => run::Run::handle(emulator, call).await,
        Service::CloudBuild => cloud_build::Builds::handle(emulator, call).await,
        Service::ArtifactRegistry => artifact_registry::Registry::handle(emulator, call).await,
        Service::Storage => storage::Storage::handle(emulator, call).await,
        Service::SecretManager => secret_manager::Secrets::handle(emulator, call).await,
        Service::ServiceUsage => service_usage::Services::handle(emulator, call).await,
        Service::Iam => iam::Iam::handle(emulator, call).await,
        Service::IamCredentials => iam_credentials::handle(emulator, call).await,
        Service::Sts => sts::handle(emulator, call).await,
        Service::Logging => logging::Logs::handle(emulator, call).await,
        Service::Monitoring => monitoring::Metrics::handle(emulator, call).await,
        Service::ResourceManager => resource_manager::Projects::handle(emulator, call).await,
        Service::CloudQuotas => cloud_quotas::Quotas::handle(emulator, call).await,
    }
}

/// Bytes as an answer.
pub(super) fn bytes_reply(status: StatusCode, content_type: &str, body: Bytes) -> Reply {
    let mut reply = Reply::json(status, &Value::Null);
    if let Ok(value) = content_type.parse() {
        reply.headers.insert("content-type", value);
    }
    reply.body = axum::body::Body::from(body);
    reply
}
