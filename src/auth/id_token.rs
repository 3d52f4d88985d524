//! ID tokens for private Cloud Run services.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use gcp_auth::TokenProvider;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::{
    AccessTokens, Bearer, CLOUD_PLATFORM, access::renew_after, error::reason, exchange::Exchange,
    federation::Federation, jwt,
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

#[async_trait]
impl MintId for Generated {
    async fn mint(&self, audience: &str) -> Result<SecretString, String> {
        let bearer = match &self.caller {
            Caller::Federated(federation) => federation.federated().await.map_err(|e| e.to_string())?.token,
            Caller::Access(access) => {
                let access: &dyn TokenProvider = access.as_ref();
                let token = access.token(&[CLOUD_PLATFORM]).await.map_err(|e| reason(&e))?;
                SecretString::from(token.as_str())
            }
        };
        let minted = self.exchange.id_token(&self.account, audience, &bearer).await;
        minted.map_err(|e| format!("{e} ({})", self.account))
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
