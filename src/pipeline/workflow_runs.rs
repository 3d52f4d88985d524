//! The other runs of this workflow, as GitHub knows them. A deployment, a label or a comment can name any run: anyone
//! with write access, and every job with the permission, can write one. A named run counts only once GitHub has
//! confirmed it.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{
    sync::{Mutex, OnceCell},
    time::Instant,
};

use super::optional::Optional;
use crate::{
    event::{Context, RunId},
    github::{GitHub, PERMISSION_TO_READ_RUNS, RunState, WorkflowRun},
    progress::Progress,
};

/// What a run that is named would have deployed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Production,
    Preview,
}

/// What GitHub says of a run that something names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It exists, is of this workflow, may deploy to the same place, and began after this run.
    Newer(Confirmed),
    NotNewer,
    /// It is newer, but no job of it has begun.
    NotBegun,
    /// GitHub could not be asked: no token, no `actions: read`, or no answer.
    Unknown,
}

/// A newer run that GitHub knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    pub number: u64,
    pub state: RunState,
    /// Its page.
    pub url: String,
    /// Commit, 40 hex digits; may be empty.
    pub commit: String,
}

/// Asks GitHub about runs, and keeps the answers that stay the same.
pub struct WorkflowRuns<'a> {
    github: Option<&'a GitHub>,
    context: &'a Context,
    progress: &'a dyn Progress,
    optional: Optional,
    /// This run, where GitHub could be asked about it.
    own: OnceCell<Option<WorkflowRun>>,
    began: DateTime<Utc>,
    told: AtomicBool,
    /// The latest answer and when it came.
    known: Mutex<HashMap<RunId, (Instant, Answer)>>,
}

impl<'a> WorkflowRuns<'a> {
    pub fn new(github: Option<&'a GitHub>, context: &'a Context, progress: &'a dyn Progress) -> Self {
        Self {
            github,
            context,
            progress,
            optional: Optional::new("other runs were not confirmed", PERMISSION_TO_READ_RUNS),
            own: OnceCell::new(),
            began: Utc::now(),
            told: AtomicBool::new(false),
            known: Mutex::default(),
        }
    }

    /// Looks a run up that something names. An answer that can change is asked for again once it is `age` old.
    pub async fn confirm(&self, named: RunId, kind: Kind, age: Duration) -> Answer {
        let Some(own) = self.context.run.filter(|own| own.number != named.number) else {
            return Answer::NotNewer;
        };
        // Told by the numbers alone, as long as no person repeated one of the two runs.
        if !own.is_repeated() && !named.is_repeated() && named.number < own.number {
            return Answer::NotNewer;
        }
        let mut known = self.known.lock().await;
        if let Some((at, answer)) = known.get(&named)
            && (is_final(answer) || at.elapsed() < age)
        {
            return answer.clone();
        }
        let answer = self.ask(own, named.number, kind).await;
        known.insert(named, (Instant::now(), answer.clone()));
        answer
    }

    /// Says once that a run may be newer, and why this one goes on all the same.
    pub fn tell_unconfirmed(&self, run: RunId) {
        if self.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let number = run.number;
        let why = match self.github {
            None => "without a GitHub token it can't be asked whether that is true".to_owned(),
            Some(_) => format!("GitHub did not confirm it: give the job `{PERMISSION_TO_READ_RUNS}`"),
        };
        self.progress.warn(
            "github",
            &format!("run {number} seems to be newer, but this one goes on: {why}"),
        );
    }

    async fn ask(&self, own: RunId, number: u64, kind: Kind) -> Answer {
        let Some(found) = self.fetch(number).await else {
            return Answer::Unknown;
        };
        let Some(found) = found else {
            return Answer::NotNewer;
        };
        let known_to_github = match self.context.workflow {
            Some(_) if !own.is_repeated() && found.run_attempt <= 1 => None,
            _ => self
                .own
                .get_or_init(|| async { self.fetch(own.number).await.flatten() })
                .await
                .as_ref(),
        };
        let this = ThisRun {
            id: own,
            workflow: self
                .context
                .workflow
                .as_deref()
                .or(known_to_github.map(WorkflowRun::workflow)),
            started_at: known_to_github
                .and_then(WorkflowRun::started_at)
                .unwrap_or(self.began),
            context: self.context,
        };
        if !this.may_give_way_to(&found, kind) {
            return Answer::NotNewer;
        }
        // It can't have claimed anything yet, and may be waiting for this run's own end.
        if found.state() == RunState::Pending {
            return Answer::NotBegun;
        }
        let page = || {
            format!(
                "{}/{}/actions/runs/{number}",
                self.context.server_url, self.context.repository
            )
        };
        Answer::Newer(Confirmed {
            number,
            state: found.state(),
            url: page(),
            commit: found.head_sha,
        })
    }

