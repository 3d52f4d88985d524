//! What a run can do without: a surface of GitHub's for which the job's token may lack the permission.
//!
//! The first trouble is told, with the permission's name, and the rest is silence: a run whose token may not comment
//! says so once, however often it would have commented. The verdict never depends on it.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{github::Error, progress::Progress};

/// One surface, for the time of a run.
pub struct Optional {
    what: &'static str,
    permission: &'static str,
    /// GitHub said that this token may not, which it won't unsay during the run.
    refused: AtomicBool,
    told: AtomicBool,
}

impl Optional {
    /// `what` begins the warning: `the comment on the pull request was not written`. `permission` is written as in a
    /// workflow: `pull-requests: write`.
    pub const fn new(what: &'static str, permission: &'static str) -> Self {
        Self {
            what,
            permission,
            refused: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }

    /// What came of the work. `None` when it failed, or when it was not tried because the token may not do it.
    pub async fn run<T>(
        &self,
        progress: &dyn Progress,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Option<T> {
        if self.is_refused() {
            return None;
        }
        self.insist(progress, work).await
    }

    /// As [`Self::run`], for what is tried again later: only a refusal is told.
    pub async fn quietly<T>(
        &self,
        progress: &dyn Progress,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Option<T> {
        let work = async {
            match work.await {
                Err(error) if !is_refusal(&error) => Ok(None),
                other => other.map(Some),
            }
        };
        self.run(progress, work).await.flatten()
    }

    /// As [`Self::run`], also after a refusal: what was begun is to be brought to an end.
    pub async fn insist<T>(
        &self,
        progress: &dyn Progress,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Option<T> {
        self.outcome(progress, work.await)
    }

    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Tells why it is left out, unless something was told before.
    pub fn tell(&self, progress: &dyn Progress, why: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            progress.warn("github", &format!("{}: {why}", self.what));
        }
    }

    fn outcome<T>(&self, progress: &dyn Progress, outcome: Result<T, Error>) -> Option<T> {
        let error = match outcome {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let mut why = error.to_string();
        if is_refusal(&error) {
            self.refused.store(true, Ordering::Relaxed);
            if !why.contains(self.permission) {
                why = format!("{why} (it takes the permission `{}`)", self.permission);
            }
        }
        self.tell(progress, &why);
        None
    }
}

/// A token without the permission gets 403, or 404 where it may not even look; a bad one gets 401.
fn is_refusal(error: &Error) -> bool {
    matches!(error.http_status(), Some(401 | 403 | 404))
}

/// The surfaces that several stages of a run share.
pub struct Optionals {
    pub deployments: Optional,
    pub pull_requests: Optional,
}

impl Default for Optionals {
    fn default() -> Self {
        Self {
            deployments: Optional::new("GitHub's deployments were left out", "deployments: write"),
            pull_requests: Optional::new(
                "whether the pull request is still open was not seen",
                "pull-requests: read",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Heard;

    fn answered(status: u16) -> Result<(), Error> {
        Err(Error::Refused {
            action: "comment".to_owned(),
            status,
            message: "No.".to_owned(),
            advice: String::new(),
        })
    }

    #[tokio::test]
    async fn a_refusal_is_told_once_with_the_permission_and_ends_the_tries() {
        for status in [401, 403, 404] {
            let (optional, heard) = (
                Optional::new("no issue was opened", "issues: write"),
                Heard::default(),
            );
            let mut tries = 0;
            for _ in 0..5 {
                let work = async {
                    tries += 1;
                    answered(status)
                };
                assert_eq!(optional.run(&heard, work).await, None);
            }
            assert_eq!(tries, 1);
            let told = heard.0.into_inner().unwrap();
            assert_eq!(told.len(), 1);
            assert!(
                told[0].starts_with("no issue was opened: ") && told[0].contains("`issues: write`"),
                "{told:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_only_failed_is_tried_again_and_told_once() {
        let (optional, heard) = (
            Optional::new("no issue was opened", "issues: write"),
            Heard::default(),
        );
        assert_eq!(optional.quietly(&heard, async { answered(503) }).await, None);
        assert!(heard.0.lock().unwrap().is_empty(), "a later try tells");
        for _ in 0..3 {
            assert_eq!(optional.run(&heard, async { answered(503) }).await, None);
        }
        assert_eq!(heard.0.lock().unwrap().len(), 1);
        assert_eq!(optional.run(&heard, async { Ok(7) }).await, Some(7));
    }

    #[tokio::test]
    async fn what_was_begun_is_brought_to_an_end_after_a_refusal() {
        let (optional, heard) = (
            Optional::new("no issue was opened", "issues: write"),
            Heard::default(),
        );
        optional.run(&heard, async { answered(403) }).await;
        assert_eq!(optional.run(&heard, async { Ok(7) }).await, None);
        assert_eq!(optional.insist(&heard, async { Ok(7) }).await, Some(7));
    }
}
