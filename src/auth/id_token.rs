//! ID tokens for private Cloud Run services.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use gcp_auth::TokenProvider;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{
    AccessTokens, Bearer, CLOUD_PLATFORM, Error,
    exchange::Exchange,
    federation::{Federation, once_more},
};

/// Without a readable expiry a token is taken for this old at most.
const ASSUMED_LIFE: Duration = Duration::from_secs(300);

/// Asks IAM Credentials for ID tokens of one service account.
pub(super) struct Minter {
    caller: Caller,
    exchange: Exchange,
    account: Option<String>,
}

enum Caller {
    /// The federated token itself: the account's own token would need a binding on itself.
    Federated(Arc<Federation>),
    Access(Arc<dyn AccessTokens>),
}

impl Minter {
    pub fn federated(federation: Arc<Federation>, exchange: Exchange, account: Option<String>) -> Self {
        Self {
            caller: Caller::Federated(federation),
            exchange,
            account,
        }
    }

    pub fn with_access(access: Arc<dyn AccessTokens>, exchange: Exchange, account: Option<String>) -> Self {
        Self {
            caller: Caller::Access(access),
            exchange,
            account,
        }
    }

    async fn mint(&self, audience: &str) -> Result<SecretString, String> {
        let Some(account) = &self.account else {
            return Err(
                "an ID token for the private service needs a service account: set `service-account` to one that \
                 has roles/run.invoker and that you may make ID tokens for \
                 (roles/iam.serviceAccountOpenIdTokenCreator), or set `access: public`"
                    .to_owned(),
            );
        };
        let minted = once_more(|| async {
            let bearer = self.bearer().await?;
            let minted = self.exchange.id_token(account, audience, &bearer).await;
            if let (Err(error), Caller::Access(access)) = (&minted, &self.caller)
                && error.is_unauthenticated()
            {
                access.reject(bearer.expose_secret());
            }
            minted
        });
        minted.await.map_err(|e| format!("{e} ({account})"))
    }

    async fn bearer(&self) -> Result<SecretString, Error> {
        match &self.caller {
            Caller::Federated(federation) => Ok(federation.federated().await?.token),
            Caller::Access(access) => {
                let access: &dyn TokenProvider = access.as_ref();
                let token = access.token(&[CLOUD_PLATFORM]).await;
                let token = token.map_err(|e| Error::None(e.to_string()))?;
                Ok(token.as_str().to_owned().into())
            }
        }
    }
}

/// The ID tokens for one audience.
pub(super) struct IdTokens {
    minter: Arc<Minter>,
    audience: String,
    kept: Mutex<Option<(SecretString, DateTime<Utc>)>>,
}

impl IdTokens {
    pub fn new(minter: Arc<Minter>, audience: String) -> Self {
        Self {
            minter,
            audience,
            kept: Mutex::new(None),
        }
    }
}

#[async_trait]
impl Bearer for IdTokens {
    async fn bearer(&self) -> Result<Option<SecretString>, String> {
        let mut kept = self.kept.lock().await;
        if let Some((token, renew_at)) = &*kept
            && Utc::now() < *renew_at
        {
            return Ok(Some(token.clone()));
        }
        let token = self.minter.mint(&self.audience).await?;
        let now = Utc::now();
        let life = expiry(token.expose_secret())
            .and_then(|at| (at - now).to_std().ok())
            .unwrap_or(ASSUMED_LIFE);
        *kept = Some((token.clone(), now + super::access::renew_after(life)));
        Ok(Some(token))
    }
}

/// The `exp` claim. The signature is the receiver's business.
fn expiry(jwt: &str) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let payload = jwt.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&bytes).ok()?;
    DateTime::from_timestamp(claims.exp, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_is_read_from_the_token() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"aud":"x","exp":1700000000}"#);
        let at = expiry(&format!("h.{claims}.s")).unwrap();
        assert_eq!(at.timestamp(), 1_700_000_000);
        assert_eq!(expiry("opaque"), None);
        assert_eq!(expiry("a.!!.b"), None);
    }
}
