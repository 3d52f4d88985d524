//! Whether the code that a run may have checked out is a stranger's: the head of a pull request from a fork.

use serde::Deserialize;

use super::{Error, Payload, Repository, printable};
use crate::environment::Environment;

/// Events that only those start who may write to the repository, with code that is in it.
const OWN: [&str; 5] = [
    "push",
    "schedule",
    "workflow_dispatch",
    "repository_dispatch",
    "merge_group",
];

/// Whose code the event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The repository's own.
    Own,
    /// The event names this pull request, and doesn't tell where its head is.
    OfPullRequest(u64),
}

#[derive(Default, Deserialize)]
struct Heads {
    issue: Option<Issue>,
    workflow_run: Option<WorkflowRun>,
    check_suite: Option<CheckSuite>,
    check_run: Option<CheckRun>,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    /// There when the issue is a pull request.
    pull_request: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct WorkflowRun {
    /// Null when the fork is gone.
    head_repository: Option<Repository>,
}

#[derive(Deserialize)]
struct CheckRun {
    check_suite: CheckSuite,
}

#[derive(Deserialize)]
struct CheckSuite {
    /// Null when the commit is on no branch of the repository, such as a fork's.
    head_branch: Option<String>,
}

/// Whether the event can be about a stranger's code at all; only then does its payload matter.
pub fn may_be_strange(env: &Environment) -> bool {
    env.get("GITHUB_EVENT_NAME")
        .is_some_and(|event| !OWN.contains(&event))
}

/// Whose code the event is about. The payloads are described at
/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.
///
/// # Errors
/// When it is a stranger's, and when the payload can't be read.
pub fn code(env: &Environment, payload: Option<&str>) -> Result<Code, Error> {
    let Some(event) = env.get("GITHUB_EVENT_NAME").filter(|_| may_be_strange(env)) else {
        return Ok(Code::Own);
    };
    if event == "pull_request_target" {
        return Err(Error::PullRequestTarget);
    }
    let text = payload.ok_or(Error::MissingVariable {
        variable: "GITHUB_EVENT_PATH",
    })?;
    let bad = |e: serde_json::Error| Error::BadPayload {
        event: printable(event),
        reason: e.to_string(),
    };
    let payload: Payload = serde_json::from_str(text).map_err(bad)?;
    let heads: Heads = serde_json::from_str(text).map_err(bad)?;
    let here = payload.repository.as_ref().and_then(|repository| repository.id);
    let foreign = [
        payload.pull_request.as_ref().map(|pull| pull.is_from_fork(here)),
        heads
            .workflow_run
            .map(|run| !is_same(run.head_repository.as_ref().and_then(|r| r.id), here)),
        heads.check_suite.map(|suite| suite.head_branch.is_none()),
        heads.check_run.map(|run| run.check_suite.head_branch.is_none()),
    ];
    if foreign.contains(&Some(true)) {
        return Err(Error::Fork {
            event: printable(event),
        });
    }
    match heads.issue {
        Some(issue) if issue.pull_request.is_some() => Ok(Code::OfPullRequest(issue.number)),
        _ => Ok(Code::Own),
    }
}

/// Unknown counts as foreign: a fork that is gone has no repository any more.
pub(super) fn is_same(head: Option<u64>, base: Option<u64>) -> bool {
    head.is_some() && head == base
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(event: &str, payload: Option<&Value>) -> Result<Code, Error> {
        let env = [("GITHUB_EVENT_NAME", event)].into_iter().collect();
        code(&env, payload.map(ToString::to_string).as_deref())
    }

    fn side(id: Option<u64>) -> Value {
        json!({"ref": "x", "sha": "0", "repo": id.map(|id| json!({ "id": id }))})
    }

    #[test]
    fn every_event_about_a_forks_head_is_refused() {
        for (event, more) in [
            (
                "pull_request",
                json!({"pull_request": {"number": 1, "head": side(Some(2)), "base": side(Some(1))}}),
            ),
            (
                "pull_request",
                json!({"pull_request": {"number": 1, "head": side(None), "base": side(Some(1))}}),
            ),
            (
                "pull_request_review",
                json!({"pull_request": {"number": 1, "head": side(Some(2)), "base": side(Some(1))}}),
            ),
            (
                "pull_request_review_comment",
                json!({"pull_request": {"number": 1, "head": side(Some(2)), "base": side(Some(1))}}),
            ),
            (
                "workflow_run",
                json!({"workflow_run": {"head_repository": {"id": 2}}}),
            ),
            ("workflow_run", json!({"workflow_run": {"head_repository": null}})),
            ("check_suite", json!({"check_suite": {"head_branch": null}})),
            (
                "check_run",
                json!({"check_run": {"check_suite": {"head_branch": null}}}),
            ),
        ] {
            let mut payload = json!({"repository": {"id": 1, "full_name": "octo/app"}});
            payload
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let error = of(event, Some(&payload)).unwrap_err();
            assert!(matches!(error, Error::Fork { .. }), "{event}: {error}");
        }
        assert!(matches!(
            of("pull_request_target", None),
            Err(Error::PullRequestTarget)
        ));
        assert!(matches!(
            of("pull_request", None),
            Err(Error::MissingVariable { .. })
        ));
        assert!(matches!(
            of("workflow_run", Some(&json!([]))),
            Err(Error::BadPayload { .. })
        ));
    }

    #[test]
    fn an_event_about_the_repositorys_own_code_is_not() {
        let here = json!({"id": 1, "full_name": "octo/app"});
        for (event, payload) in [
            ("push", None),
            ("schedule", None),
            ("workflow_dispatch", None),
            ("release", Some(json!({"repository": here}))),
            (
                "workflow_run",
                Some(json!({"repository": here, "workflow_run": {"head_repository": {"id": 1}}})),
            ),
            (
                "check_suite",
                Some(json!({"repository": here, "check_suite": {"head_branch": "main"}})),
            ),
            (
                "issue_comment",
                Some(json!({"repository": here, "issue": {"number": 3}})),
            ),
            (
                "pull_request",
                Some(json!({"repository": here,
                "pull_request": {"number": 1, "head": side(Some(1)), "base": side(Some(1))}})),
            ),
        ] {
            assert_eq!(of(event, payload.as_ref()).unwrap(), Code::Own, "{event}");
        }
        let comment = json!({"repository": here, "issue": {"number": 3, "pull_request": {"url": "x"}}});
        assert_eq!(
            of("issue_comment", Some(&comment)).unwrap(),
            Code::OfPullRequest(3)
        );
        assert_eq!(code(&Environment::default(), None).unwrap(), Code::Own);
    }
}
