//! What tests do to GitHub, as people would, and how they look at what it holds.

use super::{
    GitHub, PULL_REQUEST,
    state::{Access, CheckRun, Comment, Deployment, Issue, IssueSeen, StoredComment, WorkflowRun, now},
};

impl GitHub {
    /// Sets a permission by its name in a workflow: `issues`, `pull-requests`, `deployments`, `checks`,
    /// `contents`, `actions`.
    pub fn permit(&self, permission: &str, access: Access) {
        self.lock().permissions.insert(permission.to_owned(), access);
    }

    /// Whether the commits' checks have ended, which a deployment without `required_contexts` wants.
    pub fn finish_checks(&self, repository: &str) {
        if let Some(repo) = self.lock().repo(repository) {
            repo.checks_pending = false;
        }
    }

    /// Makes a workflow run, or puts it into another state.
    pub fn run(&self, repository: &str, run: WorkflowRun) {
        if let Some(repo) = self.lock().repo(repository) {
            repo.runs.retain(|known| known.number != run.number);
            repo.runs.push(run);
        }
    }

    /// Ends a workflow run: `success`, `failure`, `cancelled`.
    pub fn end_run(&self, repository: &str, number: u64, conclusion: &str) {
        if let Some(repo) = self.lock().repo(repository) {
            let run = repo.runs.iter_mut().find(|run| run.number == number);
            if let Some(run) = run {
                run.conclusion = Some(conclusion.to_owned());
            }
        }
    }

    /// Changes the author of the latest deployment, which anyone with write access could have made.
    pub fn set_creator(&self, repository: &str, user: &str) {
        if let Some(repo) = self.lock().repo(repository)
            && let Some(latest) = repo.deployments.last_mut()
        {
            user.clone_into(&mut latest.creator);
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

    /// Makes a pull request one from a fork.
    pub fn fork_pull_request(&self, repository: &str, number: u64) {
        if let Some(repo) = self.lock().repo(repository) {
            repo.forks.insert(number);
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
