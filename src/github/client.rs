//! The connection: octocrab underneath, with our own deadline, retries and redirects. Octocrab's retries repeat a write
//! at once and wait as long as GitHub says; its redirects make a read of a write.

mod once;
mod redirect;

use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use super::{error::Error, identity::Identity};
use crate::{
    environment::Environment, limiter::Room, report::escape, secrets::Masks, tempo::Tempo, units::human_bytes,
};

/// Longest wait for one answer.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Longest answer that is read, as of Google: a hundred of GitHub's longest comments have a tenth of it.
const ANSWER_LIMIT: usize = 64 << 20;
/// Tries of one request, the first included.
const TRIES: u32 = 4;
/// The longest wait that GitHub may ask for between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A repository at GitHub or GitHub Enterprise.
#[derive(Clone)]
pub struct GitHub {
    octocrab: Octocrab,
    /// Where GraphQL is asked.
    graphql: Octocrab,
    base: Url,
    owner: String,
    name: String,
    /// First wait before a retry; it doubles.
    pub(super) pause: Duration,
    pub(super) tempo: Tempo,
    pub(super) masks: Masks,
    pub(super) identity: Identity,
    room: Room,
    /// Longest answer that is read, in bytes.
    pub(super) most: usize,
}

/// What is asked, for messages: `comment on pull request 7`, and the permission it takes.
#[derive(Clone, Copy)]
pub(super) struct Purpose<'a> {
    pub action: &'a str,
    pub permission: &'a str,
}

/// Whether a request can be sent again after an answer that leaves open if it was carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Safe,
    Never,
}

pub(super) enum Method<'a> {
    Get,
    Post(&'a Value),
    Patch(&'a Value),
    Delete,
}

impl<'a> Method<'a> {
    fn body(&self) -> Option<&'a Value> {
        match self {
            Self::Post(body) | Self::Patch(body) => Some(body),
            Self::Get | Self::Delete => None,
        }
    }

    fn with<'b>(&self, body: Option<&'b Value>) -> Method<'b> {
        match (self, body) {
            (Self::Post(_), Some(body)) => Method::Post(body),
            (Self::Patch(_), Some(body)) => Method::Patch(body),
            (Self::Delete, _) => Method::Delete,
            _ => Method::Get,
        }
    }
}

pub(super) struct Answer {
    pub body: String,
    /// URL of the next page.
    pub next: Option<String>,
}

impl GitHub {
    /// Takes GITHUB_API_URL and GITHUB_REPOSITORY from the environment. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When one of the two is missing or malformed, or the token can't be sent in a header.
    pub fn new(environment: &Environment, token: &SecretString) -> Result<Self, Error> {
        let repository = environment.get("GITHUB_REPOSITORY").ok_or_else(|| {
            Error::Setup("GITHUB_REPOSITORY is not set: give it as `owner/name`".to_owned())
        })?;
        Self::of(environment, repository, Some(token))
    }

    /// As [`Self::new`], for a repository `owner/name`; without a token only public ones can be read.
    pub(super) fn of(
        environment: &Environment,
        repository: &str,
        token: Option<&SecretString>,
    ) -> Result<Self, Error> {
        let base = environment.base_url("GITHUB_API_URL", "https://api.github.com/")?;
        let (owner, name) = repository
            .split_once('/')
            .filter(|(owner, name)| is_name(owner) && is_name(name))
            .ok_or_else(|| Error::Setup("the repository is not of the form `owner/name`".to_owned()))?;
        let secret = token.map(ExposeSecret::expose_secret);
        if secret.is_some_and(|secret| secret.is_empty() || !secret.chars().all(|c| c.is_ascii_graphic())) {
            return Err(Error::Setup(
                "the GitHub token is empty or has a character that no token has: pass `github-token: ${{ github.token }}`"
                    .to_owned(),
            ));
        }
        let failed = |_| {
            Error::Setup(
                "the client for GitHub could not be set up: are the system's CA certificates installed?"
                    .to_owned(),
            )
        };
        let client = |base: &Url| {
            let mut builder = Octocrab::builder().base_uri(base.as_str()).map_err(failed)?;
            if let Some(secret) = secret {
                builder = builder.personal_token(secret.to_owned());
            }
            builder
                .add_retry_config(octocrab::service::middleware::retry::RetryConfig::None)
                .set_connect_timeout(Some(Duration::from_secs(10)))
                .set_read_timeout(Some(ATTEMPT))
                .set_write_timeout(Some(ATTEMPT))
                .build()
                .map_err(failed)
        };
        let octocrab = client(&base)?;
        let room = environment.limiter.room(&base);
        let graphql = match base.path().strip_suffix("/v3/") {
            Some(above) => {
                let mut base = base.clone();
                base.set_path(above);
                client(&base)?
            }
            None => octocrab.clone(),
        };
        Ok(Self {
            octocrab,
            graphql,
            base,
            owner: owner.to_owned(),
            name: name.to_owned(),
            pause: Duration::from_secs(1),
            tempo: environment.tempo,
            masks: environment.masks().clone(),
            identity: Identity::default(),
            room,
            most: ANSWER_LIMIT,
        })
    }

