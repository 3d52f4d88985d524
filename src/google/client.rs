//! One place for credentials, retries, timeouts and errors of every call to Google.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use gcp_auth::Token;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, RANGE},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;
use url::Url;

use super::{
    answer::Answer,
    error::Error,
    pace::{Pace, Turns},
};
use crate::{
    auth::{self, AccessTokens, CLOUD_PLATFORM},
    environment::{Api, BadBaseUrl, Environment},
    http::{self, Retry},
    tempo::Tempo,
};

/// Longest answer that is read, so that a mad server can't fill the memory.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;
/// Timeout of a request that doesn't ask for another.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A client for Google's REST APIs. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    /// The reason, when TLS could not be set up.
    http: Result<reqwest::Client, String>,
    credentials: Arc<dyn AccessTokens>,
    bases: BTreeMap<Api, Url>,
    retry: Retry,
    pace: Pace,
    tempo: Tempo,
    log_turns: Turns,
}

/// May a request be sent again after it failed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Reads, and writes that end in the same state however often they are sent.
    Always,
    /// Only when Google certainly did nothing: 429, or no connection was made.
    WhenRefused,
}

/// A request, before it has a host and credentials.
pub(crate) struct Request<'a> {
    pub api: Api,
    pub method: Method,
    /// Below the base URL, every segment already encoded by [`segment`].
    pub path: String,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<(&'a str, Bytes)>,
    /// First and last byte that are asked for.
    pub range: Option<(u64, u64)>,
    /// Infinitive with its resource, for errors: ``create the bucket `b` ``.
    pub what: String,
    pub repeat: Repeat,
    pub timeout: Duration,
    /// The permission that it takes, for refusals that don't say.
    pub needs: Option<&'static str>,
}

impl Request<'_> {
    pub fn new(api: Api, method: Method, path: String, what: String) -> Self {
        let repeat = if method == Method::GET {
            Repeat::Always
        } else {
            Repeat::WhenRefused
        };
        Self {
            api,
            method,
            path,
            query: Vec::new(),
            body: None,
            range: None,
            what,
            repeat,
            timeout: TIMEOUT,
            needs: None,
        }
    }

    pub fn get(api: Api, path: String, what: String) -> Self {
        Self::new(api, Method::GET, path, what)
    }

    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|e| Error::Setup(e.to_string()))?;
        self.body = Some(("application/json", bytes.into()));
        Ok(self)
    }

    /// Names the permission of a service whose refusals don't.
    pub fn needs(mut self, permission: &'static str) -> Self {
        self.needs = Some(permission);
        self
    }

    pub fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Always;
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// A good answer, or one of the statuses that the caller asked to see.
pub(crate) struct Response {
    pub status: u16,
    pub body: Bytes,
}

impl Client {
    /// Reads the base URLs of every API.
    pub fn new(environment: &Environment, credentials: Arc<dyn AccessTokens>) -> Result<Self, BadBaseUrl> {
        let bases = Api::ALL
            .into_iter()
            .map(|api| Ok((api, base_url(environment, api)?)))
            .collect::<Result<_, BadBaseUrl>>()?;
        let tempo = environment.tempo;
        let http = http::client(TIMEOUT).map_err(http::explain);
        Ok(Self(Arc::new(Inner {
            http,
            credentials,
            bases,
            retry: Retry::default(),
            pace: Pace::default().at(tempo),
            tempo,
            log_turns: Turns::default(),
        })))
    }

    /// The same client with other pauses.
    #[cfg(test)]
    pub(crate) fn paced(&self, retry: Retry, pace: Pace) -> Self {
        Self(Arc::new(Inner {
            http: self.0.http.clone(),
            credentials: Arc::clone(&self.0.credentials),
            bases: self.0.bases.clone(),
            retry,
            pace,
            tempo: self.0.tempo,
            log_turns: Turns::default(),
        }))
    }

    /// How long something that was made a moment ago may stay unknown.
    pub fn patience(&self) -> Duration {
        self.0.pace.patience
    }

    pub(crate) fn pace(&self) -> Pace {
        self.0.pace
    }

    pub(crate) fn tempo(&self) -> Tempo {
        self.0.tempo
    }

    /// The moment when `nominal` will be over.
    pub(crate) fn deadline(&self, nominal: Duration) -> Instant {
        Instant::now() + self.0.tempo.of(nominal)
    }

    /// Waits until Cloud Logging may be read again.
    pub(crate) async fn log_turn(&self) {
        self.0.log_turns.next(self.0.pace.log).await;
    }

