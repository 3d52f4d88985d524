//! Client of an OpenAI-compatible server such as vLLM behind Cloud Run.
//!
//! The server is the thing under test and is not trusted: answers are capped in size and time, redirects are
//! not followed, and nothing that it sends ends up in a message at full length.

pub mod answer;
mod call;
pub mod error;
pub mod hint;
pub mod lane;
mod metrics;
mod request;
pub mod sse;
pub mod stream;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod tokenize;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use reqwest::{
    Method, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout_at;
use url::Url;

use crate::{auth::Bearer, environment::require_secure, http::USER_AGENT, tempo::Tempo};

use call::{Call, MAX_ERROR_BODY, decode, head, read, refusal};

pub use answer::{Chunk, Completion, Models, Usage};
pub use error::Error;
pub use request::{ChatRequest, Message, Role};
pub use stream::{Arrived, ChatStream, Event};
pub use tokenize::Countable;

/// Most bytes of an answer that is not a stream.
pub const MAX_BODY: usize = 8 << 20;
/// Longest wait for a TCP and TLS connection.
const CONNECT: Duration = Duration::from_secs(20);
/// Cloud Run looks at this header first and takes it away, so that `Authorization` can be the container's.
const SERVERLESS: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// An endpoint: its URL and how to get in. Clones share connections.
#[derive(Clone)]
pub struct Endpoint {
    http: reqwest::Client,
    base: Url,
    bearer: Option<Arc<dyn Bearer>>,
    api_key: Option<SecretString>,
    tempo: Tempo,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.base)
    }
}

impl Endpoint {
    /// `bearer` gives Google's ID token for a private service. With an `api_key` (vLLM's `--api-key`) as well,
    /// the key is sent in `Authorization` and the ID token in `X-Serverless-Authorization`.
    ///
    /// # Errors
    /// When `base` holds credentials, is no https URL (http is accepted on loopback), or TLS can't be set up.
    pub fn new(base: Url, bearer: Arc<dyn Bearer>, api_key: Option<SecretString>) -> Result<Self, Error> {
        require_secure(&base).map_err(Error::BadUrl)?;
        Self::at_base(base, Some(bearer), api_key)
    }

    /// An endpoint that asks for no credentials. As none are sent, plain http will do on any host.
    ///
    /// # Errors
    /// As [`Self::new`], but for http.
    pub fn open_to_all(base: Url) -> Result<Self, Error> {
        Self::at_base(base, None, None)
    }

