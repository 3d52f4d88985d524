//! Access tokens: fetched when needed, kept until shortly before they expire, fetched anew when refused.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use gcp_auth::{Token, TokenProvider};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::sync::Mutex;

use super::error::{Error, for_gcp_auth};

/// The scope of every access token that is asked for.
pub const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A token with less life than this isn't sent.
const MARGIN: Duration = Duration::from_secs(10);

/// Longest life of a token that is reckoned with. How old a given one can get isn't known: it is asked for again only
/// after it was refused.
const FOR_GOOD: Duration = Duration::from_secs(365 * 24 * 3600);

/// Gives access tokens, and hears when one was refused.
pub trait AccessTokens: TokenProvider {
    /// A service answered 401 to `token`: the next call to [`TokenProvider::token`] gets a new one. Other
    /// tokens, fetched meanwhile, stay.
    fn reject(&self, token: &str);
}

/// A token as its issuer gave it.
pub(super) struct Fetched {
    pub token: SecretString,
    pub expires_in: Duration,
}

/// Where tokens come from. Without memory: each call is a new token.
#[async_trait]
pub(super) trait Source: Send + Sync {
    async fn fetch(&self) -> Result<Fetched, Error>;
}

#[async_trait]
impl<S: Source> Source for Arc<S> {
    async fn fetch(&self) -> Result<Fetched, Error> {
        self.as_ref().fetch().await
    }
}

/// Remembers the token of a [`Source`].
pub(super) struct Cached<S> {
    source: S,
    project: Option<String>,
    // Held while fetching, so that ten callers fetch once.
    kept: Mutex<Option<Kept>>,
    rejected: std::sync::Mutex<Option<SecretString>>,
}

struct Kept {
    token: Arc<Token>,
    renew_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl<S> Cached<S> {
    pub fn new(source: S, project: Option<String>) -> Self {
        Self {
            source,
            project,
            kept: Mutex::new(None),
            rejected: std::sync::Mutex::new(None),
        }
    }

    fn is_rejected(&self, token: &str) -> bool {
        let rejected = self
            .rejected
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        rejected.as_ref().is_some_and(|r| r.expose_secret() == token)
    }
}

/// Tokens are renewed when a fifth of their life is left, five minutes at most: a direct federation token
/// lives ten minutes or less, others an hour.
pub(super) fn renew_after(expires_in: Duration) -> Duration {
    expires_in - (expires_in / 5).min(Duration::from_secs(300))
}

#[async_trait]
impl<S: Source> TokenProvider for Cached<S> {
    async fn token(&self, _scopes: &[&str]) -> Result<Arc<Token>, gcp_auth::Error> {
        let mut kept = self.kept.lock().await;
        let old = kept
            .as_ref()
            .filter(|kept| !self.is_rejected(kept.token.as_str()));
        if let Some(old) = old
            && Utc::now() < old.renew_at
        {
            return Ok(Arc::clone(&old.token));
        }
        let mut fetched = match (self.source.fetch().await, old) {
            (Ok(fetched), _) => fetched,
            // An issuer that is out for a minute need not end what has run for an hour.
            (Err(_), Some(old)) if Utc::now() + MARGIN < old.expires_at => return Ok(Arc::clone(&old.token)),
            (Err(error), _) => return Err(for_gcp_auth(error)),
        };
        // An issuer may tell any time; dates have an end.
        fetched.expires_in = fetched.expires_in.min(FOR_GOOD);
        let now = Utc::now();
        let renew_at = now + renew_after(fetched.expires_in);
        let expires_at = now + fetched.expires_in;
        let token = Arc::new(make(&fetched)?);
        *kept = Some(Kept {
            token: Arc::clone(&token),
            renew_at,
            expires_at,
        });
        Ok(token)
    }

