//! The `external_account` credentials file, as google-github-actions/auth writes it.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    Error, check_service_account,
    exchange::Exchange,
    federation::Federation,
    subject::{FromFile, FromUrl, Subject, secure},
};
use crate::environment::Environment;

#[derive(Deserialize)]
pub(super) struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: String,
    credential_source: CredentialSource,
    service_account_impersonation_url: Option<String>,
}

/// Its headers hold the runner's request token.
impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccount")
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct CredentialSource {
    url: Option<String>,
    file: Option<PathBuf>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
struct Format {
    #[serde(default, rename = "type")]
    kind: String,
    subject_token_field_name: Option<String>,
}

impl ExternalAccount {
    /// `None` when the file is of another type, which gcp_auth reads.
    pub fn read(path: &str) -> Result<Option<Self>, Error> {
        let failed = |reason: String| Error::File {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|e| failed(format!("can't be read: {e}")))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|e| failed(format!("is not JSON (line {} column {})", e.line(), e.column())))?;
        if value.get("type").and_then(Value::as_str) != Some("external_account") {
            return Ok(None);
        }
        let account = Self::deserialize(value)
            .map_err(|_| failed("lacks a field of an external_account file".to_owned()))?;
        Ok(Some(account))
    }

    /// The account in `…/serviceAccounts/ACCOUNT:generateAccessToken`.
    pub fn service_account(&self) -> Result<Option<String>, Error> {
        let Some(url) = &self.service_account_impersonation_url else {
            return Ok(None);
        };
        let account = url
            .rsplit_once("/serviceAccounts/")
            .and_then(|(_, rest)| rest.split(':').next())
            .ok_or_else(|| Error::BadServiceAccount(url.clone()))?;
        check_service_account(account)?;
        Ok(Some(account.to_owned()))
    }

    pub fn federation(
        self,
        path: &str,
        exchange: &Exchange,
        impersonate: Option<String>,
    ) -> Result<Federation, Error> {
        let failed = |reason: &str| Error::File {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let source = self.credential_source;
        let field = (source.format.kind == "json").then(|| {
            source
                .format
                .subject_token_field_name
                .unwrap_or_else(|| "access_token".to_owned())
        });
        let subject: Box<dyn Subject> = match (source.url, source.file) {
            (Some(url), _) => {
                let url = secure("credential_source.url", &url)?;
                let exchange = exchange.clone();
                let from = FromUrl::new(url, source.headers, field, self.subject_token_type, exchange);
                Box::new(from.map_err(|reason| failed(&reason))?)
            }
            (None, Some(path)) => Box::new(FromFile {
                path,
                field,
                token_type: self.subject_token_type,
            }),
            (None, None) => return Err(failed("has a credential source that is neither `url` nor `file`")),
        };
        Ok(Federation {
            audience: self.audience,
            subject,
            token_url: own_token_url(&self.token_url)?,
            impersonate,
            exchange: exchange.clone(),
        })
    }
}

/// `None` for Google's public address, so that an override of STS's base URL counts for files too.
fn own_token_url(text: &str) -> Result<Option<Url>, Error> {
    if text == "https://sts.googleapis.com/v1/token" {
        return Ok(None);
    }
    Ok(Some(secure("token_url", text)?))
}

/// The account of a service account key in `GOOGLE_APPLICATION_CREDENTIALS`.
pub(super) fn key_owner(environment: &Environment) -> Option<String> {
    let text = std::fs::read_to_string(environment.get("GOOGLE_APPLICATION_CREDENTIALS")?).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let account = value.get("client_email")?.as_str()?;
    check_service_account(account).ok()?;
    Some(account.to_owned())
}
