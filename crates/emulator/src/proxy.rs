//! The emulator as an HTTP proxy, for clients with a fixed host name: gcloud's build log reader asks
//! `https://storage.googleapis.com/…` whatever the overrides say.
//!
//! A CONNECT to a Google API is answered here, over TLS with a throw-away certificate; to anywhere else it is
//! refused, so nothing leaves the machine.

use axum::{
    body::Body,
    extract::Request,
    http::{StatusCode, Uri},
    response::Response,
};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::{Reply, Shared, schema::Service, server};

/// Answers a CONNECT, and serves the tunnel until either side ends it.
pub fn connect(emulator: &Shared, request: Request) -> Reply {
    let host = request.uri().host().unwrap_or("").to_owned();
    let Some(prefix) = prefix(&host) else {
        let message = format!("The emulator's proxy leads to Google's APIs only, not to {host}.");
        return Reply::google_error(StatusCode::FORBIDDEN, "PERMISSION_DENIED", &message, Vec::new());
    };
    let emulator = emulator.clone();
    tokio::spawn(async move {
        let stop = emulator.stop.clone();
        tokio::select! {
            _ = tunnel(emulator, request, prefix) => {}
            () = stop.cancelled() => {}
        }
    });
    Reply {
        status: StatusCode::OK,
        headers: axum::http::HeaderMap::new(),
        body: Body::empty(),
    }
}

/// `www.googleapis.com` is the older name of Cloud Storage's JSON interface.
fn prefix(host: &str) -> Option<&'static str> {
    let name = host.strip_suffix(".googleapis.com")?;
    let name = if name == "www" { "storage" } else { name };
    Service::from_prefix(name).map(Service::prefix)
}

/// `None` when the client went away or doesn't speak TLS.
async fn tunnel(emulator: Shared, request: Request, prefix: &'static str) -> Option<()> {
    let upgraded = hyper::upgrade::on(request).await.ok()?;
    let acceptor = tokio_rustls::TlsAcceptor::from(emulator.certificate.clone()?);
    let stream = acceptor.accept(TokioIo::new(upgraded)).await.ok()?;
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let emulator = emulator.clone();
        async move { Ok::<Response, std::convert::Infallible>(inside(&emulator, request, prefix).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new();
    connection
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok()
}

/// A request of the tunnel, as if it had come under the service's prefix.
async fn inside(emulator: &Shared, request: hyper::Request<hyper::body::Incoming>, prefix: &str) -> Response {
    let (mut parts, body) = request.into_parts();
    let rest = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    if let Ok(uri) = format!("/{prefix}{rest}").parse::<Uri>() {
        parts.uri = uri;
    }
    server::respond(emulator, Request::from_parts(parts, Body::new(body))).await
}
