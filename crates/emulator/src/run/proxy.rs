//! Hands requests to instances: streaming both ways, nothing buffered.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use futures::StreamExt;
use serde_json::json;
use tokio::time::Instant;

use super::{
    backend::{self, Backend, InFlight, Why},
    conditions,
    front::{self, Front},
    invoker::{self, page},
};
use crate::{Call, Reply, Shared, access::Resource, faults, record::Recorder, tokens::Principal};

/// Largest body of a request that is kept, in bytes.
const MAX_KEPT: usize = 32 << 20;

/// Headers that belong to one connection.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// The client for probes and proxied requests: HTTP/1.1 on loopback, no redirects, no proxy.
pub fn client() -> reqwest::Client {
    // Loopback needs no TLS, but the client asks for a provider.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(Duration::from_secs(4))
        .build()
        .unwrap_or_default()
}

/// Answers one request at a service's or a tag's URL.
pub async fn answer(front: &Arc<Front>, tag: Option<&str>, request: Request) -> Response {
    let Some(emulator) = front.emulator.upgrade() else {
        return not_found();
    };
    let call = Call::of_endpoint(&request);
    let fault = emulator.faults.meet(faults::ENDPOINT, &call);
    if fault.is_none() && !emulator.faults.is_watched() {
        return admitted(front, tag, emulator, request).await;
    }
    if let Some(reply) = faults::before(&emulator, faults::ENDPOINT, &call, fault.as_ref()).await {
        return reply.into();
    }
    let (parts, body) = admitted(front, tag, Arc::clone(&emulator), request)
        .await
        .into_parts();
    let reply = Reply {
        status: parts.status,
        headers: parts.headers,
        body,
    };
    faults::after(&emulator, faults::ENDPOINT, &call, fault.as_ref(), reply)
        .await
        .into()
}

async fn admitted(front: &Arc<Front>, tag: Option<&str>, emulator: Shared, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let access = front.access();
    if access.closed {
        return not_found();
    }
    let request = remembered(&emulator.recorder, request).await;
    let claims = |token: &str| emulator.tokens.id_token(token);
    let on = Resource::Service {
        region: front.id.region.clone(),
        id: front.id.service.clone(),
    };
    let may = |email: &str| emulator.may(&Principal::ServiceAccount(email.to_owned()), front::INVOKE, &on);
    if let Err(refused) = invoker::check(&access, request.headers(), &may, &claims) {
        return refused.response(&path);
    }
    let Some(backend) = front.backend(tag) else {
        return not_found();
    };
    let http = emulator.run.http();
    drop(emulator);
    let started = Instant::now();
    let about = About::of(front, &request);
    let response = forward(&http, &backend, request, access.public).await;
    about.log(&backend, &response, started.elapsed());
    response
}

/// The same request; where whole requests are kept, read to its end first.
async fn remembered(recorder: &Recorder, request: Request) -> Request {
    if !recorder.keeps() {
        return request;
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_KEPT).await.unwrap_or_default();
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes());
    let call = Call {
        id: String::new(),
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        params: BTreeMap::new(),
        query: query.into_owned().collect(),
        headers: parts.headers.clone(),
        json: serde_json::from_slice(&body).unwrap_or_default(),
        body: body.clone(),
        caller: None,
    };
    recorder.remember("endpoint", &call);
    Request::from_parts(parts, Body::from(body))
}

fn not_found() -> Response {
    page(
        StatusCode::NOT_FOUND,
        "Page not found",
        "The requested URL was not found on this server.",
    )
}

/// What a request's log line says.
struct About {
    method: String,
    url: String,
    agent: String,
    received: String,
}

impl About {
    fn of(front: &Front, request: &Request) -> Self {
        let agent = request.headers().get(header::USER_AGENT);
        Self {
            method: request.method().to_string(),
            url: format!("{}{}", front.url, request.uri()),
            agent: agent.and_then(|a| a.to_str().ok()).unwrap_or_default().to_owned(),
            received: conditions::now(),
        }
    }

