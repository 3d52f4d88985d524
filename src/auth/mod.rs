//! Credentials: access tokens for Google's APIs and ID tokens for private endpoints.
//!
//! Nothing here prints a token: they are `SecretString`s, told to [`crate::secrets::Masks`] as soon as they are
//! known, and errors hold the issuer's words, never ours.

mod access;
mod ambient;
mod discover;
mod error;
mod exchange;
mod external_account;
mod federation;
mod file;
mod id_token;
mod jwt;
mod key;
mod metadata;
mod refused;
mod subject;
mod user;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use secrecy::SecretString;

pub use access::{AccessTokens, CLOUD_PLATFORM};
pub use error::{Error, outage, reason};

use crate::environment::Environment;
use id_token::{IdTokens, MintId};

/// Gives the bearer token of a request to an endpoint, fresh enough to be sent now.
#[async_trait]
pub trait Bearer: Send + Sync {
    /// `None` for an endpoint that needs none. The error is a sentence for the user.
    async fn bearer(&self) -> Result<Option<SecretString>, String>;

    /// The endpoint answered 401 to `token`: the next call to [`Self::bearer`] gets a new one. `false` when there
    /// is none to be had.
    async fn reject(&self, token: &SecretString) -> bool {
        let _ = token;
        false
    }
}

/// For endpoints that anyone may call.
pub struct Anonymous;

#[async_trait]
impl Bearer for Anonymous {
    async fn bearer(&self) -> Result<Option<SecretString>, String> {
        Ok(None)
    }
}

/// Workload identity federation, straight from the action's inputs.
#[derive(Clone, Debug)]
pub struct WorkloadIdentity {
    /// `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`
    pub provider: String,
    /// Impersonated when given. Without one a token lives ten minutes at most, and there are no ID tokens.
    pub service_account: Option<String>,
}

/// What identifies us to Google.
pub struct Credentials {
    access: Arc<dyn AccessTokens>,
    id_tokens: Arc<dyn MintId>,
    choice: Choice,
}

/// Which credentials were taken, for people.
#[derive(Debug, Default)]
struct Choice {
    description: String,
    reasons: Vec<String>,
    account: Option<String>,
    limits: Option<&'static str>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("choice", &self.choice)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Takes the first that is there:
    ///
    /// 1. workload identity federation straight from the inputs (`wif`),
    /// 2. an `external_account` file in `GOOGLE_APPLICATION_CREDENTIALS`, as google-github-actions/auth writes it,
    /// 3. a ready token in `CLOUDSDK_AUTH_ACCESS_TOKEN`, as gcloud reads it; nothing can renew it,
    /// 4. what gcp_auth finds: a service account key or a user's credentials in `GOOGLE_APPLICATION_CREDENTIALS`,
    ///    the application default credentials, the metadata server, gcloud.
    ///
    /// `service_account` is the one that ID tokens are made for.
    ///
    /// Nothing is sent yet, except that the last step asks for a token to see who has one.
    ///
    /// # Errors
    /// When none is there, or the one whose turn it is can't be used as it is given.
    pub async fn discover(
        environment: &Environment,
        wif: Option<WorkloadIdentity>,
        service_account: Option<String>,
    ) -> Result<Self, Error> {
        discover::discover(environment, wif, service_account).await
    }

    pub fn access(&self) -> Arc<dyn AccessTokens> {
        Arc::clone(&self.access)
    }

    /// Which credentials were taken, for the log: `workload identity federation as NAME@…`.
    pub fn description(&self) -> &str {
        &self.choice.description
    }

    /// Why: a clause for each that comes before in the order and was not there, such as
    /// `no workload-identity-provider is given`.
    pub fn reasons(&self) -> &[String] {
        &self.choice.reasons
    }

    /// The service account that Google's APIs see, when these credentials are one and it is known.
    pub fn account(&self) -> Option<&str> {
        self.choice.account.as_deref()
    }

    /// What these credentials can't do, in a sentence; `None` when there is nothing to tell.
    pub fn limits(&self) -> Option<&'static str> {
        self.choice.limits
    }

    /// The service account that private endpoints see, when it is known. It needs `roles/run.invoker`.
    ///
    /// # Errors
    /// A sentence for the user when these credentials can make no ID token.
    pub fn invoker(&self) -> Result<Option<&str>, String> {
        self.id_tokens.account()
    }

    /// ID tokens for `audience`, the URL of a private Cloud Run service (also where a tag's URL is called).
    /// Fetched at the first use and kept until shortly before they expire.
    pub fn id_token(&self, audience: &str) -> Arc<dyn Bearer> {
        Arc::new(IdTokens::new(Arc::clone(&self.id_tokens), audience.to_owned()))
    }
}

fn check_service_account(account: &str) -> Result<(), Error> {
    let ok = account.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty()
            && domain.contains('.')
            && account
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"@.-_".contains(&b))
            && !domain.contains('@')
    });
    if ok {
        Ok(())
    } else {
        Err(Error::BadServiceAccount(account.to_owned()))
    }
}

#[cfg(test)]
mod tests;
