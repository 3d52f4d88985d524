//! The pull request's state, looked at just before and after a preview is deployed.

use serde::Deserialize;

use super::client::{GitHub, Purpose};
use super::error::Error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestState {
    pub open: bool,
    /// Of a closed one: whether it was merged.
    pub merged: bool,
    /// Head commit, 40 hex digits.
    pub head_sha: String,
}

#[derive(Deserialize)]
struct Pull {
    state: String,
    #[serde(default)]
    merged: bool,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
}

impl GitHub {
    /// # Errors
    /// When GitHub refuses (with the permission that is missing) or can't be reached.
    pub async fn pull_request_state(&self, number: u64) -> Result<PullRequestState, Error> {
        let action = format!("read pull request {number}");
        let purpose = Purpose {
            action: &action,
            permission: "pull-requests: read",
        };
        let pull: Pull = self.get(&self.route(&format!("pulls/{number}")), purpose).await?;
        Ok(PullRequestState {
            open: pull.state == "open",
            merged: pull.merged,
            head_sha: pull.head.sha,
        })
    }
}
