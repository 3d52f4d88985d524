//! What GitHub holds in memory, and how tests look at it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{MutexGuard, PoisonError},
};

use serde_json::Value;

use super::{GitHub, HEAD_BRANCH, PRIVATE_REPOSITORY, PULL_REQUEST, contract::Operation};

/// What a permission lets a token do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    None,
    Read,
    Write,
}

/// A comment, as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    pub id: u64,
    pub user: String,
    pub body: String,
}

/// An issue that is no pull request, as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueSeen {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub open: bool,
    pub state_reason: Option<String>,
    pub labels: Vec<String>,
    /// Who opened it.
    pub user: String,
}

/// A deployment with the states it went through, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: u64,
    pub git_ref: String,
    pub environment: String,
    pub states: Vec<String>,
    pub environment_url: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct StoredComment {
    pub id: u64,
    pub issue: u64,
    pub user: String,
    pub body: String,
    pub created_at: String,
    pub updated_at: String,
}

/// An issue or a pull request.
#[derive(Clone, Debug)]
pub(super) struct Issue {
    pub number: u64,
    pub title: String,
    pub body: Option<String>,
    pub open: bool,
    pub state_reason: Option<String>,
    pub labels: Vec<String>,
    pub user: String,
    /// Only who may write to the repository may comment.
    pub locked: bool,
    pub created_at: String,
    pub updated_at: String,
    pub closed_at: Option<String>,
    /// Of a closed pull request.
    pub merged: bool,
    /// Commit at the head of a pull request.
    pub head_sha: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct StoredDeployment {
    pub id: u64,
    pub git_ref: String,
    pub sha: String,
    pub task: String,
    pub environment: String,
    pub description: Option<String>,
    pub payload: Value,
    pub transient: bool,
    pub production: bool,
    /// Login of its author.
    pub creator: String,
    pub created_at: String,
    pub statuses: Vec<Status>,
}

#[derive(Clone, Debug)]
pub(super) struct Status {
    pub id: u64,
    pub state: String,
    pub description: String,
    pub environment: String,
    pub environment_url: String,
    pub log_url: String,
    pub created_at: String,
}

/// A check run, as far as tests look at it.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckRun {
    pub name: String,
    pub head_sha: String,
    pub status: String,
    pub conclusion: Option<String>,
    pub title: String,
    pub summary: String,
    pub annotations: Vec<Value>,
}

#[derive(Clone, Debug)]
pub(super) struct StoredCheck {
    pub id: u64,
    pub name: String,
    pub head_sha: String,
    pub status: String,
    pub conclusion: Option<String>,
    pub details_url: Option<String>,
    pub external_id: String,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub annotations: Vec<Value>,
    pub started_at: String,
    pub completed_at: Option<String>,
}

/// A workflow run, as [`GitHub::run`](super::GitHub::run) makes it.
#[derive(Clone, Debug)]
pub struct WorkflowRun {
    pub number: u64,
    pub attempt: u32,
    /// The workflow's file, `.github/workflows/llm.yml`.
    pub path: String,
    /// `push`, `pull_request`, …
    pub event: String,
    pub head_branch: String,
    /// The head of the branch unless it is given.
    pub head_sha: Option<String>,
    /// `success`, `failure`, …; `None` while it runs.
    pub conclusion: Option<String>,
    /// Whether it waits for its turn in a `concurrency` group.
    pub waits: bool,
    /// When the latest attempt began, RFC 3339.
    pub started_at: String,
}

impl WorkflowRun {
    /// The first attempt of a push to `main`, at work.
    pub fn push(number: u64) -> Self {
        Self {
            number,
            attempt: 1,
            path: ".github/workflows/llm.yml".to_owned(),
            event: "push".to_owned(),
            head_branch: "main".to_owned(),
            head_sha: None,
            conclusion: None,
            waits: false,
            started_at: now(),
        }
    }
}

/// One repository.
#[derive(Clone, Debug)]
pub(super) struct Repo {
    pub full_name: String,
    pub private: bool,
    pub issues: BTreeMap<u64, Issue>,
    pub comments: Vec<StoredComment>,
    pub deployments: Vec<StoredDeployment>,
    pub checks: Vec<StoredCheck>,
    pub runs: Vec<WorkflowRun>,
    /// Text by branch and path.
    pub files: BTreeMap<(String, String), String>,
    /// Branch that a pull request is to be merged into, where it is not the default one.
    pub bases: BTreeMap<u64, String>,
    /// Pull requests whose head is in a fork.
    pub forks: BTreeSet<u64>,
    /// Whether the commit has checks that haven't ended: always so while a job runs.
    pub checks_pending: bool,
    /// Whether the repository has issues at all.
    pub has_issues: bool,
    next_number: u64,
    next_id: u64,
}

