//! Credentials: access tokens for Google's APIs and ID tokens for private endpoints.
//!
//! Nothing here prints a token: they are `SecretString`s, and errors hold the issuer's words, never ours.

mod access;
mod exchange;
mod external_account;
mod federation;
mod id_token;
mod subject;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use secrecy::SecretString;

pub use access::{AccessTokens, CLOUD_PLATFORM};

use crate::environment::{BadBaseUrl, Environment};
use access::{Ambient, Cached, Given};
use exchange::Exchange;
use external_account::ExternalAccount;
use federation::Federation;
use id_token::{IdTokens, Minter};
use subject::FromUrl;

/// Gives the bearer token of a request to an endpoint, fresh enough to be sent now.
#[async_trait]
pub trait Bearer: Send + Sync {
    /// `None` for an endpoint that needs none. The error is a sentence for the user.
    async fn bearer(&self) -> Result<Option<SecretString>, String>;
}

/// For endpoints that anyone may call.
pub struct Anonymous;

#[async_trait]
impl Bearer for Anonymous {
    async fn bearer(&self) -> Result<Option<SecretString>, String> {
        Ok(None)
    }
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "GitHub gives this job no identity token ({missing} is not set). Add `permissions: id-token: write` to the \
         job; jobs of pull requests from forks never get one. On your own machine leave \
         `workload-identity-provider` out"
    )]
    NoGitHubIdentity { missing: &'static str },
    #[error(
        "`{0}` is not a workload identity provider. Give its full name: projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
    )]
    BadProvider(String),
    #[error("`{0}` is not a service account's address. Give NAME@PROJECT.iam.gserviceaccount.com")]
    BadServiceAccount(String),
    #[error("{who} refused to {what}: {message} (HTTP {status}). {next}")]
    Refused {
        who: &'static str,
        what: &'static str,
        status: u16,
        message: String,
        next: String,
    },
    #[error("no answer from {who} to {what}: {reason}")]
    Unreachable {
        who: &'static str,
        what: &'static str,
        reason: String,
    },
    #[error("the answer of {who} to {what} is not understood: {reason}")]
    Decode {
        who: &'static str,
        what: &'static str,
        reason: String,
    },
    #[error(
        "the credentials file {path} {reason}. GOOGLE_APPLICATION_CREDENTIALS names it: correct that, or unset it"
    )]
    File { path: String, reason: String },
    #[error(transparent)]
    BadBaseUrl(#[from] BadBaseUrl),
    #[error(
        "no Google credentials found: {0}. In Actions set `workload-identity-provider` and `service-account`; on \
         your machine run `gcloud auth application-default login`"
    )]
    None(String),
    #[error("could not set up the HTTP client: {0}")]
    Setup(String),
}

impl Error {
    /// Whoever gives tokens could not be reached, or was out of order: the same may work later.
    fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Decode { .. } => true,
            Self::Refused { status, .. } => crate::http::is_transient(*status),
            _ => false,
        }
    }

    /// A token that was good a moment ago is refused.
    fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. })
    }
}