    async fn project_id(&self) -> Result<Arc<str>, gcp_auth::Error> {
        match &self.project {
            Some(project) => Ok(project.as_str().into()),
            None => Err(gcp_auth::Error::Str("these credentials name no project")),
        }
    }
}

impl<S: Source> AccessTokens for Cached<S> {
    fn reject(&self, token: &str) {
        let mut rejected = self
            .rejected
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *rejected = Some(token.to_owned().into());
    }
}

/// `gcp_auth::Token` has no constructor, but can be read.
fn make(fetched: &Fetched) -> Result<Token, gcp_auth::Error> {
    let value = json!({
        "access_token": fetched.token.expose_secret(),
        "expires_in": fetched.expires_in.as_secs(),
    });
    serde_json::from_value(value).map_err(|e| gcp_auth::Error::Json("the access token can't be held", e))
}

/// A token from the environment; nothing can renew it.
pub(super) struct Given {
    token: SecretString,
    given: AtomicBool,
}

impl Given {
    pub fn new(token: SecretString) -> Self {
        Self {
            token,
            given: false.into(),
        }
    }
}

#[async_trait]
impl Source for Given {
    async fn fetch(&self) -> Result<Fetched, Error> {
        if self.given.swap(true, Ordering::SeqCst) {
            return Err(Error::GivenRefused);
        }
        Ok(Fetched {
            token: self.token.clone(),
            expires_in: FOR_GOOD,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    struct Counting(AtomicU32, Duration);

    #[async_trait]
    impl Source for Counting {
        async fn fetch(&self) -> Result<Fetched, Error> {
            let n = self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Fetched {
                token: format!("token-{n}").into(),
                expires_in: self.1,
            })
        }
    }

    fn counting(seconds: u64) -> Cached<Counting> {
        Cached::new(Counting(0.into(), Duration::from_secs(seconds)), None)
    }

    async fn text(tokens: &Cached<Counting>) -> String {
        tokens.token(&[CLOUD_PLATFORM]).await.unwrap().as_str().to_owned()
    }

    #[tokio::test]
    async fn many_callers_fetch_one_token() {
        let tokens = counting(3600);
        let all = futures::future::join_all((0..10).map(|_| text(&tokens))).await;
        assert!(all.iter().all(|t| t == "token-0"), "{all:?}");
    }

    #[tokio::test]
    async fn a_refused_token_is_replaced_once() {
        let tokens = counting(3600);
        let first = text(&tokens).await;
        tokens.reject(&first);
        assert_eq!(text(&tokens).await, "token-1");
        // A late complaint about the old one changes nothing.
        tokens.reject(&first);
        assert_eq!(text(&tokens).await, "token-1");
    }

    /// Gives one token, then fails.
    struct Once(AtomicU32);

    #[async_trait]
    impl Source for Once {
        async fn fetch(&self) -> Result<Fetched, Error> {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 => Ok(Fetched {
                    token: "token-0".into(),
                    expires_in: Duration::from_secs(3600),
                }),
                _ => Err(Error::None(vec!["the issuer is out".to_owned()])),
            }
        }
    }

    #[tokio::test]
    async fn while_its_issuer_is_out_a_token_serves_to_the_end_of_its_life() {
        let tokens = Cached::new(Once(0.into()), None);
        let ask = async || {
            tokens
                .token(&[CLOUD_PLATFORM])
                .await
                .map(|t| t.as_str().to_owned())
        };
        assert_eq!(ask().await.unwrap(), "token-0");
        let age = async |renew: i64, expire: i64| {
            let mut kept = tokens.kept.lock().await;
            let kept = kept.as_mut().unwrap();
            kept.renew_at = Utc::now() + chrono::TimeDelta::seconds(renew);
            kept.expires_at = Utc::now() + chrono::TimeDelta::seconds(expire);
        };
        age(-1, 299).await;
        assert_eq!(ask().await.unwrap(), "token-0");
        tokens.reject("token-0");
        assert!(ask().await.is_err(), "a refused token isn't sent again");
        tokens.reject("another");
        age(-300, 0).await;
        assert!(ask().await.is_err(), "an expired token isn't sent");
    }

    #[tokio::test]
    async fn an_expired_token_is_replaced() {
        let tokens = counting(0);
        text(&tokens).await;
        assert_eq!(text(&tokens).await, "token-1");
    }

    #[tokio::test]
    async fn a_token_that_is_said_to_live_for_ever_is_taken() {
        assert_eq!(text(&counting(u64::MAX)).await, "token-0");
    }

    #[test]
    fn short_lived_tokens_are_renewed_in_proportion() {
        assert_eq!(renew_after(Duration::from_secs(3600)), Duration::from_secs(3300));
        assert_eq!(renew_after(Duration::from_secs(300)), Duration::from_secs(240));
    }
}
