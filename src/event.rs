//! GitHub event → [`Trigger`]: what this run is for. Pure.

/// What a run was started for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A push to the default branch: deploy production.
    Production,
    /// A pull request was opened or changed: deploy its preview.
    Preview(PullRequest),
    /// A pull request was closed: delete its preview.
    Closed(PullRequest),
    /// A schedule fired: test production as it is.
    Schedule,
    /// Nothing may be changed; the reason is for the user (a fork's pull request, another branch).
    PlanOnly {
        reason: String,
        pull_request: Option<PullRequest>,
    },
}

/// What the run needs to know of a pull request. The title is hostile text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    pub title: String,
    /// Head commit, 40 hex digits.
    pub head_sha: String,
    pub head_ref: String,
    /// Whether the head is in another repository.
    pub fork: bool,
}
