//! The token services' own HTTP: STS, IAM Credentials, and whoever gives subject tokens.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{RequestBuilder, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{Error, access::Fetched, refused};
use crate::{
    environment::{Api, Environment, GoogleHosts},
    http::{self, Retry},
    secrets::Masks,
    tempo::Tempo,
};

/// Whole request, a token service's.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Longest answer that is read.
const ANSWER_LIMIT: usize = 256 * 1024;

/// Sends requests for tokens. Asking twice does no harm, so everything transient is tried again.
#[derive(Clone)]
pub(super) struct Exchange {
    http: reqwest::Client,
    sts: Url,
    iam_credentials: Url,
    hosts: GoogleHosts,
    masks: Masks,
    pub retry: Retry,
    tempo: Tempo,
}

/// Who is asked for what, for errors.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub who: &'static str,
    pub what: &'static str,
    /// What the user does when it is refused.
    pub next: &'static str,
}

const STS: Asked = Asked {
    who: "Google's Security Token Service",
    what: "exchange the identity token",
    next: "Check `workload-identity-provider`, and that the provider's attribute condition admits this repository",
};
const IMPERSONATE: Asked = Asked {
    who: "Google's IAM Credentials service",
    what: "impersonate the service account",
    next: "Check `service-account`, and grant the repository's principalSet roles/iam.workloadIdentityUser on it",
};
const ID_TOKEN: Asked = Asked {
    who: "Google's IAM Credentials service",
    what: "make an ID token for the service account",
    next: "Check `service-account`, and grant the caller roles/iam.serviceAccountOpenIdTokenCreator on it",
};

impl Exchange {
    pub fn new(environment: &Environment) -> Result<Self, Error> {
        Ok(Self {
            http: http::client(environment.tempo.of(TIMEOUT)).map_err(|e| Error::Setup(http::explain(e)))?,
            sts: environment.google(Api::Sts)?,
            iam_credentials: environment.google(Api::IamCredentials)?,
            hosts: environment.google_hosts(),
            masks: environment.masks().clone(),
            retry: Retry {
                attempts: 4,
                budget: Duration::from_secs(30),
                ..Retry::default()
            },
            tempo: environment.tempo,
        })
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.http
    }

    /// Where Google's tokens, and what is exchanged for them, may go.
    pub fn hosts(&self) -> &GoogleHosts {
        &self.hosts
    }

    /// Who is told of each token as soon as it is known.
    pub fn masks(&self) -> &Masks {
        &self.masks
    }

    /// A form's POST, as OAuth has them.
    pub fn form(&self, url: &Url, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let post = self.http.post(url.clone());
        post.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
    }