    fn log(self, backend: &Backend, response: &Response, latency: Duration) {
        let status = response.status();
        let severity = match status.as_u16() {
            500.. => "ERROR",
            400.. => "WARNING",
            _ => "INFO",
        };
        let request = json!({"requestMethod": self.method, "requestUrl": self.url, "status": status.as_u16(),
            "userAgent": self.agent, "latency": format!("{:.6}s", latency.as_secs_f64()), "protocol": "HTTP/1.1"});
        backend.log.request(severity, &request, &self.received);
    }
}

async fn forward(http: &reqwest::Client, backend: &Arc<Backend>, request: Request, public: bool) -> Response {
    let guard = backend.enter();
    let Some(port) = port(backend).await else {
        return page(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Server Error",
            "The request failed because the instance could not start successfully.",
        );
    };
    let outgoing = match outgoing(http, request, port, public, backend.timeout()) {
        Ok(outgoing) => outgoing,
        Err(_) => {
            return page(
                StatusCode::BAD_REQUEST,
                "Bad Request",
                "The request can't be passed on.",
            );
        }
    };
    match http.execute(outgoing).await {
        Ok(incoming) => answer_of(incoming, guard),
        Err(error) if error.is_timeout() => page(
            StatusCode::GATEWAY_TIMEOUT,
            "Gateway Timeout",
            "The request has been terminated because it has reached the maximum request timeout.",
        ),
        Err(_) => page(
            StatusCode::SERVICE_UNAVAILABLE,
            "Server Error",
            "The request failed because either the HTTP response was malformed or connection to the instance had an \
             error.",
        ),
    }
}

/// The instance's port; a cold start goes on even when the caller hangs up.
async fn port(backend: &Arc<Backend>) -> Option<u16> {
    if let Some(port) = backend.port() {
        return Some(port);
    }
    let cold = Arc::clone(backend);
    let started = tokio::spawn(async move {
        let port = cold.ensure(Why::Request).await;
        if port.is_ok() {
            tokio::spawn(backend::log_crash(Arc::downgrade(&cold)));
        }
        port
    });
    started.await.ok()?.ok()
}

fn outgoing(
    http: &reqwest::Client,
    request: Request,
    port: u16,
    public: bool,
    timeout: Duration,
) -> reqwest::Result<reqwest::Request> {
    let (parts, body) = request.into_parts();
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", axum::http::uri::PathAndQuery::as_str);
    let has_body = parts.headers.contains_key(header::CONTENT_LENGTH)
        || parts.headers.contains_key(header::TRANSFER_ENCODING)
        || !matches!(parts.method, Method::GET | Method::HEAD);
    let mut outgoing = http
        .request(parts.method, format!("http://127.0.0.1:{port}{target}"))
        .timeout(timeout)
        .headers(headers(parts.headers, public));
    if has_body {
        outgoing = outgoing.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    outgoing.build()
}

fn headers(mut headers: HeaderMap, public: bool) -> HeaderMap {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    // The platform checked the token: the container gets it without its signature, as on Cloud Run.
    let separate = headers.remove("x-serverless-authorization").is_some();
    if !public && !separate {
        let token = invoker::token(&headers)
            .and_then(|t| t.rsplit_once('.'))
            .map(|(unsigned, _)| unsigned);
        let unsigned = token.map(|t| format!("Bearer {t}.SIGNATURE_REMOVED_BY_GOOGLE"));
        match unsigned.and_then(|t| HeaderValue::from_str(&t).ok()) {
            Some(value) => drop(headers.insert(header::AUTHORIZATION, value)),
            None => drop(headers.remove(header::AUTHORIZATION)),
        }
    }
    headers.insert("x-forwarded-for", HeaderValue::from_static("127.0.0.1"));
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    let trace = format!("{}/1;o=0", uuid::Uuid::new_v4().simple());
    if let Ok(trace) = HeaderValue::from_str(&trace) {
        headers.entry("x-cloud-trace-context").or_insert(trace);
    }
    headers
}

fn answer_of(incoming: reqwest::Response, guard: InFlight) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = incoming.status();
    let mut headers = incoming.headers().clone();
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    headers.insert(header::SERVER, HeaderValue::from_static("Google Frontend"));
    *response.headers_mut() = headers;
    // The guard lives as long as the body: until then the instance is not idle.
    let body = incoming.bytes_stream().map(move |chunk| {
        let _busy = &guard;
        chunk
    });
    *response.body_mut() = Body::from_stream(body);
    response
}
