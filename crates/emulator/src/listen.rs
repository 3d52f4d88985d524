//! Serves connections with a handler that may also end one without an answer.

use std::{future::Future, io, time::Duration};

use axum::{body::Body, extract::Request, http::HeaderName, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// An answer with this header is none: the connection ends instead.
pub const HANG_UP: HeaderName = HeaderName::from_static("x-emulator-hang-up");

/// How long requests under way have to end, once `stop` is cancelled.
const GRACE: Duration = Duration::from_secs(2);
/// Pause after a connection could not be taken, such as for want of file descriptors.
const REST: Duration = Duration::from_millis(50);

/// Serves HTTP/1.1 until `stop` is cancelled and the requests under way have ended.
pub async fn serve<H, F>(listener: TcpListener, stop: CancellationToken, handler: H)
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, stop.clone(), handler.clone()));
            }
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
    drop(listener);
    connections.close();
    // Those that take longer are dropped with the runtime, or when their client goes.
    let _ = tokio::time::timeout(GRACE, connections.wait()).await;
}

async fn connection<H, F>(stream: TcpStream, stop: CancellationToken, handler: H)
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    // Latency is measured through here: tokens must leave at once.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = handler(request.map(Body::new));
        async move {
            let response = answer.await;
            if response.headers().contains_key(HANG_UP) {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset));
            }
            Ok(response)
        }
    });
    let serving = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(serving);
    tokio::select! {
        // The client went away, or is not to get an answer.
        _ = serving.as_mut() => {}
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(GRACE, serving).await;
        }
    }
}
