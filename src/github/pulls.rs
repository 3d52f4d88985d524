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
    /// Whether the head is in another repository than the base, or in none any more.
    pub fork: bool,
    /// Branch that it is to be merged into, as it is now: it may have been changed since the event.
    pub base_ref: String,
    /// The base repository's default branch; empty when GitHub doesn't tell.
    pub default_branch: String,
    /// Names of its labels as they are now. Hostile text.
    pub labels: Vec<String>,
}

/// GitHub has no other. What is neither must not count as closed: a preview would be deleted.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Open,
    Closed,
}

#[derive(Deserialize)]
struct Pull {
    state: State,
    #[serde(default)]
    merged: bool,
    head: Head,
    base: Base,
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Base {
    #[serde(rename = "ref")]
    git_ref: String,
    repo: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    id: Option<u64>,
    default_branch: Option<String>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
    repo: Option<Repository>,
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
        let id = |repository: &Option<Repository>| repository.as_ref().and_then(|r| r.id);
        let (head, base) = (id(&pull.head.repo), id(&pull.base.repo));
        Ok(PullRequestState {
            fork: head.is_none() || head != base,
            open: pull.state == State::Open,
            merged: pull.merged,
            head_sha: pull.head.sha,
            base_ref: pull.base.git_ref,
            default_branch: pull
                .base
                .repo
                .and_then(|repo| repo.default_branch)
                .unwrap_or_default(),
            labels: pull.labels.into_iter().map(|label| label.name).collect(),
        })
    }
}
