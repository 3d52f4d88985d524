//! The `external_account` credentials file, as google-github-actions/auth writes it.

use std::{collections::BTreeMap, path::PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{
    Error, check_service_account,
    exchange::Exchange,
    federation::Federation,
    subject::{FromFile, FromUrl, Subject, secure},
};

/// Fields of the file.
#[derive(Deserialize)]
pub(super) struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: String,
    credential_source: CredentialSource,
    service_account_impersonation_url: Option<String>,
}

#[derive(Deserialize)]
struct CredentialSource {
    url: Option<String>,
    file: Option<PathBuf>,
    #[serde(default)]
    headers: BTreeMap<String, SecretString>,
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
                masks: exchange.masks().clone(),
            }),
            (None, None) => return Err(failed("has a credential source that is neither `url` nor `file`")),
        };
        Ok(Federation {
            audience: self.audience,
            subject,
            token_url: own_token_url(&self.token_url, exchange)?,
            impersonate,
            exchange: exchange.clone(),
        })
    }
}

/// `None` for Google's public address, so that an override of STS's base URL counts for files too.
fn own_token_url(text: &str, exchange: &Exchange) -> Result<Option<Url>, Error> {
    if text == "https://sts.googleapis.com/v1/token" {
        return Ok(None);
    }
    Ok(Some(exchange.hosts().url("token_url", text)?))
}