    fn at_base(
        mut base: Url,
        bearer: Option<Arc<dyn Bearer>>,
        api_key: Option<SecretString>,
    ) -> Result<Self, Error> {
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Error::BadUrl("it must hold no user name or password".to_owned()));
        }
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self {
            http: client(&base)?,
            base,
            bearer,
            api_key,
            tempo: Tempo::default(),
        })
    }

    /// The same endpoint, with timeouts of this tempo.
    #[must_use]
    pub fn at(self, tempo: Tempo) -> Self {
        Self { tempo, ..self }
    }

    pub fn tempo(&self) -> Tempo {
        self.tempo
    }

    /// The same endpoint as somebody without any credentials sees it.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self {
            bearer: None,
            api_key: None,
            ..self.clone()
        }
    }

    /// Base URL, ending in a slash.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// `GET /health`. Each method gives up after `timeout` and fails unless the status is a success.
    pub async fn health(&self, timeout: Duration) -> Result<(), Error> {
        let call = Call::new(Method::GET, "health", timeout, self.tempo);
        let response = self.send(&call, None).await?.response;
        read(&call, response, MAX_ERROR_BODY).await.map(|_| ())
    }

    /// `GET /v1/models`.
    pub async fn models(&self, timeout: Duration) -> Result<Models, Error> {
        let call = Call::new(Method::GET, "v1/models", timeout, self.tempo);
        let response = self.send(&call, None).await?.response;
        decode(&call, &read(&call, response, MAX_BODY).await?)
    }

    /// `POST /v1/chat/completions`, the answer in one piece.
    pub async fn chat(&self, request: &ChatRequest, timeout: Duration) -> Result<Completion, Error> {
        let call = Call::new(Method::POST, "v1/chat/completions", timeout, self.tempo);
        let response = self.send(&call, Some(body(request))).await?.response;
        decode(&call, &read(&call, response, MAX_BODY).await?)
    }

    /// `POST /v1/chat/completions`, streamed, with a usage chunk. `timeout` is for the whole stream.
    pub async fn chat_stream(&self, request: &ChatRequest, timeout: Duration) -> Result<ChatStream, Error> {
        let call = Call::new(Method::POST, "v1/chat/completions", timeout, self.tempo);
        let Sent { response, at } = self.send(&call, Some(body(&request.streamed()))).await?;
        let headers = response.headers().clone();
        if let Some(other) = call::other_type(&headers) {
            return Err(call::no_stream(&call, other, &head(&call, response).await));
        }
        Ok(ChatStream {
            events: stream::Events::new(call.name.clone()),
            response,
            sent: at,
            call,
            read_at: at,
            ended: false,
        })
    }

    /// Sends; once more with a new ID token when the front end takes the first one for worthless, which it finds
    /// before anything was done.
    async fn send(&self, call: &Call, body: Option<Vec<u8>>) -> Result<Sent, Error> {
        let url = self
            .base
            .join(call.path)
            .map_err(|e| Error::BadUrl(e.to_string()))?;
        let body = body.map(Bytes::from);
        let mut renewed = false;
        loop {
            let credentials = timeout_at(call.deadline, self.credentials(call)).await;
            let credentials = credentials.map_err(|_| call.timed_out("no credentials"))??;
            let sent = self
                .once(call, url.clone(), credentials.headers.clone(), body.clone())
                .await?;
            if sent.response.status().is_success() {
                return Ok(sent);
            }
            if let (Some(bearer), Some(token), false) = (&self.bearer, &credentials.id_token, renewed)
                && self.is_about_id_token(sent.response.status(), sent.response.headers())
                && bearer.reject(token).await
            {
                renewed = true;
                continue;
            }
            let (status, headers) = (sent.response.status(), sent.response.headers().clone());
            let error = refusal(call, status, &headers, head(call, sent.response)).await;
            return Err(credentials.hide(error));
        }
    }

    async fn once(
        &self,
        call: &Call,
        url: Url,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Sent, Error> {
        let mut request = self.http.request(call.method.clone(), url).headers(headers);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let at = Instant::now();
        match timeout_at(call.deadline, request.send()).await {
            Ok(Ok(response)) => Ok(Sent { response, at }),
            Ok(Err(e)) if e.is_timeout() && !e.is_connect() => Err(call.timed_out("no answer")),
            Ok(Err(e)) => Err(Error::Unreachable {
                request: call.name.clone(),
                reason: error::reason(e),
            }),
            Err(_) => Err(call.timed_out("no answer")),
        }
    }

    /// Whether a refusal is Google's of the ID token. With a key of its own vLLM says 401 as well; Google's front
    /// end says which it is.
    fn is_about_id_token(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let challenge = headers.get(WWW_AUTHENTICATE);
        let invalid = challenge.is_some_and(|v| v.to_str().unwrap_or("").contains("invalid_token"));
        status == StatusCode::UNAUTHORIZED && (self.api_key.is_none() || invalid)
    }

    async fn credentials(&self, call: &Call) -> Result<Credentials, Error> {
        let failed = |reason: String| Error::Credentials {
            request: call.name.clone(),
            reason,
        };
        let header = |secret: &SecretString| {
            let mut value = HeaderValue::try_from(format!("Bearer {}", secret.expose_secret()))
                .map_err(|_| failed("the token has characters that no header may hold".to_owned()))?;
            value.set_sensitive(true);
            Ok(value)
        };
        let mut headers = HeaderMap::new();
        let mut id_token = None;
        if let Some(key) = &self.api_key {
            headers.insert(AUTHORIZATION, header(key)?);
        }
        if let Some(bearer) = &self.bearer
            && let Some(token) = bearer.bearer().await.map_err(failed)?
        {
            let name = if self.api_key.is_some() {
                SERVERLESS
            } else {
                AUTHORIZATION
            };
            headers.insert(name, header(&token)?);
            id_token = Some(token);
        }
        Ok(Credentials { headers, id_token })
    }
}

/// A request's headers, and the ID token that is in them.
struct Credentials {
    headers: HeaderMap,
    id_token: Option<SecretString>,
}

impl Credentials {
    /// The error without these, which the server may have repeated.
    fn hide(&self, error: Error) -> Error {
        let values = self.headers.values().filter_map(|value| value.to_str().ok());
        let secrets: Vec<&str> = values.filter_map(|value| value.strip_prefix("Bearer ")).collect();
        error.without(&secrets)
    }
}

struct Sent {
    response: Response,
    at: Instant,
}

/// HTTP/1.1 only, so that concurrent requests do not share one connection's window, and without retries: a
/// measured request is sent once.
fn client(base: &Url) -> Result<reqwest::Client, Error> {
    // Whoever comes first sets the process-wide provider; that it is set already is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // uvicorn closes a connection that was idle for five seconds.
        .pool_idle_timeout(Duration::from_secs(4))
        .user_agent(USER_AGENT);
    if base.scheme() == "http" {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|e| Error::Client(error::reason(e)))
}

fn body(request: &ChatRequest) -> Vec<u8> {
    // A struct of strings and numbers always serializes.
    serde_json::to_vec(request).unwrap_or_default()
}
