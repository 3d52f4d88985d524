//! The credentials that all lanes send, renewed away from them.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use reqwest::Method;
use secrecy::ExposeSecret as _;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::timeout_at,
};

use crate::endpoint::{Credentials, Endpoint, Error, call::Call};

/// How often the bearer is asked. It gives the token it has until that gets old, well before its end.
const CHECK: Duration = Duration::from_secs(30);
/// Longest wait for a new token.
const RENEW: Duration = Duration::from_secs(60);

/// Credentials that were good when they were made.
pub struct Current {
    pub credentials: Credentials,
    /// Counts the renewals.
    generation: u64,
}

/// A server took the token of this generation for worthless. The answer says whether there is another one.
struct Rejected {
    generation: u64,
    answer: oneshot::Sender<Result<bool, Error>>,
}

pub struct Keeper {
    endpoint: Endpoint,
    current: RwLock<Arc<Current>>,
    reports: mpsc::UnboundedSender<Rejected>,
    reported: Mutex<mpsc::UnboundedReceiver<Rejected>>,
}

impl Keeper {
    pub async fn new(endpoint: Endpoint) -> Result<Self, Error> {
        let credentials = fetch(&endpoint).await?;
        let (reports, reported) = mpsc::unbounded_channel();
        Ok(Self {
            endpoint,
            current: RwLock::new(Arc::new(Current {
                credentials,
                generation: 0,
            })),
            reports,
            reported: Mutex::new(reported),
        })
    }

    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has other credentials got, after a refusal of these, by who polls [`Self::keep_fresh`].
    pub async fn renew(&self, refused: &Current) -> Result<bool, Error> {
        let (answer, answered) = oneshot::channel();
        let generation = refused.generation;
        // The receiver is ours, and so is what it receives.
        let _ = self.reports.send(Rejected { generation, answer });
        answered.await.unwrap_or(Ok(false))
    }

    pub async fn keep_fresh(&self) {
        let mut reported = self.reported.lock().await;
        let tempo = self.endpoint.tempo();
        loop {
            tokio::select! {
                Some(Rejected { generation, answer }) = reported.recv() => {
                    let _ = answer.send(self.replace(generation).await);
                }
                // The old token serves on; the next check tries again.
                () = tempo.sleep(CHECK) => drop(self.refresh().await),
            }
        }
    }

    async fn replace(&self, generation: u64) -> Result<bool, Error> {
        let current = self.current();
        if current.generation != generation {
            return Ok(true);
        }
        let (Some(bearer), Some(token)) = (&self.endpoint.bearer, &current.credentials.id_token) else {
            return Ok(false);
        };
        if !bearer.reject(token).await {
            return Ok(false);
        }
        self.refresh().await.map(|()| true)
    }

    async fn refresh(&self) -> Result<(), Error> {
        let credentials = fetch(&self.endpoint).await?;
        let current = self.current();
        let token = |c: &Credentials| c.id_token.as_ref().map(|t| t.expose_secret().to_owned());
        if token(&credentials) != token(&current.credentials) {
            let generation = current.generation + 1;
            let mut kept = self.current.write().unwrap_or_else(PoisonError::into_inner);
            *kept = Arc::new(Current {
                credentials,
                generation,
            });
        }
        Ok(())
    }
}

async fn fetch(endpoint: &Endpoint) -> Result<Credentials, Error> {
    let call = Call::new(Method::POST, super::PATH, RENEW, endpoint.tempo());
    let credentials = timeout_at(call.deadline, endpoint.credentials(&call)).await;
    credentials.map_err(|_| call.timed_out("no credentials"))?
}