    /// `None` when GitHub could not be asked, `Some(None)` when it has no such run.
    async fn fetch(&self, number: u64) -> Option<Option<WorkflowRun>> {
        let github = self.github?;
        let work = github.workflow_run(number);
        self.optional.run(self.progress, work).await
    }
}

/// A run that has ended stays as it is, and so does one that is no match. One that could not be looked up may be
/// there a moment later.
fn is_final(answer: &Answer) -> bool {
    match answer {
        Answer::Newer(run) => matches!(run.state, RunState::Succeeded | RunState::Failed),
        Answer::NotNewer => true,
        Answer::NotBegun | Answer::Unknown => false,
    }
}

/// What is known of this run.
struct ThisRun<'a> {
    id: RunId,
    workflow: Option<&'a str>,
    started_at: DateTime<Utc>,
    context: &'a Context,
}

impl ThisRun<'_> {
    /// Whether `other` is a later run of the same workflow and repository that may deploy to the same place. Pure.
    fn may_give_way_to(&self, other: &WorkflowRun, kind: Kind) -> bool {
        let context = self.context;
        let later = if self.id.is_repeated() || other.run_attempt > 1 {
            other.started_at().is_some_and(|other| other > self.started_at)
        } else {
            other.id > self.id.number
        };
        let same_repository = match (&other.repository, context.repository_id) {
            (Some(theirs), Some(ours)) => theirs.id == ours,
            // GitHub answers for the repository in the address.
            _ => true,
        };
        let branch = other.head_branch.as_deref();
        let is_ours = |event: &str| !event.is_empty() && event == context.event;
        let may_deploy = match kind {
            Kind::Production => {
                let branches = [context.default_branch.as_deref(), Some(context.ref_name.as_str())];
                let event =
                    matches!(other.event.as_str(), "push" | "workflow_dispatch") || is_ours(&other.event);
                event && branch.is_some_and(|branch| !branch.is_empty() && branches.contains(&Some(branch)))
            }
            Kind::Preview => matches!(other.event.as_str(), "pull_request") || is_ours(&other.event),
        };
        later && same_repository && may_deploy && self.workflow.is_some_and(|own| own == other.workflow())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        environment::Environment,
        google::testing::{Server, answer},
        progress::Silent,
    };

    fn context() -> Context {
        Context {
            repository: "octo/app".to_owned(),
            repository_id: Some(7),
            ref_name: "main".to_owned(),
            default_branch: Some("main".to_owned()),
            run: "42-0".parse().ok(),
            server_url: "https://github.com".to_owned(),
            event: "push".to_owned(),
            workflow: Some(".github/workflows/llm.yml".to_owned()),
            ..Context::default()
        }
    }

    /// A push to main by this workflow, a minute after run 42.
    fn run(number: u64) -> Value {
        json!({
            "id": number, "run_attempt": 1, "status": "in_progress", "conclusion": null,
            "path": ".github/workflows/llm.yml", "event": "push", "head_branch": "main", "head_sha": "c0ffee",
            "run_started_at": "2026-11-30T12:01:00Z", "created_at": "2026-11-30T12:01:00Z", "repository": {"id": 7},
        })
    }

    fn confirmed(other: Value, context: &Context, kind: Kind) -> bool {
        let this = ThisRun {
            id: context.run.unwrap(),
            workflow: context.workflow.as_deref(),
            started_at: "2026-11-30T12:00:00Z".parse().unwrap(),
            context,
        };
        this.may_give_way_to(&serde_json::from_value(other).unwrap(), kind)
    }

    #[test]
    fn each_fact_of_a_newer_run_is_required() {
        let context = context();
        assert!(confirmed(run(43), &context, Kind::Production));
        for (field, value) in [
            ("id", json!(41)),
            ("path", json!(".github/workflows/other.yml")),
            ("path", json!("")),
            ("event", json!("pull_request")),
            ("event", json!("schedule")),
            ("event", json!("")),
            ("head_branch", json!("feature")),
            ("head_branch", json!("")),
            ("head_branch", Value::Null),
            ("repository", json!({"id": 8})),
        ] {
            let mut other = run(43);
            other[field] = value.clone();
            assert!(!confirmed(other, &context, Kind::Production), "{field}: {value}");
        }
        let unknown = Context {
            workflow: None,
            ..context
        };
        assert!(!confirmed(run(43), &unknown, Kind::Production));
    }

    #[test]
    fn a_repeated_run_counts_from_when_it_was_repeated() {
        let repeated = Context {
            run: "42-1".parse().ok(),
            ..context()
        };
        let mut before = run(43);
        before["run_started_at"] = json!("2026-11-30T11:00:00Z");
        assert!(
            !confirmed(before, &repeated, Kind::Production),
            "it was over before"
        );
        assert!(confirmed(run(44), &repeated, Kind::Production));
        let mut older = run(41);
        older["run_attempt"] = json!(2);
        assert!(
            confirmed(older.clone(), &context(), Kind::Production),
            "it was repeated later"
        );
        older["run_started_at"] = json!("2026-11-30T11:00:00Z");
        assert!(!confirmed(older, &context(), Kind::Production));
    }

    #[tokio::test]
    async fn an_answer_that_can_change_is_asked_for_again_and_another_is_not() {
        let server = Server::start(|asked| {
            let number = asked.line.split('/').next_back().unwrap_or_default();
            let number = number.split(' ').next().unwrap_or_default().parse().unwrap_or(0);
            match number {
                45 => answer(404, json!({"message": "Not Found"})),
                46 => answer(403, json!({"message": "Resource not accessible by integration"})),
                44 => {
                    let mut ended = run(44);
                    ended["status"] = json!("completed");
                    ended["conclusion"] = json!("success");
                    answer(200, ended)
                }
                48 => {
                    let mut waits = run(48);
                    waits["status"] = json!("pending");
                    // Also when a person repeated it.
                    waits["run_attempt"] = json!(2);
                    waits["run_started_at"] = json!("2126-11-30T12:01:00Z");
                    answer(200, waits)
                }
                number => answer(200, run(number)),
            }
        })
        .await;
        let environment: Environment = [
            ("GITHUB_API_URL", server.base.as_str()),
            ("GITHUB_REPOSITORY", "octo/app"),
        ]
        .into_iter()
        .collect();
        let (github, context) = (GitHub::new(&environment, &"token".into()).unwrap(), context());
        let runs = WorkflowRuns::new(Some(&github), &context, &Silent);
        let ask = async |named: &str| {
            let answer = runs
                .confirm(named.parse().unwrap(), Kind::Production, Duration::ZERO)
                .await;
            (answer, server.lines().len())
        };
        let (first, _) = ask("43-0").await;
        assert!(
            matches!(&first, Answer::Newer(run) if run.state == RunState::Active
                && run.url == "https://github.com/octo/app/actions/runs/43"),
            "{first:?}"
        );
        assert_eq!(ask("43-0").await, (first, 2));
        let (ended, _) = ask("44-0").await;
        assert!(
            matches!(&ended, Answer::Newer(run) if run.state == RunState::Succeeded),
            "{ended:?}"
        );
        assert_eq!(ask("44-0").await, (ended, 3));
        assert_eq!(ask("45-0").await, (Answer::NotNewer, 4));
        assert_eq!(ask("45-0").await, (Answer::NotNewer, 4));
        assert_eq!(
            ask("41-0").await,
            (Answer::NotNewer, 4),
            "an older one needs no question"
        );
        assert_eq!(ask("42-7").await, (Answer::NotNewer, 4), "this run itself");
        assert_eq!(
            ask("48-0").await,
            (Answer::NotBegun, 6),
            "it may wait for this one"
        );
        assert_eq!(ask("46-0").await, (Answer::Unknown, 7));
        assert_eq!(
            ask("47-0").await,
            (Answer::Unknown, 7),
            "what is not permitted is not tried again"
        );
    }
}
