//! One place for credentials, retries, timeouts and errors of every call to Google.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use gcp_auth::Token;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, RANGE},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::{
    error::Error,
    failure::{Failure, Unanswered},
    pace::{Pace, Turns},
    request::{Request, TIMEOUT},
    silence::{self, Silence},
};
use crate::{
    auth::{self, AccessTokens, CLOUD_PLATFORM},
    environment::{Api, BadBaseUrl, Environment},
    http::{self, Retry},
    limiter::Room,
    tempo::Tempo,
    units::human_duration,
};

/// Longest answer that is read, so that a mad server can't fill the memory.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// A client for Google's REST APIs. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    /// The reason, when TLS could not be set up.
    http: Result<reqwest::Client, String>,
    credentials: Arc<dyn AccessTokens>,
    bases: BTreeMap<Api, Url>,
    rooms: BTreeMap<Api, Room>,
    silence: Silence,
    retry: Retry,
    pace: Pace,
    tempo: Tempo,
    log_turns: Turns,
}

/// A good answer, or one of the statuses that the caller asked to see.
pub(crate) struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// Reads the base URLs of every API.
    pub fn new(environment: &Environment, credentials: Arc<dyn AccessTokens>) -> Result<Self, BadBaseUrl> {
        let bases = Api::ALL
            .into_iter()
            .map(|api| Ok((api, base_url(environment, api)?)))
            .collect::<Result<BTreeMap<Api, Url>, BadBaseUrl>>()?;
        let room = |(api, base): (&Api, &Url)| (*api, environment.limiter.room(base));
        let rooms = bases.iter().map(room).collect();
        let tempo = environment.tempo;
        let http = http::client(TIMEOUT).map_err(http::explain);
        Ok(Self(Arc::new(Inner {
            http,
            credentials,
            bases,
            rooms,
            silence: Silence::default(),
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
            rooms: self.0.rooms.clone(),
            silence: Silence::default(),
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

    pub(super) fn retry(&self) -> Retry {
        self.0.retry
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

    /// Sends, tries again as the request allows, and reads the JSON answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, Error> {
        self.answer(&request).await
    }

    /// As [`Self::json`], for a request that may have to be sent once more.
    pub(super) async fn answer<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Error> {
        self.ask(request, &|status, _, body| {
            (status < 300).then(|| serde_json::from_slice(&body))
        })
        .await
    }

    /// As [`Self::json`]; `None` when the resource isn't there.
    pub(crate) async fn find<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<Option<T>, Error> {
        match self.json(request).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends, tries again as the request allows. Statuses in `also` are returned as answers.
    pub(crate) async fn send(&self, request: Request<'_>, also: &[u16]) -> Result<Response, Error> {
        self.ask(&request, &|status, headers, body| {
            (status < 300 || also.contains(&status)).then(|| {
                Ok(Response {
                    status,
                    headers: headers.clone(),
                    body,
                })
            })
        })
        .await
    }

    /// From now on `report` gets a sentence when a service gives no answer for long.
    pub fn report_silence(&self, report: impl Fn(&str) + Send + Sync + 'static) {
        self.0.silence.report_with(Box::new(report));
    }

    /// Whether a request to the service should not be held open: others wait for their turn.
    pub(super) fn is_busy(&self, api: Api) -> bool {
        self.0.rooms.get(&api).is_some_and(Room::is_busy)
    }

    #[cfg(test)]
    pub(super) fn give_up(&self, api: Api) {
        self.0.silence.give_up(api);
    }

    /// Whether the service was silent for so long that it is not waited for any more.
    pub(super) fn is_given_up(&self, api: Api) -> bool {
        self.0.silence.is_given_up(api)
    }

    /// Sends, tries again as the request allows. `read` takes the answer, unless its status is an error. A service that
    /// is silent is reported after a while and given up in the end; from then on it gets one short try each time.
    async fn ask<T>(&self, request: &Request<'_>, read: &Read<'_, T>) -> Result<T, Error> {
        let (retry, silence) = (self.0.retry, &self.0.silence);
        let (mut sent, mut waited, mut renewed) = (0, Duration::ZERO, false);
        let mut silent = Duration::ZERO;
        loop {
            sent += 1;
            let token = self.token(&request.what).await?;
            let place = match self.0.rooms.get(&request.api) {
                Some(room) => room.enter().await,
                None => None,
            };
            let outcome = self.once_reported(request, token.as_str(), &mut silent).await;
            drop(place);
            let failure = match outcome {
                Ok((status, headers, body)) => {
                    silence.ended(request.api);
                    match read(status, &headers, body.clone()) {
                        Some(Ok(answer)) => return Ok(answer),
                        Some(Err(error)) => Failure::misread(request, self.host(request.api), &error),
                        None if status == 401 && !renewed => {
                            renewed = true;
                            self.0.credentials.reject(token.as_str());
                            continue;
                        }
                        None => Failure::answered(request, status, &headers, &body),
                    }
                }
                Err(error) => Failure::unanswered(request, self.host(request.api), error),
            };
            if silent > Duration::ZERO && self.is_given_up(request.api) {
                return Err(failure.error);
            }
            // An upload alone may take as long.
            if sent > 1 && silent >= self.0.tempo.of(silence::GIVEN_UP) {
                silence.give_up(request.api);
                return Err(Error::Transport {
                    what: request.what.clone(),
                    host: self.host(request.api),
                    reason: format!("it gave none within {}", human_duration(silence::GIVEN_UP)),
                    ambiguous: request.method != Method::GET,
                });
            }
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

    /// One try. `silent` is how long the service has been asked in vain, which it adds to or ends.
    async fn once_reported(
        &self,
        request: &Request<'_>,
        token: &str,
        silent: &mut Duration,
    ) -> Result<(u16, HeaderMap, Bytes), Unanswered> {
        let began = Instant::now();
        let left = self.0.tempo.of(silence::REPORTED).saturating_sub(*silent);
        // Large, and part of every caller's future.
        let mut once = Box::pin(self.once(request, token));
        let outcome = match tokio::time::timeout_at(began + left, &mut once).await {
            Ok(outcome) => outcome,
            Err(_) => {
                if !self.is_given_up(request.api) {
                    self.0.silence.report(request.api, &self.host(request.api));
                }
                once.await
            }
        };
        *silent = match &outcome {
            Err(Unanswered::Connection(_)) => *silent + began.elapsed(),
            _ => Duration::ZERO,
        };
        outcome
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
        let timeout = match self.is_given_up(request.api) {
            true => request.timeout.min(silence::SHORT),
            false => request.timeout,
        };
        let http = self.0.http.as_ref();
        let mut builder = http
            .map_err(|e| Unanswered::Refused(Error::Setup(e.clone())))?
            .request(request.method.clone(), url)
            .timeout(self.0.tempo.of(timeout))
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

    /// The API's host, for messages.
    pub(super) fn host(&self, api: Api) -> String {
        let base = self.0.bases.get(&api).and_then(Url::host_str);
        base.unwrap_or(api.host()).to_owned()
    }
}

/// The answer as it is wanted; `None` for a status that is an error.
type Read<'a, T> = dyn Fn(u16, &HeaderMap, Bytes) -> Option<serde_json::Result<T>> + Send + Sync + 'a;

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

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