    /// `repos/{owner}/{name}/…` below the base URL.
    pub(super) fn route(&self, rest: &str) -> String {
        format!("/repos/{}/{}/{rest}", self.owner, self.name)
    }

    /// The same, for GraphQL at the path `/graphql`: GitHub Enterprise has it beside version 3 of its API, github.com below
    /// it. <https://docs.github.com/en/enterprise-server/graphql/guides/forming-calls-with-graphql>
    pub(super) fn for_graphql(&self) -> Self {
        Self {
            octocrab: self.graphql.clone(),
            ..self.clone()
        }
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        route: &str,
        purpose: Purpose<'_>,
    ) -> Result<T, Error> {
        let answer = self.request(Method::Get, route, purpose, Repeat::Safe).await?;
        parse(&answer.body, purpose)
    }

    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method<'_>,
        route: &str,
        purpose: Purpose<'_>,
        repeat: Repeat,
    ) -> Result<T, Error> {
        let answer = self.request(method, route, purpose, repeat).await?;
        parse(&answer.body, purpose)
    }

    /// Takes away what is at `route`. That it is gone already is fine.
    pub(super) async fn delete(&self, route: &str, purpose: Purpose<'_>) -> Result<(), Error> {
        match self.request(Method::Delete, route, purpose, Repeat::Safe).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// One page, and where the next is. A `next` at another origin is not followed: our token would go there.
    async fn page<T: DeserializeOwned>(
        &self,
        route: &str,
        purpose: Purpose<'_>,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let answer = self.request(Method::Get, route, purpose, Repeat::Safe).await?;
        let next = match answer.next {
            Some(next) if self.is_ours(&next) => Some(next),
            Some(_) => {
                return Err(Error::Unreadable {
                    action: purpose.action.to_owned(),
                    reason: "the next page is said to be at another server".to_owned(),
                });
            }
            None => None,
        };
        Ok((parse(&answer.body, purpose)?, next))
    }

    fn is_ours(&self, url: &str) -> bool {
        self.base
            .join(url)
            .is_ok_and(|u| u.origin() == self.base.origin())
    }

    async fn request(
        &self,
        method: Method<'_>,
        route: &str,
        purpose: Purpose<'_>,
        repeat: Repeat,
    ) -> Result<Answer, Error> {
        let body = method.body().map(|body| {
            let mut body = body.clone();
            self.masks.redact_json(&mut body);
            body
        });
        let method = method.with(body.as_ref());
        let mut pause = self.pause;
        for left in (0..TRIES).rev() {
            // Octocrab's future is large, and would be part of every caller's.
            let error = match Box::pin(self.attempt(&method, route, purpose)).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = match error.again {
                Again::Never => return Err(error.error),
                Again::IfSafe if repeat == Repeat::Never => return Err(error.error),
                Again::IfSafe => pause.mul_f64(0.5 + fastrand::f64() / 2.0),
                // Told apart from a refusal: what is refused now may be allowed later.
                Again::After(wait) if wait > LONGEST_WAIT || left == 0 => {
                    return Err(Error::RateLimited {
                        action: purpose.action.to_owned(),
                        wait,
                    });
                }
                // Other clients got the same answer, and must not come back at the same moment.
                Again::After(wait) => wait + pause.mul_f64(fastrand::f64()),
            };
            if left == 0 {
                return Err(error.error);
            }
            self.tempo.sleep(wait).await;
            pause *= 2;
        }
        Err(Error::Unreachable {
            action: purpose.action.to_owned(),
            reason: "no try was left".to_owned(),
        })
    }

    async fn attempt(
        &self,
        method: &Method<'_>,
        route: &str,
        purpose: Purpose<'_>,
    ) -> Result<Answer, Failed> {
        let unreachable = |reason: String| Failed {
            again: Again::IfSafe,
            error: Error::Unreachable {
                action: purpose.action.to_owned(),
                reason,
            },
        };
        let work = async {
            let response = self.follow(method, route, purpose, &unreachable).await?;
            let status = response.status().as_u16();
            let header = |name: &str| {
                response
                    .headers()
                    .get(name)
                    .and_then(|v| v.to_str().ok())
                    .map(str::to_owned)
            };
            let asked = asked_wait(status, &header);
            let next = header("link").as_deref().and_then(next_page);
            let body = limited(response, self.most).await.map_err(|why| match why {
                Unread::TooLarge => Failed {
                    again: Again::Never,
                    error: Error::Unreadable {
                        action: purpose.action.to_owned(),
                        reason: format!("the answer is larger than {}", human_bytes(self.most as u64)),
                    },
                },
                Unread::Broken(reason) => unreachable(reason),
            })?;
            if (200..300).contains(&status) {
                return whole(body, purpose).map(|body| Answer { body, next });
            }
            // A secondary limit need not come with a header.
            let limited = || (status == 403 && body.contains("rate limit")).then_some(LONGEST_WAIT);
            let again = match (status, asked.or_else(limited)) {
                (_, Some(wait)) => Again::After(wait),
                (500..=599, None) => Again::IfSafe,
                // Its reason may be what was asked for: that there is no such file.
                (_, None) if breaks_off(&body) => Again::IfSafe,
                _ => Again::Never,
            };
            Err(Failed {
                again,
                error: Error::refused(purpose.action, purpose.permission, status, message(&body)),
            })
        };
        // What waits for its turn was not sent.
        let _place = self.room.enter().await;
        match tokio::time::timeout(self.tempo.of(ATTEMPT), work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unreachable(format!("no answer within {} s", ATTEMPT.as_secs()))),
        }
    }
}

