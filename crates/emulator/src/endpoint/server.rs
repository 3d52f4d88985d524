//! The HTTP side: start-up log, routes, keys, headers.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, Response, StatusCode,
        header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, SERVER, VARY},
    },
    serve::ListenerExt as _,
};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    Refused, StandIn, Start,
    answer::{json_response, refusal},
    chat, completions,
    errors::Problem,
    flags::{self, Flags},
    metrics::Metrics,
    tokens_api,
};
use crate::Speed;

/// The version whose answers are followed.
const VERSION: &str = "0.32.0";
/// Largest request body: far above any prompt.
const MOST_BODY_BYTES: usize = 64 << 20;

pub type Shared = Arc<Server>;
type Log = Arc<dyn Fn(String) + Send + Sync>;

/// One running server.
pub struct Server {
    pub flags: Flags,
    pub speed: Speed,
    pub metrics: Arc<Metrics>,
    /// One place per request that runs at once.
    pub places: Arc<Semaphore>,
    pub fingerprint: String,
    pub stop: CancellationToken,
    log: Log,
}

impl Server {
    /// The name under which an answer goes: as asked, or the first one served.
    pub fn model(&self, asked: Option<&str>) -> Result<String, Problem> {
        let served = &self.flags.served_names;
        match asked {
            Some(name) if served.iter().any(|known| known == name) => Ok(name.to_owned()),
            Some(name) => Err(Problem::unknown_model(name, served)),
            None => Ok(served.first().cloned().unwrap_or_default()),
        }
    }
}

pub async fn serve(
    stand_in: StandIn,
    listener: tokio::net::TcpListener,
    log: Log,
    stop: CancellationToken,
) -> Result<(), Refused> {
    let flags = flags::parse(&stand_in).inspect_err(|refused| {
        for line in refused.message.lines() {
            log(line.to_owned());
        }
    })?;
    let server = Arc::new(Server {
        metrics: Metrics::new(flags.served_names.first().map_or("", String::as_str)),
        places: Arc::new(Semaphore::new(flags.max_num_seqs.min(Semaphore::MAX_PERMITS))),
        fingerprint: fingerprint(&stand_in.args),
        speed: stand_in.speed,
        stop: stop.clone(),
        log,
        flags,
    });
    tokio::select! {
        () = announce(&server, listener.local_addr().ok(), stand_in.start) => {}
        () = stop.cancelled() => {}
    }
    // Small chunks must leave at once, or the pace is Nagle's.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let app = Router::new().fallback(handle).with_state(Arc::clone(&server));
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let ended = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
    (server.log)("INFO:     Finished server process [1]".to_owned());
    ended.map_err(|error| Refused {
        exit_code: 1,
        message: error.to_string(),
    })
}

/// vLLM's log of a start, as far as something of it holds here.
async fn announce(server: &Server, address: Option<SocketAddr>, start: Start) {
    let stamp = || chrono::Utc::now().format("%m-%d %H:%M:%S").to_string();
    let say = |line: String| (server.log)(line);
    say(format!(
        "INFO {} [api_server.py] vLLM API server version {VERSION} (stand-in: no model is loaded)",
        stamp()
    ));
    say(format!(
        "INFO {} [api_server.py] model {}, served as {}, max_model_len {}",
        stamp(),
        server.flags.root,
        server.flags.served_names.join(", "),
        server.flags.max_model_len
    ));
    if !start.load.is_zero() {
        tokio::time::sleep(start.load).await;
        let seconds = start.load.as_secs_f64();
        say(format!(
            "(EngineCore pid=1) INFO {} [default_loader.py] Loading weights took {seconds:.2} seconds",
            stamp()
        ));
        say(format!(
            "(EngineCore pid=1) INFO {} [gpu_model_runner.py] Model loading took 0.0 GiB and {seconds:.6} seconds",
            stamp()
        ));
    }
    tokio::time::sleep(start.init).await;
    if let Some(address) = address {
        say(format!(
            "INFO {} [api_server.py] Starting vLLM server on http://{address}",
            stamp()
        ));
    }
    for line in [
        "Started server process [1]",
        "Waiting for application startup.",
        "Application startup complete.",
    ] {
        say(format!("INFO:     {line}"));
    }
}

/// vLLM's is a hash of its configuration.
fn fingerprint(args: &[String]) -> String {
    let mut dice = super::text::Dice::of(&args.join("\0"), 0, 0);
    format!("vllm-{VERSION}-{:08x}", dice.next() >> 32)
}

