//! A service account's key file: access tokens by gcp_auth, ID tokens by a self-signed assertion.

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use gcp_auth::{CustomServiceAccount, TokenProvider};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    CLOUD_PLATFORM, Error,
    access::{Fetched, Source},
    ambient::explain,
    check_service_account,
    exchange::{Asked, Exchange},
    id_token::MintId,
};

const NEXT: &str = "Is the key deleted, disabled or expired, or this machine's clock wrong? Make another one, or better \
                    sign in with `workload-identity-provider`";
const ID_TOKEN: Asked = Asked {
    who: "Google's token service",
    what: "make an ID token with the service account's key",
    next: NEXT,
};

pub(super) struct Key {
    /// The whole file.
    text: SecretString,
    path: String,
    email: String,
    token_uri: Url,
    exchange: Exchange,
}

impl Key {
    pub fn new(path: &str, text: SecretString, exchange: Exchange) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Fields {
            client_email: String,
            token_uri: String,
            private_key: SecretString,
        }
        let failed = |reason: &str| Error::File {
            path: path.to_owned(),
            reason: format!("is no usable service account key ({reason})"),
        };
        let fields: Fields = serde_json::from_str(text.expose_secret())
            .map_err(|_| failed("client_email, token_uri or private_key is missing"))?;
        exchange.masks().add(&fields.private_key);
        check_service_account(&fields.client_email)?;
        let key = Self {
            token_uri: exchange.hosts().url("token_uri", &fields.token_uri)?,
            email: fields.client_email,
            path: path.to_owned(),
            text,
            exchange,
        };
        key.provider().map_err(|e| failed(&explain(&e)))?;
        Ok(key)
    }

    pub fn email(&self) -> &str {
        &self.email
    }

    /// A new one has no token yet.
    fn provider(&self) -> Result<CustomServiceAccount, gcp_auth::Error> {
        CustomServiceAccount::from_json(self.text.expose_secret())
    }

    /// <https://developers.google.com/identity/protocols/oauth2/service-account> with `target_audience` in place
    /// of a scope, which is answered by an ID token.
    fn assertion(&self, audience: &str) -> Result<SecretString, gcp_auth::Error> {
        let now = Utc::now().timestamp();
        let claims = json!({
            "iss": self.email, "sub": self.email, "aud": self.token_uri, "target_audience": audience,
            "iat": now, "exp": now + 3600,
        });
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!(
            "{}.{}",
            encode(r#"{"alg":"RS256","typ":"JWT"}"#),
            encode(&claims.to_string())
        );
        let signature = self.provider()?.signer().sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }

    fn failed(&self, error: &gcp_auth::Error) -> Error {
        Error::Ambient {
            description: format!("the service account key {}", self.path),
            reason: explain(error),
            next: NEXT,
        }
    }
}

#[async_trait]
impl Source for Key {
    async fn fetch(&self) -> Result<Fetched, Error> {
        let failed = |e: gcp_auth::Error| self.failed(&e);
        let provider = self.provider().map_err(failed)?;
        let token = provider.token(&[CLOUD_PLATFORM]).await.map_err(failed)?;
        let secret = SecretString::from(token.as_str());
        self.exchange.masks().add(&secret);
        Ok(Fetched {
            token: secret,
            expires_in: (token.expires_at() - Utc::now()).to_std().unwrap_or_default(),
        })
    }
}

#[async_trait]
impl MintId for Key {
    async fn mint(&self, audience: &str) -> Result<SecretString, String> {
        #[derive(Deserialize)]
        struct Answer {
            id_token: SecretString,
        }
        let assertion = self
            .assertion(audience)
            .map_err(|e| self.failed(&e).to_string())?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.expose_secret()),
        ];
        let post = || self.exchange.form(&self.token_uri, &form);
        let answer = self.exchange.json::<Answer>(ID_TOKEN, post).await;
        let token = answer.map_err(|e| e.to_string())?.id_token;
        self.exchange.masks().add(&token);
        Ok(token)
    }

    fn account(&self) -> Result<Option<&str>, String> {
        Ok(Some(&self.email))
    }
}