#[derive(Default)]
pub(super) struct State {
    repos: HashMap<String, Repo>,
    pub permissions: HashMap<String, Access>,
}

pub(super) fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

impl State {
    /// Names of repositories are case-insensitive.
    pub fn repo(&mut self, name: &str) -> Option<&mut Repo> {
        self.repos.get_mut(&name.to_lowercase())
    }

    /// Whether the token's permissions cover the operation. Every permission is `write` until it is set, but for
    /// `checks`: those that a workflow doesn't list are `none`, and few list that one.
    pub fn permission(&self, operation: &Operation) -> bool {
        let usual = |name: &str| match name {
            "checks" => Access::None,
            _ => Access::Write,
        };
        let level = |name: &str| self.permissions.get(name).copied().unwrap_or(usual(name));
        let (kind, verb) = operation.id.split_once('/').unwrap_or((&operation.id, ""));
        let wanted = if verb.starts_with("get") || verb.starts_with("list") {
            Access::Read
        } else {
            Access::Write
        };
        match kind {
            "pulls" => level("pull-requests") >= wanted,
            // A pull request's comments can be reached through either permission.
            "issues" if verb.contains("comment") || verb.contains("label") => {
                level("issues").max(level("pull-requests")) >= wanted
            }
            "issues" => level("issues") >= wanted,
            "checks" => level("checks") >= wanted,
            "actions" => level("actions") >= wanted,
            _ if verb.contains("content") || verb.contains("branch") => level("contents") >= wanted,
            _ if verb.contains("deployment") => level("deployments") >= wanted,
            // Metadata is always readable.
            _ => true,
        }
    }
}

impl Repo {
    fn seeded(full_name: &str) -> Self {
        let created_at = "2026-01-05T08:00:00Z".to_owned();
        let pull = Issue {
            number: PULL_REQUEST,
            // A title is whatever its author typed: it must not get out of a table, a tag or a command.
            title: "Try <b>Qwen</b> | `rm -rf` $(id) ::set-output name=x::y — \"50%\" & @octocat 日本語"
                .to_owned(),
            body: Some("Swaps the model.\r\n\r\n<!-- hidden --> [link](javascript:alert(1))".to_owned()),
            open: true,
            state_reason: None,
            labels: Vec::new(),
            user: "octocat".to_owned(),
            locked: false,
            created_at: created_at.clone(),
            updated_at: created_at,
            closed_at: None,
            merged: false,
            head_sha: Some(super::answers::commit(full_name, HEAD_BRANCH)),
        };
        Self {
            full_name: full_name.to_owned(),
            private: full_name == PRIVATE_REPOSITORY,
            issues: BTreeMap::from([(PULL_REQUEST, pull)]),
            comments: Vec::new(),
            deployments: Vec::new(),
            checks: Vec::new(),
            runs: Vec::new(),
            files: BTreeMap::new(),
            bases: BTreeMap::new(),
            forks: BTreeSet::new(),
            checks_pending: true,
            has_issues: true,
            next_number: PULL_REQUEST,
            next_id: 2_000_000_001,
        }
    }

    pub fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Whether there was one of this number.
    pub fn is_deleted(&self, number: u64) -> bool {
        (PULL_REQUEST..=self.next_number).contains(&number) && !self.issues.contains_key(&number)
    }

    /// That of a deleted issue is not given again.
    pub fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

impl GitHub {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a repository `owner/name` with branch `main` and the open pull request; one that is there stays.
    pub fn seed(&self, repository: &str) {
        let mut state = self.lock();
        state
            .repos
            .entry(repository.to_lowercase())
            .or_insert_with(|| Repo::seeded(repository));
    }

    /// With the seeded repositories, and these permissions besides the usual ones.
    pub fn permitting(permissions: &[(String, Access)]) -> Self {
        let github = Self::default();
        for (permission, access) in permissions {
            github.permit(permission, *access);
        }
        github
    }
}
