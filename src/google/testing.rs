//! A scripted server on loopback: answers in the order of the script, and remembers what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, body::Bytes, extract::Request as HttpRequest, http::HeaderMap, response::Response};
use gcp_auth::{Token, TokenProvider};
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::{Client, pace::Pace};
use crate::{
    auth::AccessTokens,
    environment::{Api, Environment},
    http::Retry,
};

/// One answer.
pub(crate) struct Scripted {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

#[allow(clippy::needless_pass_by_value, reason = "called with json!(…)")]
pub(crate) fn answer(status: u16, body: Value) -> Scripted {
    raw(status, body.to_string())
}

pub(crate) fn raw(status: u16, body: impl Into<Vec<u8>>) -> Scripted {
    Scripted {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}

impl Scripted {
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET /path?query`
    pub line: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Answers = Arc<dyn Fn(&Asked) -> Scripted + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Server {
    pub base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Gives the answers in turn; beyond the script it says 418.
    pub async fn script(answers: Vec<Scripted>) -> Self {
        let answers = Mutex::new(VecDeque::from(answers));
        Self::start(move |_| {
            let next = answers.lock().unwrap().pop_front();
            next.unwrap_or_else(|| raw(418, "beyond the script"))
        })
        .await
    }

    /// Answers as the function says.
    pub async fn start(answers: impl Fn(&Asked) -> Scripted + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            base: format!("http://{}/", listener.local_addr().unwrap()),
            asked: Arc::default(),
        };
        let (asked, answers): (_, Answers) = (Arc::clone(&server.asked), Arc::new(answers));
        let app = Router::new().fallback(move |request: HttpRequest| {
            let (asked, answers) = (Arc::clone(&asked), Arc::clone(&answers));
            async move { handle(request, &asked, &answers).await }
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        server
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Request lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|a| a.line).collect()
    }

    pub fn environment(&self) -> Environment {
        Api::ALL
            .into_iter()
            .map(|api| (api.override_variable(), self.base.clone()))
            .collect()
    }

    pub fn client(&self) -> Client {
        client(&self.environment(), Arc::new(Counting::default()))
    }
}

async fn handle(request: HttpRequest, asked: &Mutex<Vec<Asked>>, answers: &Answers) -> Response {
    let (parts, body) = request.into_parts();
    let asked_now = Asked {
        line: format!("{} {}", parts.method, parts.uri),
        headers: parts.headers,
        body: axum::body::to_bytes(body, usize::MAX).await.unwrap(),
    };
    asked.lock().unwrap().push(asked_now.clone());
    let scripted = answers(&asked_now);
    let mut response = Response::builder().status(scripted.status);
    for (name, value) in scripted.headers {
        response = response.header(name, value);
    }
    response.body(scripted.body.into()).unwrap()
}

/// Takes each connection, reads the request and hangs up. Counts the connections.
pub(crate) async fn hangs_up() -> (String, Arc<Mutex<u32>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            *counted.lock().unwrap() += 1;
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    (base, count)
}

pub(crate) const QUICK: Retry = Retry {
    attempts: 4,
    base: Duration::from_millis(1),
    cap: Duration::from_millis(2),
    budget: Duration::from_secs(2),
};

pub(crate) fn client(environment: &Environment, tokens: Arc<dyn AccessTokens>) -> Client {
    let pace = Pace {
        poll: Duration::from_millis(2),
        watch: Duration::from_millis(2),
        log: Duration::from_millis(2),
        // Long enough for a machine that stands still for a moment.
        log_end: Duration::from_secs(1),
        patience: Duration::from_secs(5),
    };
    Client::new(environment, tokens).unwrap().paced(QUICK, pace)
}

/// Gives `token-0`, and another one each time that one is refused.
#[derive(Default)]
pub(crate) struct Counting(Mutex<u32>);

#[async_trait]
impl TokenProvider for Counting {
    async fn token(&self, _: &[&str]) -> Result<Arc<Token>, gcp_auth::Error> {
        let n = *self.0.lock().unwrap();
        let token = json!({"access_token": format!("token-{n}"), "expires_in": 3600});
        Ok(Arc::new(serde_json::from_value(token).unwrap()))
    }

    async fn project_id(&self) -> Result<Arc<str>, gcp_auth::Error> {
        Ok("p".into())
    }
}

impl AccessTokens for Counting {
    fn reject(&self, _: &str) {
        *self.0.lock().unwrap() += 1;
    }
}
