//! What GitHub holds in memory, and how tests look at it.

use std::{
    collections::{BTreeMap, HashMap},
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

/// One repository.
#[derive(Clone, Debug)]
pub(super) struct Repo {
    pub full_name: String,
    pub private: bool,
    pub issues: BTreeMap<u64, Issue>,
    pub comments: Vec<StoredComment>,
    pub deployments: Vec<StoredDeployment>,
    pub checks: Vec<StoredCheck>,
    /// Text by branch and path.
    pub files: BTreeMap<(String, String), String>,
    /// Branch that a pull request is to be merged into, where it is not the default one.
    pub bases: BTreeMap<u64, String>,
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
    permissions: HashMap<String, Access>,
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
            files: BTreeMap::new(),
            bases: BTreeMap::new(),
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

    /// Sets a permission by its name in a workflow: `issues`, `pull-requests`, `deployments`, `checks`, `contents`.
    pub fn permit(&self, permission: &str, access: Access) {
        self.lock().permissions.insert(permission.to_owned(), access);
    }

    /// Whether the commits' checks have ended, which a deployment without `required_contexts` wants.
    pub fn finish_checks(&self, repository: &str) {
        if let Some(repo) = self.lock().repo(repository) {
            repo.checks_pending = false;
        }
    }

    /// Adds a comment by somebody else. Nothing happens when there is no such repository.
    pub fn comment_as(&self, repository: &str, number: u64, user: &str, body: &str) {
        if let Some(repo) = self.lock().repo(repository) {
            let id = repo.take_id();
            let time = now();
            repo.comments.push(StoredComment {
                id,
                issue: number,
                user: user.to_owned(),
                body: body.to_owned(),
                created_at: time.clone(),
                updated_at: time,
            });
        }
    }

    /// Closes a pull request, as its author would.
    pub fn close_pull_request(&self, repository: &str, number: u64) {
        if let Some(issue) = self
            .lock()
            .repo(repository)
            .and_then(|repo| repo.issues.get_mut(&number))
        {
            issue.open = false;
            issue.closed_at = Some(now());
        }
    }

    /// Merges a pull request, which closes it.
    pub fn merge_pull_request(&self, repository: &str, number: u64) {
        self.close_pull_request(repository, number);
        if let Some(repo) = self.lock().repo(repository)
            && let Some(issue) = repo.issues.get_mut(&number)
        {
            issue.merged = true;
        }
    }

    /// Opens a further pull request, like the one that [`Self::seed`] makes but for its number.
    pub fn open_pull_request(&self, repository: &str, number: u64) {
        if let Some(repo) = self.lock().repo(repository)
            && let Some(mut issue) = repo.issues.get(&PULL_REQUEST).cloned()
        {
            issue.number = number;
            (issue.open, issue.closed_at, issue.merged) = (true, None, false);
            repo.issues.insert(number, issue);
        }
    }

    /// Comments on an issue or pull request, oldest first.
    pub fn comments(&self, repository: &str, number: u64) -> Vec<Comment> {
        let mut state = self.lock();
        let comments = state
            .repo(repository)
            .map(|repo| repo.comments.as_slice())
            .unwrap_or_default();
        comments
            .iter()
            .filter(|comment| comment.issue == number)
            .map(|comment| Comment {
                id: comment.id,
                user: comment.user.clone(),
                body: comment.body.clone(),
            })
            .collect()
    }

    /// Deployments, oldest first.
    pub fn deployments(&self, repository: &str) -> Vec<Deployment> {
        let mut state = self.lock();
        let deployments = state
            .repo(repository)
            .map(|repo| repo.deployments.as_slice())
            .unwrap_or_default();
        deployments
            .iter()
            .map(|one| Deployment {
                id: one.id,
                git_ref: one.git_ref.clone(),
                environment: one.environment.clone(),
                states: one.statuses.iter().map(|status| status.state.clone()).collect(),
                environment_url: one
                    .statuses
                    .iter()
                    .rev()
                    .map(|status| status.environment_url.clone())
                    .find(|url| !url.is_empty()),
            })
            .collect()
    }

    /// Check runs of a repository, oldest first.
    pub fn check_runs(&self, repository: &str) -> Vec<CheckRun> {
        let mut state = self.lock();
        let checks = state.repo(repository).map(|repo| repo.checks.clone());
        let checks = checks.unwrap_or_default().into_iter();
        checks
            .map(|one| CheckRun {
                name: one.name,
                head_sha: one.head_sha,
                status: one.status,
                conclusion: one.conclusion,
                title: one.title.unwrap_or_default(),
                summary: one.summary.unwrap_or_default(),
                annotations: one.annotations,
            })
            .collect()
    }

    /// Issues that are no pull requests, oldest first.
    pub fn issues(&self, repository: &str) -> Vec<IssueSeen> {
        let mut state = self.lock();
        let Some(repo) = state.repo(repository) else {
            return Vec::new();
        };
        let issues = repo.issues.values().filter(|issue| issue.head_sha.is_none());
        issues
            .map(|issue| IssueSeen {
                number: issue.number,
                title: issue.title.clone(),
                body: issue.body.clone().unwrap_or_default(),
                open: issue.open,
                state_reason: issue.state_reason.clone(),
                labels: issue.labels.clone(),
                user: issue.user.clone(),
            })
            .collect()
    }

    /// Opens an issue as somebody else would; its number. 0 when there is no such repository.
    pub fn open_issue_as(
        &self,
        repository: &str,
        user: &str,
        title: &str,
        body: &str,
        labels: &[&str],
    ) -> u64 {
        let mut state = self.lock();
        let Some(repo) = state.repo(repository) else {
            return 0;
        };
        let (number, time) = (repo.take_number(), now());
        let issue = Issue {
            number,
            title: title.to_owned(),
            body: Some(body.to_owned()),
            open: true,
            state_reason: None,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            user: user.to_owned(),
            locked: false,
            merged: false,
            created_at: time.clone(),
            updated_at: time,
            closed_at: None,
            head_sha: None,
        };
        repo.issues.insert(number, issue);
        number
    }

    /// Closes an issue as a person would: `completed`, `not_planned`.
    pub fn close_issue(&self, repository: &str, number: u64, reason: &str) {
        self.change_issue(repository, number, |issue| {
            issue.open = false;
            issue.state_reason = Some(reason.to_owned());
            issue.closed_at = Some(now());
        });
    }

    /// Locks an issue's conversation: the job's token can't comment any more.
    pub fn lock_issue(&self, repository: &str, number: u64) {
        self.change_issue(repository, number, |issue| issue.locked = true);
    }

    /// Rewrites an issue's body as a person would.
    pub fn edit_issue(&self, repository: &str, number: u64, body: &str) {
        self.change_issue(repository, number, |issue| issue.body = Some(body.to_owned()));
    }

    fn change_issue(&self, repository: &str, number: u64, change: impl FnOnce(&mut Issue)) {
        let mut state = self.lock();
        if let Some(issue) = state.repo(repository).and_then(|r| r.issues.get_mut(&number)) {
            change(issue);
        }
    }

    /// Deletes an issue, as an administrator can; one that was moved to another repository looks the same.
    pub fn delete_issue(&self, repository: &str, number: u64) {
        if let Some(repo) = self.lock().repo(repository) {
            repo.issues.remove(&number);
        }
    }

    /// Switches the repository's issues off, or on again. Pull requests stay.
    pub fn has_issues(&self, repository: &str, has: bool) {
        if let Some(repo) = self.lock().repo(repository) {
            repo.has_issues = has;
        }
    }

    /// Titles of open issues that are no pull requests.
    pub fn open_issues(&self, repository: &str) -> Vec<String> {
        let mut state = self.lock();
        let issues = state
            .repo(repository)
            .map(|repo| repo.issues.values().cloned().collect::<Vec<_>>());
        let issues = issues.unwrap_or_default().into_iter();
        issues
            .filter(|issue| issue.open && issue.head_sha.is_none())
            .map(|issue| issue.title)
            .collect()
    }
}
