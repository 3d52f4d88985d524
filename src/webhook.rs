//! Posts a message to a URL that is itself a secret: whoever knows it can write there.

use std::time::Duration;

use chrono::Utc;
use reqwest::{Client, StatusCode, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    environment::{Environment, require_secure},
    http::{self, Retry},
    secrets::Masks,
    tempo::Tempo,
};

/// Variable with the URL.
pub const VARIABLE: &str = "LLM_DEPLOY_WEBHOOK_URL";
/// Longest wait for one answer.
const ATTEMPT: Duration = Duration::from_secs(15);
const RETRY: Retry = Retry {
    attempts: 4,
    base: Duration::from_secs(1),
    cap: Duration::from_secs(10),
    budget: Duration::from_secs(60),
};

/// Why no message arrived. Never holds the URL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "{VARIABLE} is not set: give the secret with the URL to the input `webhook-url`, or take `webhook` out of `schedule.on-failure`"
    )]
    Missing,
    #[error(
        "{VARIABLE} is not a usable URL: {0}. Give an https:// URL (http:// is accepted on loopback only)"
    )]
    Unusable(&'static str),
    #[error("the client for the webhook could not be set up: are the system's CA certificates installed?")]
    Client,
    #[error("the webhook at {host} answered with status {status}{}", advice(*status))]
    Refused { host: String, status: u16 },
    #[error("the webhook at {host} could not be reached: {reason}")]
    Unreachable { host: String, reason: &'static str },
}

fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ", a redirect, which is not followed: set the URL that it leads to",
        401 | 403 | 404 | 410 => ": is the URL still good? Make a new one and put it into the secret",
        429 => " again and again: it takes no more messages at present",
        _ => "",
    }
}

/// Where messages go.
pub struct Webhook {
    client: Client,
    /// Parsed from the secret just before it is used.
    url: SecretString,
    host: String,
    tempo: Tempo,
    masks: Masks,
}

impl Webhook {
    /// # Errors
    /// When the variable is absent, or isn't a URL that a secret may go to.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let secret = environment.secret(VARIABLE).ok_or(Error::Missing)?;
        // The parser's own words can quote the URL.
        let url = Url::parse(secret.expose_secret()).map_err(|_| Error::Unusable("it can't be parsed"))?;
        require_secure(&url).map_err(|_| Error::Unusable("it is not https"))?;
        let host = url
            .host_str()
            .ok_or(Error::Unusable("it has no host"))?
            .to_owned();
        Ok(Self {
            client: http::client(environment.tempo.of(ATTEMPT)).map_err(|_| Error::Client)?,
            url: secret.clone(),
            host,
            tempo: environment.tempo,
            masks: environment.masks().clone(),
        })
    }

    /// Posts `body`. Repeated only where no message can have been written: when the receiver turns it away for
    /// now (429, 5xx), or no connection came about.
    ///
    /// # Errors
    /// When the receiver refuses it, or can't be reached.
    pub async fn send(&self, body: &serde_json::Value) -> Result<(), Error> {
        let mut body = body.clone();
        self.masks.redact_json(&mut body);
        let (mut sent, mut waited) = (0, Duration::ZERO);
        loop {
            sent += 1;
            let (error, asked) = match self.attempt(&body).await {
                Ok(()) => return Ok(()),
                Err(Failed { error, again: None }) => return Err(error),
                Err(Failed {
                    error,
                    again: Some(asked),
                }) => (error, asked),
            };
            let Some(pause) = RETRY.pause(sent, waited, asked, fastrand::f64()) else {
                return Err(error);
            };
            waited += pause;
            self.tempo.sleep(pause).await;
        }
    }

    async fn attempt(&self, body: &serde_json::Value) -> Result<(), Failed> {
        let request = self
            .client
            .post(self.url.expose_secret())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        let response = request.send().await.map_err(|error| Failed {
            // A request that was sent may have been carried out.
            again: error.is_connect().then_some(None),
            error: Error::Unreachable {
                host: self.host.clone(),
                reason: match () {
                    () if error.is_connect() => "no connection",
                    () if error.is_timeout() => "no answer in time",
                    () => "the connection broke off",
                },
            },
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let passing = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        Err(Failed {
            again: passing.then(|| http::retry_after(response.headers(), Utc::now())),
            error: Error::Refused {
                host: self.host.clone(),
                status: status.as_u16(),
            },
        })
    }
}

struct Failed {
    error: Error,
    /// Whether another attempt is safe, and the pause that the receiver asks for.
    again: Option<Option<Duration>>,
}

#[cfg(test)]
mod tests;