    /// Sends, tries again as [`Repeat`] allows, and reads the JSON answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, Error> {
        self.ask(&request, &|status, body| {
            (status < 300).then(|| serde_json::from_slice(&body))
        })
        .await
    }

    /// Sends a write that must not be done twice, and reads the JSON answer. When it is unknown whether it was done,
    /// `there` says whether it was; only when it wasn't, it is sent again.
    pub(crate) async fn write<T, F, L>(
        &self,
        request: &Request<'_>,
        there: impl Fn() -> L,
    ) -> Result<Written<T, F>, Error>
    where
        T: DeserializeOwned,
        L: Future<Output = Result<Option<F>, Error>>,
    {
        let retry = self.0.retry;
        let (mut sent, mut waited) = (0, Duration::ZERO);
        loop {
            sent += 1;
            let error = match self
                .ask(request, &|status, body| {
                    (status < 300).then(|| serde_json::from_slice(&body))
                })
                .await
            {
                Ok(answer) => return Ok(Written::Answered(answer)),
                Err(error) => error,
            };
            // A conflict may be with our own first try, but only when there was one.
            let conflict = error.is_conflict() && sent > 1;
            if !(error.is_ambiguous() || conflict) {
                return Err(error);
            }
            let pause = retry.pause(sent, waited, None, fastrand::f64());
            // What has just been done may take a moment to be seen.
            self.0.tempo.sleep(pause.unwrap_or_default()).await;
            if let Some(found) = there().await? {
                return Ok(Written::Found(found));
            }
            match pause {
                Some(pause) if !conflict => waited += pause,
                _ => return Err(error),
            }
        }
    }

    /// As [`Self::json`]; `None` when the resource isn't there.
    pub(crate) async fn find<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<Option<T>, Error> {
        match self.json(request).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends, tries again as [`Repeat`] allows. Statuses in `also` are returned as answers.
    pub(crate) async fn send(&self, request: Request<'_>, also: &[u16]) -> Result<Response, Error> {
        self.ask(&request, &|status, body| {
            (status < 300 || also.contains(&status)).then_some(Ok(Response { status, body }))
        })
        .await
    }

    /// Sends, tries again as [`Repeat`] allows. `read` takes the answer, unless its status is an error.
    async fn ask<T>(&self, request: &Request<'_>, read: &Read<'_, T>) -> Result<T, Error> {
        let retry = self.0.retry;
        let (mut sent, mut waited, mut renewed) = (0, Duration::ZERO, false);
        loop {
            sent += 1;
            let token = self.token(&request.what).await?;
            let failure = match self.once(request, token.as_str()).await {
                Ok((status, headers, body)) => match read(status, body.clone()) {
                    Some(Ok(answer)) => return Ok(answer),
                    Some(Err(error)) => self.misread(request, &error),
                    None if status == 401 && !renewed => {
                        renewed = true;
                        self.0.credentials.reject(token.as_str());
                        continue;
                    }
                    None => Failure::answered(request, status, &headers, &body),
                },
                Err(error) => self.unanswered(request, error),
            };
            let pause = failure
                .may_repeat(request.repeat)
                .then(|| retry.pause(sent, waited, failure.retry_after, fastrand::f64()))
                .flatten();
            let Some(pause) = pause else {
                return Err(failure.error);
            };
            waited += pause;
            self.0.tempo.sleep(pause).await;
        }
    }

    async fn token(&self, what: &str) -> Result<Arc<Token>, Error> {
        let token = self.0.credentials.token(&[CLOUD_PLATFORM]).await;
        token.map_err(|error| match auth::outage(&error) {
            Some((who, reason)) => Error::Transport {
                what: what.to_owned(),
                host: who.to_owned(),
                reason,
                ambiguous: false,
            },
            None => Error::Credentials {
                what: what.to_owned(),
                reason: auth::reason(&error),
            },
        })
    }

    async fn once(&self, request: &Request<'_>, token: &str) -> Result<(u16, HeaderMap, Bytes), Unanswered> {
        let url = self.url(request).map_err(Unanswered::Refused)?;
        let http = self.0.http.as_ref();
        let mut builder = http
            .map_err(|e| Unanswered::Refused(Error::Setup(e.clone())))?
            .request(request.method.clone(), url)
            .timeout(self.0.tempo.of(request.timeout))
            .bearer_auth(token);
        if let Some((content_type, body)) = &request.body {
            builder = builder.header(CONTENT_TYPE, *content_type).body(body.clone());
        }
        if let Some((first, last)) = request.range {
            builder = builder.header(RANGE, format!("bytes={first}-{last}"));
        }
        let response = builder.send().await.map_err(Unanswered::Connection)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_limited(response).await?;
        Ok((status, headers, body))
    }

    fn url(&self, request: &Request<'_>) -> Result<Url, Error> {
        let bad = |segment: &str| Error::BadName {
            what: request.what.clone(),
            segment: segment.to_owned(),
        };
        // The URL parser would resolve these, and the request would go elsewhere.
        if let Some(dots) = request.path.split('/').find(|s| matches!(*s, "." | "..")) {
            return Err(bad(dots));
        }
        let base = self.0.bases.get(&request.api).ok_or_else(|| bad(&request.path))?;
        let mut url = Url::parse(&format!("{base}{}", request.path)).map_err(|_| bad(&request.path))?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }

    fn host(&self, api: Api) -> String {
        let base = self.0.bases.get(&api).and_then(Url::host_str);
        base.unwrap_or(api.host()).to_owned()
    }

    /// An answer that breaks off is not the whole one; any other that isn't understood would come again.
    fn misread(&self, request: &Request<'_>, error: &serde_json::Error) -> Failure {
        Failure {
            error: Error::Decode {
                what: request.what.clone(),
                host: self.host(request.api),
                reason: error.to_string(),
            },
            retry_after: None,
            kind: if error.is_data() {
                Kind::Final
            } else {
                Kind::Ambiguous
            },
        }
    }

    fn unanswered(&self, request: &Request<'_>, error: Unanswered) -> Failure {
        let (sent, reason) = match error {
            Unanswered::Refused(error) => {
                return Failure {
                    error,
                    retry_after: None,
                    kind: Kind::Final,
                };
            }
            Unanswered::TooLong => (true, "the answer is too long".to_owned()),
            Unanswered::Connection(error) => (!error.is_connect(), http::explain(error)),
        };
        Failure {
            error: Error::Transport {
                what: request.what.clone(),
                host: self.host(request.api),
                reason,
                ambiguous: sent,
            },
            retry_after: None,
            kind: if sent { Kind::Ambiguous } else { Kind::Refused },
        }
    }
}

