//! What gcp_auth finds on this machine, in its order, one by one so that each can be told by its name.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::Utc;
use gcp_auth::{ConfigDefaultCredentials, GCloudAuthorizedUser, MetadataServiceAccount, TokenProvider};
use secrecy::SecretString;
use tokio::{sync::Mutex, time::timeout};

use super::{
    CLOUD_PLATFORM, Error,
    access::{Fetched, Source},
};
use crate::secrets::Masks;

/// A metadata server that is there answers at once; gcloud takes a second or two.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What `gcloud auth application-default login` leaves in the home directory.
    User,
    Metadata,
    Gcloud,
}

impl Kind {
    pub fn description(self) -> &'static str {
        match self {
            Self::User => {
                "the application default credentials in ~/.config/gcloud/application_default_credentials.json"
            }
            Self::Metadata => "the metadata server's service account",
            Self::Gcloud => "the account that gcloud is signed in with",
        }
    }

    fn next(self) -> &'static str {
        match self {
            Self::User => "Sign in again: `gcloud auth application-default login`",
            Self::Metadata => "Look at the machine's service account",
            Self::Gcloud => "Sign in again: `gcloud auth login`",
        }
    }

    async fn provider(self) -> Result<Arc<dyn TokenProvider>, String> {
        let made = async {
            Ok(match self {
                Self::User => Arc::new(ConfigDefaultCredentials::new().await?) as Arc<dyn TokenProvider>,
                Self::Metadata => Arc::new(MetadataServiceAccount::new().await?),
                Self::Gcloud => Arc::new(gcloud().await?),
            })
        };
        match timeout(PATIENCE, made).await {
            Ok(made) => made.map_err(|e| explain(&e)),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }
}

/// gcp_auth waits for the child process on the thread that it is called on.
async fn gcloud() -> Result<GCloudAuthorizedUser, gcp_auth::Error> {
    let handle = tokio::runtime::Handle::current();
    let call = tokio::task::spawn_blocking(move || handle.block_on(GCloudAuthorizedUser::new()));
    call.await
        .unwrap_or_else(|_| Err(gcp_auth::Error::Str("running `gcloud` command failed")))
}

/// Tokens of one kind. A new one is asked for by a new provider: gcp_auth's own keep theirs until it expires.
pub(super) struct Ambient {
    kind: Kind,
    /// The one that was found, whose token is still unused.
    found: Mutex<Option<Arc<dyn TokenProvider>>>,
    masks: Masks,
}

impl Ambient {
    /// The error is a clause that says why there is none.
    pub async fn open(kind: Kind, masks: Masks) -> Result<Self, String> {
        let provider = kind.provider().await;
        let provider = provider.map_err(|reason| format!("{}: {reason}", kind.description()))?;
        Ok(Self {
            kind,
            found: Mutex::new(Some(provider)),
            masks,
        })
    }
}

#[async_trait]
impl Source for Ambient {
    async fn fetch(&self) -> Result<Fetched, Error> {
        let failed = |reason: String| Error::Ambient {
            description: self.kind.description().to_owned(),
            reason,
            next: self.kind.next(),
        };
        let found = self.found.lock().await.take();
        let provider = match found {
            Some(provider) => provider,
            None => self.kind.provider().await.map_err(failed)?,
        };
        let token = provider.token(&[CLOUD_PLATFORM]).await;
        let token = token.map_err(|e| failed(explain(&e)))?;
        let secret = SecretString::from(token.as_str());
        self.masks.add(&secret);
        Ok(Fetched {
            token: secret,
            expires_in: (token.expires_at() - Utc::now()).to_std().unwrap_or_default(),
        })
    }
}

/// gcp_auth's words without its causes, which can quote what a file or a server held; of a file or a program that
/// can't be opened the cause is told.
pub(super) fn explain(error: &gcp_auth::Error) -> String {
    match error {
        gcp_auth::Error::Io(what, cause) => format!("{what}: {cause}"),
        gcp_auth::Error::Http(what, _) | gcp_auth::Error::Json(what, _) | gcp_auth::Error::Other(what, _) => {
            (*what).to_owned()
        }
        other => other.to_string(),
    }
}