/// Whether an access token may be had later, without anybody doing anything about it.
pub fn is_passing(error: &gcp_auth::Error) -> bool {
    match error {
        gcp_auth::Error::Other(_, source) => source.downcast_ref::<Error>().is_some_and(Error::is_passing),
        gcp_auth::Error::Http(..) => true,
        _ => false,
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
    minter: Arc<Minter>,
    description: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Order: a ready token in `CLOUDSDK_AUTH_ACCESS_TOKEN` (as gcloud reads it), workload identity straight
    /// from the inputs, an `external_account` file in `GOOGLE_APPLICATION_CREDENTIALS`, everything that
    /// gcp_auth finds. `service_account` is the one that ID tokens are made for.
    ///
    /// Nothing is sent yet, except that gcp_auth may look for a metadata server.
    pub async fn discover(
        environment: &Environment,
        wif: Option<WorkloadIdentity>,
        service_account: Option<String>,
    ) -> Result<Self, Error> {
        if let Some(account) = &service_account {
            check_service_account(account)?;
        }
        let exchange = Exchange::new(environment)?;
        if let Some(token) = environment.get("CLOUDSDK_AUTH_ACCESS_TOKEN") {
            let access = Arc::new(Cached::new(Given(token.to_owned().into()), project(environment)));
            let description = "the access token in CLOUDSDK_AUTH_ACCESS_TOKEN".to_owned();
            return Ok(Self::with_access(access, exchange, service_account, description));
        }
        if let Some(wif) = wif {
            return Self::from_workload_identity(environment, exchange, wif, service_account);
        }
        if let Some(path) = environment.get("GOOGLE_APPLICATION_CREDENTIALS")
            && let Some(account) = ExternalAccount::read(path)?
        {
            return Self::from_external_account(environment, exchange, path, account, service_account);
        }
        let ambient = Ambient::find().await.map_err(|e| Error::None(describe(&e)))?;
        let account = service_account.or_else(|| external_account::key_owner(environment));
        let description = "the credentials of this machine".to_owned();
        Ok(Self::with_access(
            Arc::new(ambient),
            exchange,
            account,
            description,
        ))
    }

    fn from_workload_identity(
        environment: &Environment,
        exchange: Exchange,
        wif: WorkloadIdentity,
        service_account: Option<String>,
    ) -> Result<Self, Error> {
        let provider = federation::provider_name(&wif.provider)?;
        let account = wif.service_account.or(service_account);
        if let Some(account) = &account {
            check_service_account(account)?;
        }
        let subject = FromUrl::github(environment, &format!("https://iam.googleapis.com/{provider}"))?;
        let description = match &account {
            Some(account) => format!("workload identity federation as {account}"),
            None => "direct workload identity federation".to_owned(),
        };
        let federation = Federation {
            audience: format!("//iam.googleapis.com/{provider}"),
            subject: Box::new(subject),
            token_url: None,
            impersonate: account.clone(),
            exchange: exchange.clone(),
        };
        Ok(Self::with_federation(
            federation,
            project(environment),
            exchange,
            account,
            description,
        ))
    }

    fn from_external_account(
        environment: &Environment,
        exchange: Exchange,
        path: &str,
        file: ExternalAccount,
        service_account: Option<String>,
    ) -> Result<Self, Error> {
        let own = file.service_account()?;
        let account = own.clone().or(service_account);
        let federation = file.federation(path, &exchange, own)?;
        let description = format!("the external_account file {path}");
        Ok(Self::with_federation(
            federation,
            project(environment),
            exchange,
            account,
            description,
        ))
    }

    fn with_federation(
        federation: Federation,
        project: Option<String>,
        exchange: Exchange,
        account: Option<String>,
        description: String,
    ) -> Self {
        let federation = Arc::new(federation);
        let access: Arc<dyn AccessTokens> = Arc::new(Cached::new(Arc::clone(&federation), project));
        let minter = Arc::new(Minter::federated(federation, exchange, account));
        Self {
            access,
            minter,
            description,
        }
    }

    fn with_access(
        access: Arc<dyn AccessTokens>,
        exchange: Exchange,
        account: Option<String>,
        description: String,
    ) -> Self {
        let minter = Arc::new(Minter::with_access(Arc::clone(&access), exchange, account));
        Self {
            access,
            minter,
            description,
        }
    }

    pub fn access(&self) -> Arc<dyn AccessTokens> {
        Arc::clone(&self.access)
    }

    /// Which credentials were taken, for the log.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// ID tokens for `audience`, the URL of a private Cloud Run service. Fetched at the first use and kept
    /// until shortly before they expire.
    pub fn id_token(&self, audience: &str) -> Arc<dyn Bearer> {
        Arc::new(IdTokens::new(Arc::clone(&self.minter), audience.to_owned()))
    }
}

fn project(environment: &Environment) -> Option<String> {
    ["CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT"]
        .into_iter()
        .find_map(|name| environment.get(name))
        .map(str::to_owned)
}

/// gcp_auth says "no available authentication method found" and hides the three reasons.
fn describe(error: &gcp_auth::Error) -> String {
    match error {
        gcp_auth::Error::NoAuthMethod(gcloud, metadata, user) => {
            format!("gcloud: {gcloud}; metadata server: {metadata}; application default credentials: {user}")
        }
        other => other.to_string(),
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