/// What came of a [`Client::write`].
pub(crate) enum Written<T, F> {
    Answered(T),
    /// No good answer came, but it was done.
    Found(F),
}

/// The answer as it is wanted; `None` for a status that is an error.
type Read<'a, T> = dyn Fn(u16, Bytes) -> Option<serde_json::Result<T>> + Send + Sync + 'a;

enum Unanswered {
    Refused(Error),
    TooLong,
    Connection(reqwest::Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sending again gives the same.
    Final,
    /// Nothing was done: sending again is safe.
    Refused,
    /// Unknown whether anything was done.
    Ambiguous,
}

struct Failure {
    error: Error,
    retry_after: Option<Duration>,
    kind: Kind,
}

impl Failure {
    fn answered(request: &Request<'_>, status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut answer = Answer::parse(status, &String::from_utf8_lossy(body));
        let unnamed = status == 403 && answer.permission.is_none() && answer.reason.is_none();
        if let Some(permission) = request.needs.filter(|_| unnamed) {
            answer.permission = Some(permission.to_owned());
        }
        if answer.request_id.is_none() {
            let id = headers
                .get("x-request-id")
                .or_else(|| headers.get("x-guploader-uploadid"));
            answer.request_id = id.and_then(|v| v.to_str().ok()).map(http::shorten);
        }
        Self {
            kind: match status {
                429 => Kind::Refused,
                s if http::is_transient(s) => Kind::Ambiguous,
                _ => Kind::Final,
            },
            retry_after: http::retry_after(headers, chrono::Utc::now()),
            error: Error::Api {
                what: request.what.clone(),
                answer: Box::new(answer),
            },
        }
    }

    fn may_repeat(&self, repeat: Repeat) -> bool {
        match self.kind {
            Kind::Final => false,
            Kind::Refused => true,
            Kind::Ambiguous => repeat == Repeat::Always,
        }
    }
}

async fn read_limited(mut response: reqwest::Response) -> Result<Bytes, Unanswered> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Unanswered::Connection)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(Unanswered::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// gcloud's value of the storage property ends in `storage/v1/`, which our paths bring themselves.
fn base_url(environment: &Environment, api: Api) -> Result<Url, BadBaseUrl> {
    let mut url = environment.google(api)?;
    if api == Api::Storage
        && let Some(prefix) = url.path().strip_suffix("storage/v1/").map(str::to_owned)
        && prefix.ends_with('/')
    {
        url.set_path(&prefix);
    }
    Ok(url)
}

/// What RFC 3986 leaves unreserved stays readable.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// One path segment, percent-encoded, its slashes too.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
