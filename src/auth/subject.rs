//! Subject tokens: what proves to Google's token service who this workload is.

use std::path::PathBuf;

use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::{
    Error,
    exchange::{Asked, Exchange},
    file,
};
use crate::{
    environment::{BadBaseUrl, Environment, require_secure},
    secrets::Masks,
};

pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Gives a new subject token at each call.
#[async_trait]
pub(super) trait Subject: Send + Sync {
    async fn token(&self) -> Result<SecretString, Error>;
    fn token_type(&self) -> &str;
}

/// A token behind a URL: GitHub's, or that of a credentials file's `credential_source.url`.
pub(super) struct FromUrl {
    url: Url,
    headers: HeaderMap,
    /// The field that holds the token in a JSON answer; else the whole text is the token.
    field: Option<String>,
    token_type: String,
    asked: Asked,
    exchange: Exchange,
}

/// A token in a file, read anew each time: its keeper renews it there.
pub(super) struct FromFile {
    pub path: PathBuf,
    pub field: Option<String>,
    pub token_type: String,
    pub masks: Masks,
}

const GITHUB: Asked = Asked {
    who: "GitHub",
    what: "give an identity token",
    next: "Check that the job has `permissions: id-token: write`",
};
const CREDENTIAL_SOURCE: Asked = Asked {
    who: "the credentials file's source",
    what: "give a subject token",
    next: "Make the credentials file anew (google-github-actions/auth), in the same job",
};

impl FromUrl {
    /// GitHub's own, in a job that may have identity tokens.
    pub fn github(environment: &Environment, audience: &str, exchange: Exchange) -> Result<Self, Error> {
        const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
        const TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
        let missing = |missing: &'static str| Error::NoGitHubIdentity { missing };
        let mut url = secure(URL, environment.get(URL).ok_or_else(|| missing(URL))?)?;
        url.query_pairs_mut().append_pair("audience", audience);
        let token = environment.secret(TOKEN).ok_or_else(|| missing(TOKEN))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .map_err(|_| Error::BadToken { variable: TOKEN })?;
        bearer.set_sensitive(true);
        Ok(Self {
            url,
            headers: [(reqwest::header::AUTHORIZATION, bearer)].into_iter().collect(),
            field: Some("value".to_owned()),
            token_type: JWT.to_owned(),
            asked: GITHUB,
            exchange,
        })
    }

    /// That of a credentials file.
    pub fn new(
        url: Url,
        headers: impl IntoIterator<Item = (String, SecretString)>,
        field: Option<String>,
        token_type: String,
        exchange: Exchange,
    ) -> Result<Self, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let bad = || format!("has a header `{name}` that can't be sent");
            let text = value.expose_secret();
            // The scheme's name is no secret.
            let credentials = text.split_once(' ').map_or(text, |(_, credentials)| credentials);
            exchange.masks().add(&credentials.into());
            let mut value = HeaderValue::from_str(text).map_err(|_| bad())?;
            value.set_sensitive(true);
            map.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?, value);
        }
        Ok(Self {
            url,
            headers: map,
            field,
            token_type,
            asked: CREDENTIAL_SOURCE,
            exchange,
        })
    }
}

#[async_trait]
impl Subject for FromUrl {
    async fn token(&self) -> Result<SecretString, Error> {
        let get = || {
            let get = self.exchange.client().get(self.url.clone());
            get.headers(self.headers.clone())
        };
        let read = |text: &SecretString| pick(text, self.field.as_deref());
        let token = self.exchange.read(self.asked, get, read).await?;
        self.exchange.masks().add(&token);
        Ok(token)
    }

    fn token_type(&self) -> &str {
        &self.token_type
    }
}

#[async_trait]
impl Subject for FromFile {
    async fn token(&self) -> Result<SecretString, Error> {
        let failed = |reason: String| Error::File {
            path: self.path.display().to_string(),
            reason,
        };
        let text = file::text(&self.path)
            .await
            .map_err(|why| failed(format!("(a subject token's) {why}")))?;
        let token = pick(&text, self.field.as_deref()).map_err(failed)?;
        self.masks.add(&token);
        Ok(token)
    }

    fn token_type(&self) -> &str {
        &self.token_type
    }
}

fn pick(text: &SecretString, field: Option<&str>) -> Result<SecretString, String> {
    let text = text.expose_secret();
    let token = match field {
        None => text.trim().to_owned(),
        Some(field) => serde_json::from_str::<Value>(text)
            .ok()
            .and_then(|v| v.get(field)?.as_str().map(str::to_owned))
            .ok_or_else(|| format!("has no text field `{field}` in JSON"))?,
    };
    if token.is_empty() {
        return Err("holds an empty token".to_owned());
    }
    Ok(token.into())
}

/// Parses a URL that credentials are sent to.
pub(super) fn secure(variable: &str, text: &str) -> Result<Url, BadBaseUrl> {
    let bad = |reason: String| BadBaseUrl::new(variable, reason);
    let url = Url::parse(text).map_err(|e| bad(e.to_string()))?;
    require_secure(&url).map_err(bad)?;
    Ok(url)
}
