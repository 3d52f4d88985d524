//! The thread that reads requests.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use llm_deploy::arrival;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    answer::{Answer, Line},
    pieces,
    request::{self, Request},
};

/// Takes connections until `stop`.
pub async fn serve(
    listener: std::net::TcpListener,
    shared: &Arc<Shared>,
    stop: CancellationToken,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (socket, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = stop.cancelled() => return Ok(()),
        };
        // Tokens must leave at once.
        socket.set_nodelay(true)?;
        arrival::note(&socket);
        let shared = shared.clone();
        tokio::spawn(async move {
            // The client went away; there is nobody to tell.
            let _ = converse(socket, &shared).await;
        });
    }
}

/// Answers one connection's requests, one after the other.
async fn converse(socket: TcpStream, shared: &Shared) -> io::Result<()> {
    let line = Line {
        socket: Arc::new(socket),
        busy: Arc::default(),
    };
    let mut bytes = Vec::new();
    let mut arrived = Instant::now();
    loop {
        match request::parse(&bytes) {
            Ok(None) => match read(&line.socket, &mut bytes).await? {
                Some(at) => arrived = at,
                None => return Ok(()),
            },
            Ok(Some(request)) => {
                if line.busy.load(Ordering::Acquire) {
                    let why = "a request came before the last one's answer was there";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
                let body = &bytes[request.body.clone()];
                if request.method == "POST" && request.path == "/v1/chat/completions" {
                    chat(&line, shared, &request, body, arrived).await?;
                } else {
                    write(&line.socket, &page(shared, &request)).await?;
                }
                if request.close && !line.busy.load(Ordering::Acquire) {
                    return Ok(());
                }
                bytes.drain(..request.body.end);
            }
            Err((status, why)) => return write(&line.socket, &pieces::refusal(status, &why)).await,
        }
    }
}

/// Adds what there is to read; returns when it came (where the kernel doesn't tell, when this thread was woken for it),
/// `None` at the end.
async fn read(socket: &TcpStream, bytes: &mut Vec<u8>) -> io::Result<Option<Instant>> {
    let mut buffer = [0; 4096];
    loop {
        socket.readable().await?;
        let woken = Instant::now();
        match arrival::read(socket, &mut buffer) {
            Ok((0, _)) => return Ok(None),
            Ok((count, at)) => {
                bytes.extend_from_slice(&buffer[..count]);
                return Ok(Some(at.unwrap_or(woken)));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes the stream's head and all that is due already; the pacer does the rest.
async fn chat(
    line: &Line,
    shared: &Shared,
    request: &Request,
    body: &[u8],
    arrived: Instant,
) -> io::Result<()> {
    let asked = match request::asked(body) {
        Ok(asked) => asked,
        Err(why) => return write(&line.socket, &pieces::refusal("400 Bad Request", &why)).await,
    };
    line.busy.store(true, Ordering::Release);
    let id = request.id.clone().unwrap_or_default();
    let mut answer = Box::new(Answer::new(line.clone(), asked, shared.timing, arrived, id));
    if let Some(at) = answer.advance(&shared.ledger)? {
        shared.pacer.add(at, answer);
    }
    Ok(())
}

/// The answer to anything but a chat.
fn page(shared: &Shared, request: &Request) -> Vec<u8> {
    const OK: &str = "200 OK";
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/health") => pieces::empty(),
        ("GET", "/v1/models") => pieces::json_answer(OK, &pieces::models()),
        ("GET", "/stats") => pieces::json_answer(OK, &shared.ledger.stats()),
        ("GET", "/timings") => match shared.ledger.timings() {
            Ok(timings) => pieces::json_answer(OK, &timings),
            Err(why) => pieces::refusal("404 Not Found", &why),
        },
        ("POST", "/reset") => {
            shared.ledger.reset();
            pieces::empty()
        }
        _ => pieces::refusal("404 Not Found", "there is no such page"),
    }
}

async fn write(socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        socket.writable().await?;
        match socket.try_write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
