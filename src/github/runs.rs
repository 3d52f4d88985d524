//! Workflow runs: whether a run that something names exists, what it is for, and how it stands.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::client::{GitHub, Purpose};
use super::error::Error;

/// The permission to read workflow runs.
pub const PERMISSION: &str = "actions: read";

/// A workflow run's latest attempt.
/// <https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run>
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WorkflowRun {
    pub id: u64,
    #[serde(default = "first")]
    pub run_attempt: u32,
    /// `queued`, `in_progress`, `completed`, …
    pub status: Option<String>,
    /// `success`, `failure`, `cancelled`, …; `None` until the run has ended.
    pub conclusion: Option<String>,
    /// The workflow's file, `.github/workflows/llm.yml`; GitHub may add `@` and a ref.
    #[serde(default)]
    pub path: String,
    /// `push`, `pull_request`, …
    #[serde(default)]
    pub event: String,
    pub head_branch: Option<String>,
    #[serde(default)]
    pub head_sha: String,
    /// When the latest attempt began.
    pub run_started_at: Option<DateTime<Utc>>,
    pub created_at: Option<DateTime<Utc>>,
    pub repository: Option<RunRepository>,
}

/// The repository of a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RunRepository {
    pub id: u64,
}

const fn first() -> u32 {
    1
}

/// How far a run's latest attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It waits for its turn in a `concurrency` group, and no job of it has begun.
    Pending,
    /// It waits or runs.
    Active,
    Succeeded,
    /// It failed, was cancelled or skipped, or timed out.
    Failed,
}

impl WorkflowRun {
    pub fn state(&self) -> RunState {
        match (self.status.as_deref(), self.conclusion.as_deref()) {
            (_, Some("success")) => RunState::Succeeded,
            (_, Some(_)) | (Some("completed"), None) => RunState::Failed,
            (Some("pending" | "requested"), None) => RunState::Pending,
            (_, None) => RunState::Active,
        }
    }

    /// The workflow's file without the ref.
    pub fn workflow(&self) -> &str {
        self.path.split('@').next().unwrap_or_default()
    }

    pub fn started_at(&self) -> Option<DateTime<Utc>> {
        self.run_started_at.or(self.created_at)
    }
}

impl GitHub {
    /// Returns a workflow run of this repository; `None` when there is none of this number.
    ///
    /// # Errors
    /// When the token lacks `actions: read`, or GitHub can't be reached.
    pub async fn workflow_run(&self, number: u64) -> Result<Option<WorkflowRun>, Error> {
        let action = format!("read workflow run {number}");
        let purpose = Purpose {
            action: &action,
            permission: PERMISSION,
        };
        match self
            .get(&self.route(&format!("actions/runs/{number}")), purpose)
            .await
        {
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_state_is_read_from_status_and_conclusion() {
        let run = |status: Option<&str>, conclusion: Option<&str>| -> RunState {
            let run = json!({"id": 1, "status": status, "conclusion": conclusion, "path": "a.yml@main"});
            let run: WorkflowRun = serde_json::from_value(run).unwrap();
            assert_eq!(run.workflow(), "a.yml");
            run.state()
        };
        for status in ["pending", "requested"] {
            assert_eq!(run(Some(status), None), RunState::Pending, "{status}");
        }
        for status in ["queued", "in_progress", "waiting"] {
            assert_eq!(run(Some(status), None), RunState::Active, "{status}");
        }
        assert_eq!(run(Some("completed"), Some("success")), RunState::Succeeded);
        for conclusion in ["failure", "cancelled", "skipped", "timed_out", "neutral", "stale"] {
            assert_eq!(
                run(Some("completed"), Some(conclusion)),
                RunState::Failed,
                "{conclusion}"
            );
        }
    }
}