    /// Exchanges somebody else's token for Google's. `token_url` replaces the public address.
    pub async fn federated(
        &self,
        audience: &str,
        subject_token: &SecretString,
        subject_token_type: &str,
        token_url: Option<&Url>,
    ) -> Result<Fetched, Error> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: SecretString,
            expires_in: Option<u64>,
        }
        let url = match token_url {
            Some(url) => url.clone(),
            None => joined(&self.sts, "v1/token")?,
        };
        let body = json!({
            "audience": audience,
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "scope": super::CLOUD_PLATFORM,
            "subjectTokenType": subject_token_type,
            "subjectToken": subject_token.expose_secret(),
        });
        let answer = self.json(STS, || self.http.post(url.clone()).json(&body)).await;
        let answer: Answer = answer.map_err(|e| refused::explain(e, subject_token))?;
        self.masks.add(&answer.access_token);
        Ok(Fetched {
            token: answer.access_token,
            expires_in: lifetime(answer.expires_in),
        })
    }

    /// An access token of `account`, asked for with a federated token.
    pub async fn impersonated(&self, account: &str, federated: &SecretString) -> Result<Fetched, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            access_token: SecretString,
            expire_time: DateTime<Utc>,
        }
        let url = self.account_url(account, "generateAccessToken")?;
        let body = json!({ "scope": [super::CLOUD_PLATFORM], "lifetime": "3600s" });
        let request = || {
            let post = self.http.post(url.clone()).json(&body);
            post.bearer_auth(federated.expose_secret())
        };
        let answer: Answer = self.json(IMPERSONATE, request).await?;
        self.masks.add(&answer.access_token);
        Ok(Fetched {
            token: answer.access_token,
            expires_in: (answer.expire_time - Utc::now()).to_std().unwrap_or_default(),
        })
    }

    /// An ID token of `account` for `audience`.
    pub async fn id_token(
        &self,
        account: &str,
        audience: &str,
        bearer: &SecretString,
    ) -> Result<SecretString, Error> {
        #[derive(Deserialize)]
        struct Answer {
            token: SecretString,
        }
        let url = self.account_url(account, "generateIdToken")?;
        let body = json!({ "audience": audience, "includeEmail": true });
        let request = || {
            let post = self.http.post(url.clone()).json(&body);
            post.bearer_auth(bearer.expose_secret())
        };
        let token = self.json::<Answer>(ID_TOKEN, request).await?.token;
        self.masks.add(&token);
        Ok(token)
    }

    fn account_url(&self, account: &str, verb: &str) -> Result<Url, Error> {
        joined(
            &self.iam_credentials,
            &format!("v1/projects/-/serviceAccounts/{account}:{verb}"),
        )
    }

    /// Sends, tries transient failures again, reads JSON.
    pub async fn json<T: DeserializeOwned>(
        &self,
        asked: Asked,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<T, Error> {
        // serde_json's message would repeat parts of the text.
        let read = |text: &SecretString| {
            serde_json::from_str(text.expose_secret()).map_err(|e| {
                format!(
                    "{:?} error at line {} column {}",
                    e.classify(),
                    e.line(),
                    e.column()
                )
            })
        };
        self.read(asked, request, read).await
    }

    /// As [`Self::read`], the text as it is.
    pub async fn text(
        &self,
        asked: Asked,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<SecretString, Error> {
        self.read(asked, request, |text| Ok(text.clone())).await
    }

    /// Sends, tries transient failures again, one of them an answer that can't be read. The text is a secret: it
    /// holds a token.
    pub async fn read<T>(
        &self,
        asked: Asked,
        request: impl Fn() -> RequestBuilder,
        read: impl Fn(&SecretString) -> Result<T, String>,
    ) -> Result<T, Error> {
        let (mut sent, mut waited) = (0, Duration::ZERO);
        loop {
            sent += 1;
            let (error, transient, retry_after) = match once(asked, request()).await {
                Ok(text) => match read(&text) {
                    Ok(answer) => return Ok(answer),
                    Err(reason) => (undecoded(asked, reason), true, None),
                },
                Err(failed) => failed,
            };
            let pause = transient
                .then(|| self.retry.pause(sent, waited, retry_after, fastrand::f64()))
                .flatten();
            let Some(pause) = pause else { return Err(error) };
            waited += pause;
            self.tempo.sleep(pause).await;
        }
    }
}

type Failed = (Error, bool, Option<Duration>);

async fn once(asked: Asked, request: RequestBuilder) -> Result<SecretString, Failed> {
    let unreachable = |e: reqwest::Error| {
        let error = Error::Unreachable {
            who: asked.who,
            what: asked.what,
            reason: http::explain(e),
        };
        (error, true, None)
    };
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status().as_u16();
    let retry_after = http::retry_after(response.headers(), Utc::now());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_LIMIT {
            return Err((undecoded(asked, "it is too long".to_owned()), false, None));
        }
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    if (200..300).contains(&status) {
        return Ok(text.into());
    }
    let error = Error::Refused {
        who: asked.who,
        what: asked.what,
        status,
        message: refusal(&text),
        next: asked.next.to_owned(),
    };
    Err((error, http::is_transient(status), retry_after))
}

fn undecoded(asked: Asked, reason: String) -> Error {
    Error::Decode {
        who: asked.who,
        what: asked.what,
        reason,
    }
}

/// STS speaks OAuth (`error`, `error_description`), the others Google's own format (`error.message`).
fn refusal(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let part = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    match (part("/error/message"), part("/error"), part("/error_description")) {
        (Some(message), _, _) => http::shorten(message),
        (None, Some(error), Some(description)) => http::shorten(&format!("{error}: {description}")),
        (None, Some(error), None) => http::shorten(error),
        _ if text.trim().is_empty() => "empty answer".to_owned(),
        _ => http::shorten(text),
    }
}

/// Five minutes is the shortest that was seen of a token that doesn't tell.
pub(super) fn lifetime(expires_in: Option<u64>) -> Duration {
    Duration::from_secs(expires_in.unwrap_or(300))
}

fn joined(base: &Url, path: &str) -> Result<Url, Error> {
    base.join(path).map_err(|e| Error::Setup(e.to_string()))
}
