//! ID tokens for private Cloud Run services.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use gcp_auth::TokenProvider;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::{
    AccessTokens, Bearer, CLOUD_PLATFORM,
    access::renew_after,
    error::reason,
    exchange::Exchange,
    federation::{Federation, once_more},
    jwt,
};

/// Without a readable expiry a token is taken for this old at most.
const ASSUMED_LIFE: Duration = Duration::from_secs(300);
/// Said where there is no account that an ID token could be made for.
const NOBODY: &str = "an ID token for the private service needs a service account: set `service-account` to one that \
                      has roles/run.invoker and that you may make ID tokens for \
                      (roles/iam.serviceAccountOpenIdTokenCreator), or set `access: public`";

/// Makes ID tokens. Without memory: each call is a new token. Errors are sentences for the user.
#[async_trait]
pub(super) trait MintId: Send + Sync {
    async fn mint(&self, audience: &str) -> Result<SecretString, String>;
    /// Whose tokens they are, when it is known; the error when there are none.
    fn account(&self) -> Result<Option<&str>, String>;
}

/// There is no account.
pub(super) struct Nobody;

#[async_trait]
impl MintId for Nobody {
    async fn mint(&self, _audience: &str) -> Result<SecretString, String> {
        Err(NOBODY.to_owned())
    }

    fn account(&self) -> Result<Option<&str>, String> {
        Err(NOBODY.to_owned())
    }
}

/// Asks IAM Credentials for ID tokens of one service account.
pub(super) struct Generated {
    caller: Caller,
    exchange: Exchange,
    account: String,
}

pub(super) enum Caller {
    /// The federated token itself: the account's own token would need a binding on itself.
    Federated(Arc<Federation>),
    Access(Arc<dyn AccessTokens>),
}

impl Generated {
    pub fn new(caller: Caller, exchange: Exchange, account: String) -> Self {
        Self {
            caller,
            exchange,
            account,
        }
    }
}

impl Generated {
    /// The token that asks for the ID token.
    async fn bearer(&self) -> Result<SecretString, String> {
        match &self.caller {
            Caller::Federated(federation) => {
                let federated = once_more(|| federation.federated()).await;
                Ok(federated.map_err(|e| e.to_string())?.token)
            }
            Caller::Access(access) => {
                let access: &dyn TokenProvider = access.as_ref();
                let token = access.token(&[CLOUD_PLATFORM]).await.map_err(|e| reason(&e))?;
                Ok(SecretString::from(token.as_str()))
            }
        }
    }
}

#[async_trait]
impl MintId for Generated {
    async fn mint(&self, audience: &str) -> Result<SecretString, String> {
        let mut renewed = false;
        loop {
            let bearer = self.bearer().await?;
            match self.exchange.id_token(&self.account, audience, &bearer).await {
                Ok(token) => return Ok(token),
                // It was good a moment ago: once more, with a new one.
                Err(error) if error.is_unauthenticated() && !renewed => {
                    renewed = true;
                    if let Caller::Access(access) = &self.caller {
                        access.reject(bearer.expose_secret());
                    }
                }
                Err(error) => return Err(format!("{error} ({})", self.account)),
            }
        }
    }

    fn account(&self) -> Result<Option<&str>, String> {
        Ok(Some(&self.account))
    }
}

/// The ID tokens for one audience.
pub(super) struct IdTokens {
    minter: Arc<dyn MintId>,
    audience: String,
    kept: Mutex<Option<(SecretString, DateTime<Utc>)>>,
}

impl IdTokens {
    pub fn new(minter: Arc<dyn MintId>, audience: String) -> Self {
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
        let life = jwt::expiry(&token).map_or(ASSUMED_LIFE, |at| (at - now).to_std().unwrap_or_default());
        *kept = Some((token.clone(), now + renew_after(life)));
        Ok(Some(token))
    }

    async fn reject(&self, token: &SecretString) -> bool {
        let mut kept = self.kept.lock().await;
        // Another one may have come meanwhile.
        if kept
            .as_ref()
            .is_some_and(|(k, _)| k.expose_secret() == token.expose_secret())
        {
            *kept = None;
        }
        true
    }
}
