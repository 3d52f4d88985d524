//! A user's credentials in a named file: gcp_auth reads them from the home directory only.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{
    Error,
    access::{Fetched, Source},
    exchange::{Asked, Exchange, lifetime},
    file::UserFields,
};
use crate::environment::{Environment, TOKEN_HOST};

const REFRESH: Asked = Asked {
    who: "Google's token service",
    what: "renew the user's access token",
    next: "Sign in again: `gcloud auth application-default login`",
};
/// The default of gcloud's property `auth/token_host`.
const PUBLIC: &str = "https://oauth2.googleapis.com/token";

pub(super) struct AuthorizedUser {
    fields: UserFields,
    token_url: Url,
    exchange: Exchange,
}

impl AuthorizedUser {
    pub fn new(fields: UserFields, environment: &Environment, exchange: Exchange) -> Result<Self, Error> {
        exchange.masks().add(&fields.refresh_token);
        exchange.masks().add(&fields.client_secret);
        let token_url = environment.get(TOKEN_HOST).unwrap_or(PUBLIC);
        Ok(Self {
            fields,
            token_url: exchange.hosts().url(TOKEN_HOST, token_url)?,
            exchange,
        })
    }
}

#[async_trait]
impl Source for AuthorizedUser {
    async fn fetch(&self) -> Result<Fetched, Error> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: SecretString,
            expires_in: Option<u64>,
        }
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", self.fields.client_id.as_str()),
            ("client_secret", self.fields.client_secret.expose_secret()),
            ("refresh_token", self.fields.refresh_token.expose_secret()),
        ];
        let post = || self.exchange.form(&self.token_url, &form);
        let answer: Answer = self.exchange.json(REFRESH, post).await?;
        self.exchange.masks().add(&answer.access_token);
        Ok(Fetched {
            token: answer.access_token,
            expires_in: lifetime(answer.expires_in),
        })
    }
}