/// What follows `chatcmpl-`: the caller's `X-Request-Id`, or 16 hexadecimal digits.
pub fn request_id(headers: &HeaderMap) -> String {
    match headers.get("x-request-id").and_then(|value| value.to_str().ok()) {
        Some(given) if !given.is_empty() => given.to_owned(),
        _ => random_id(),
    }
}

fn random_id() -> String {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    format!("{high:016x}")
}

async fn handle(
    State(server): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let authorised = authorised(&server.flags, &parts.method, &path, &parts.headers);
    let mut response = if authorised {
        match axum::body::to_bytes(body, MOST_BODY_BYTES).await {
            Ok(body) => route(&server, &parts.method, &path, &parts.headers, &body).await,
            Err(error) => refusal(&Problem::bad_request(error.to_string(), None)),
        }
    } else {
        json_response(StatusCode::UNAUTHORIZED, &json!({"error": "Unauthorized"}))
    };
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("uvicorn"));
    if authorised {
        // Added by the CORS layer, which a request without a key never reaches.
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
    let status = response.status();
    if !matches!(
        path.as_str(),
        "/metrics" | "/health" | "/load" | "/ping" | "/version"
    ) && status != StatusCode::NOT_FOUND
    {
        server.metrics.http(&path, parts.method.as_str(), status.as_u16());
    }
    if server.flags.access_log {
        let reason = status.canonical_reason().unwrap_or_default();
        (server.log)(format!(
            "INFO:     {peer} - \"{} {path} HTTP/1.1\" {} {reason}",
            parts.method,
            status.as_u16()
        ));
    }
    response
}

/// Keys guard `/v1` alone.
fn authorised(flags: &Flags, method: &Method, path: &str, headers: &HeaderMap) -> bool {
    if flags.api_keys.is_empty() || method == Method::OPTIONS || !path.starts_with("/v1") {
        return true;
    }
    let sent = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let Some((scheme, key)) = sent.split_once(' ') else {
        return false;
    };
    scheme.eq_ignore_ascii_case("bearer") && flags.api_keys.iter().any(|known| known == key)
}

/// Methods that a path takes.
fn methods(path: &str) -> Option<&'static [Method]> {
    match path {
        "/health" | "/version" | "/load" | "/metrics" | "/v1/models" => Some(&[Method::GET]),
        "/ping" => Some(&[Method::GET, Method::POST]),
        "/v1/chat/completions" | "/v1/completions" | "/tokenize" | "/detokenize" => Some(&[Method::POST]),
        _ => None,
    }
}

async fn route(
    server: &Shared,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response<Body> {
    let Some(allowed) = methods(path) else {
        return json_response(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"}));
    };
    if !allowed.contains(method) {
        let mut response = json_response(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"detail": "Method Not Allowed"}),
        );
        let first = allowed.first().map_or("GET", Method::as_str);
        if let Ok(value) = HeaderValue::from_str(first) {
            response.headers_mut().insert(ALLOW, value);
        }
        return response;
    }
    let result = match path {
        "/v1/chat/completions" => chat::answer(server, headers, body).await,
        "/v1/completions" => completions::answer(server, headers, body).await,
        "/tokenize" => tokens_api::tokenize(server, headers, body),
        "/detokenize" => tokens_api::detokenize(server, headers, body),
        "/version" => Ok(json_response(StatusCode::OK, &json!({ "version": VERSION }))),
        "/load" => Ok(json_response(
            StatusCode::OK,
            &json!({ "server_load": server.metrics.running() }),
        )),
        "/v1/models" => Ok(models(server)),
        "/metrics" => Ok(metrics(server)),
        _ => Ok(Response::new(Body::empty())),
    };
    result.unwrap_or_else(|problem| refusal(&problem))
}

fn metrics(server: &Server) -> Response<Body> {
    let mut response = Response::new(Body::from(server.metrics.render()));
    let kind = HeaderValue::from_static("text/plain; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn models(server: &Server) -> Response<Body> {
    let created = chrono::Utc::now().timestamp();
    let data: Vec<_> = server
        .flags
        .served_names
        .iter()
        .map(|name| {
            json!({
                "id": name, "object": "model", "created": created, "owned_by": "vllm", "root": server.flags.root,
                "parent": null, "max_model_len": server.flags.max_model_len,
                "permission": [{
                    "id": format!("modelperm-{}", random_id()), "object": "model_permission", "created": created,
                    "allow_create_engine": false, "allow_sampling": true, "allow_logprobs": true,
                    "allow_search_indices": false, "allow_view": true, "allow_fine_tuning": false,
                    "organization": "*", "group": null, "is_blocking": false,
                }],
            })
        })
        .collect();
    json_response(StatusCode::OK, &json!({"object": "list", "data": data}))
}
