//! A scripted server for tests: raw bytes for each path, given in any split and at any time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

use super::Endpoint;
use crate::auth::Bearer;

/// A bearer with a fixed token, or none.
pub struct Fixed(pub Option<&'static str>);

#[async_trait]
impl Bearer for Fixed {
    async fn bearer(&self) -> Result<Option<SecretString>, String> {
        Ok(self.0.map(SecretString::from))
    }
}

/// What the server does for a request.
pub enum Script {
    /// Writes the parts with pauses between them and closes.
    Parts(Vec<(Duration, Vec<u8>)>),
    /// Writes the answer and keeps the connection for the next request.
    KeepAlive(Vec<u8>),
    /// The same in parts, with pauses between them.
    KeepAliveParts(Vec<(Duration, Vec<u8>)>),
    /// Writes the part again and again until the client goes away.
    Endless(Vec<u8>, Vec<u8>),
    /// Never answers.
    Silent,
    /// Closes at once.
    Close,
}

/// One whole answer, then the connection is closed.
pub fn once(bytes: impl Into<Vec<u8>>) -> Script {
    Script::Parts(vec![(Duration::ZERO, bytes.into())])
}

/// An answer with a body of known length that keeps the connection.
pub fn answer(status: &str, content_type: &str, body: &str) -> Script {
    Script::KeepAlive(
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

pub fn json(body: &str) -> Script {
    answer("200 OK", "application/json", body)
}

/// A stream of these events.
pub fn sse(events: &[&str]) -> Script {
    let body: String = events.iter().map(|e| format!("data: {e}\n\n")).collect();
    answer("200 OK", "text/event-stream; charset=utf-8", &body)
}

pub fn token(text: &str) -> String {
    serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
        .to_string()
}

/// A complete stream: the role, `words`, the finish reason, the usage, `[DONE]`.
pub fn stream_of(words: &[&str], finish: &str, completion_tokens: u64) -> Script {
    let mut events = vec![
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#
            .to_owned(),
    ];
    events.extend(words.iter().map(|w| token(w)));
    events.push(format!(
        r#"{{"choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"{finish}"}}]}}"#
    ));
    events.push(format!(
        r#"{{"choices":[],"usage":{{"prompt_tokens":5,"completion_tokens":{completion_tokens}}}}}"#
    ));
    events.push("[DONE]".to_owned());
    sse(&events.iter().map(String::as_str).collect::<Vec<_>>())
}

pub fn completion(content: &str, finish: &str) -> Script {
    json(
        &serde_json::json!({"choices": [{"index": 0, "message": {"content": content}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 3}})
        .to_string(),
    )
}

/// A running server; every request's text (head and body) is kept.
pub struct Server {
    pub url: Url,
    pub requests: Arc<Mutex<Vec<String>>>,
    pub connections: Arc<Mutex<u32>>,
}

impl Server {
    /// `script` gets each request's text and says what to do.
    pub async fn start(script: impl Fn(&str) -> Script + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (script, seen, count) = (Arc::new(script), requests.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                tokio::spawn(serve(socket, script.clone(), seen.clone()));
            }
        });
        Self {
            url,
            requests,
            connections,
        }
    }

    pub fn endpoint(&self, token: Option<&'static str>) -> Endpoint {
        Endpoint::new(self.url.clone(), Arc::new(Fixed(token)), None).unwrap()
    }

    pub fn seen(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn write(socket: &mut TcpStream, parts: Vec<(Duration, Vec<u8>)>) {
    for (pause, bytes) in parts {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let _ = socket.write_all(&bytes).await;
    }
}

async fn serve(
    mut socket: TcpStream,
    script: Arc<dyn Fn(&str) -> Script + Send + Sync>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let _ = socket.set_nodelay(true);
    while let Some(request) = read_request(&mut socket).await {
        seen.lock().unwrap().push(request.clone());
        match script(&request) {
            Script::KeepAlive(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Script::KeepAliveParts(parts) => write(&mut socket, parts).await,
            Script::Parts(parts) => {
                write(&mut socket, parts).await;
                return;
            }
            Script::Endless(start, part) => {
                let _ = socket.write_all(&start).await;
                while socket.write_all(&part).await.is_ok() {}
                return;
            }
            Script::Silent => std::future::pending().await,
            Script::Close => return,
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let n = socket.read(&mut part).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&part[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).map_or(0, |rest| {
                rest.lines().next().unwrap().trim().parse::<usize>().unwrap()
            });
            if body.len() >= length {
                return Some(text);
            }
        }
    }
}