/// Why a body could not be read.
enum Unread {
    TooLarge,
    Broken(String),
}

/// The text of an answer, of which no more than `most` bytes are read.
async fn limited(response: redirect::Response, most: usize) -> Result<String, Unread> {
    let body = Limited::new(response.into_body(), most);
    let bytes = body.collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return Unread::TooLarge;
        }
        let mut cause: &dyn std::error::Error = error.as_ref();
        while let Some(source) = cause.source() {
            cause = source;
        }
        Unread::Broken(escape::clip(&escape::line(&cause.to_string()), 300))
    })?;
    Ok(String::from_utf8_lossy(&bytes.to_bytes()).into_owned())
}

/// A page of a proxy's, which is no JSON from its start, is a whole answer.
fn breaks_off(body: &str) -> bool {
    body.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(body).is_err()
}

/// An answer that breaks off is none.
fn whole(body: String, purpose: Purpose<'_>) -> Result<String, Failed> {
    match serde_json::from_str::<serde::de::IgnoredAny>(&body) {
        Err(error) if !body.is_empty() => Err(Failed {
            again: Again::IfSafe,
            error: Error::Unreadable {
                action: purpose.action.to_owned(),
                reason: error.to_string(),
            },
        }),
        _ => Ok(body),
    }
}

struct Failed {
    again: Again,
    error: Error,
}

enum Again {
    Never,
    /// The request may have been carried out.
    IfSafe,
    /// GitHub turned it away and said when to come back.
    After(Duration),
}

/// How long GitHub asks us to wait: `Retry-After`, or the reset of a used-up rate limit, or for a 429
/// without either a minute, as GitHub's documentation says.
fn asked_wait(status: u16, header: &dyn Fn(&str) -> Option<String>) -> Option<Duration> {
    if status != 403 && status != 429 {
        return None;
    }
    let number = |name: &str| header(name).and_then(|v| v.parse::<u64>().ok());
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let now = u64::try_from(chrono::Utc::now().timestamp()).unwrap_or(0);
        return number("x-ratelimit-reset")
            .map(|reset| Duration::from_secs(reset.saturating_sub(now).max(1)));
    }
    (status == 429).then_some(Duration::from_secs(60))
}

/// The URL with `rel="next"` of a Link header.
fn next_page(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        parameters
            .split(';')
            .any(|p| p.trim() == "rel=\"next\"")
            .then(|| url.to_owned())
    })
}

/// GitHub's own words, in one line.
fn message(body: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let text = parsed
        .as_ref()
        .and_then(|v| v["message"].as_str())
        .unwrap_or(body);
    let errors = parsed.as_ref().and_then(|v| v["errors"].as_array()).map(|list| {
        let texts: Vec<String> = list
            .iter()
            .map(|e| e["message"].as_str().map_or_else(|| e.to_string(), str::to_owned))
            .collect();
        format!(": {}", texts.join(", "))
    });
    let text = escape::line(&format!("{text}{}", errors.unwrap_or_default()));
    if text.is_empty() {
        "no reason given".to_owned()
    } else {
        escape::clip(&text, 400)
    }
}

/// The innermost error: octocrab's own words carry a backtrace.
fn root_cause(error: &octocrab::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    escape::clip(&escape::line(&cause.to_string()), 300)
}

fn parse<T: DeserializeOwned>(body: &str, purpose: Purpose<'_>) -> Result<T, Error> {
    serde_json::from_str(body).map_err(|e| Error::Unreadable {
        action: purpose.action.to_owned(),
        reason: e.to_string(),
    })
}

/// A request's body.
pub(super) fn body<T: Serialize>(value: &T, purpose: Purpose<'_>) -> Result<Value, Error> {
    serde_json::to_value(value)
        .map_err(|e| Error::Setup(format!("the request to {} can't be written: {e}", purpose.action)))
}

/// Text as one part of a URL.
pub(super) fn encoded(text: &str) -> percent_encoding::PercentEncode<'_> {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
