//! The other runs of an environment, as far as they can be seen and GitHub confirms them. Requests are counted: a
//! repository has 1,000 an hour for all of its jobs.

use std::{collections::HashSet, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::{
    claim,
    optional::Optional,
    workflow_runs::{Answer, Confirmed, Kind, WorkflowRuns},
};
use crate::{
    event::{Context, RunId},
    github::{Deployment, DeploymentState, Error, GitHub, RunState},
    progress::Progress,
};

/// A newer run that has a claim on the same model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer {
    pub run: RunId,
    /// Commit, hex; may be empty.
    pub commit: String,
    /// Key of the image that it needs, as far as it is known.
    pub image_key: Option<String>,
    /// What GitHub says of the run; `None` when it could not be asked.
    pub confirmed: Option<Confirmed>,
}

/// The deployments of one environment. Without a GitHub token none can be seen.
pub struct OtherRuns<'a> {
    pub github: Option<&'a GitHub>,
    context: &'a Context,
    environment: &'a str,
    kind: Kind,
    runs: WorkflowRuns<'a>,
    progress: &'a dyn Progress,
    /// So that a permission that is missing is told once.
    optional: &'a Optional,
    /// Held while looking, so that all models of a run look once.
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    deployments: Vec<Deployment>,
    at: Option<Instant>,
    /// Failed or given up, which they stay.
    over: HashSet<u64>,
    /// The token may not look, now or later.
    refused: bool,
    /// They could not be listed the last time.
    unknown: bool,
}

impl<'a> OtherRuns<'a> {
    pub fn new(
        github: Option<&'a GitHub>,
        context: &'a Context,
        (environment, kind): (&'a str, Kind),
        progress: &'a dyn Progress,
        optional: &'a Optional,
    ) -> Self {
        Self {
            github,
            context,
            environment,
            kind,
            runs: WorkflowRuns::new(github, context, progress),
            progress,
            optional,
            seen: Mutex::default(),
        }
    }

    /// Returns a newer run that has deployed to `place`, or is at it. `own` is this run's deployment, whose author is
    /// ours and whose time is GitHub's; `signed` is the run in the service's label. Answers that another model got less than
    /// `age` ago will do. One that succeeded comes first: nothing needs to be waited for then.
    pub async fn newer(
        &self,
        place: &str,
        own: Option<&Deployment>,
        signed: Option<(RunId, &str)>,
        age: Duration,
    ) -> Option<Newer> {
        let mut found = self.newer_deployments(place, own, age).await;
        // Where deployments can be listed, they tell whether the run that signed has deployed.
        if let Some((run, commit)) = signed.filter(|(run, _)| self.can_meet(*run))
            && (own.is_none() || self.seen.lock().await.unknown)
        {
            found.extend(self.confirm(run, commit, None, age).await);
        }
        let succeeded =
            |one: &Newer| one.confirmed.as_ref().map(|run| run.state) == Some(RunState::Succeeded);
        let at = found.iter().position(succeeded).unwrap_or(0);
        found.into_iter().nth(at)
    }

    fn can_meet(&self, run: RunId) -> bool {
        self.context.run.is_some_and(|own| own.can_meet(run))
    }

    async fn newer_deployments(&self, place: &str, own: Option<&Deployment>, age: Duration) -> Vec<Newer> {
        let Some(own) = own else {
            return Vec::new();
        };
        let mut seen = self.seen.lock().await;
        self.fetch(&mut seen, age).await;
        let Seen {
            deployments, over, ..
        } = &mut *seen;
        let mut found = Vec::new();
        for deployment in deployments.iter() {
            if over.contains(&deployment.id) {
                continue;
            }
            let Some((run, image_key)) = claim::named(deployment, own, self.context, place) else {
                continue;
            };
            let Some(newer) = self
                .confirm(run, &deployment.sha, Some((deployment, own)), age)
                .await
            else {
                continue;
            };
            match self.state(deployment.id).await {
                // One that failed or was given up leaves the target to this run.
                Ok(Some(DeploymentState::Failure | DeploymentState::Error | DeploymentState::Inactive)) => {
                    over.insert(deployment.id);
                }
                // Without a status nothing was begun. Unknown: it puts its own over this run's in the end.
                Ok(None) | Err(()) => {}
                // The run has ended, but not with a success of this deployment.
                Ok(Some(state)) if state.is_open() && newer.has_succeeded() => {}
                Ok(Some(_)) => found.push(Newer {
                    image_key: Some(image_key),
                    ..newer
                }),
            }
        }
        found
    }

    /// What GitHub says of a run that a label or a deployment names; `None` when it is no newer one that could have
    /// deployed here, or failed.
    async fn confirm(
        &self,
        run: RunId,
        commit: &str,
        deployments: Option<(&Deployment, &Deployment)>,
        age: Duration,
    ) -> Option<Newer> {
        let newer = |confirmed: Option<Confirmed>| Newer {
            run,
            commit: commit.to_owned(),
            image_key: None,
            confirmed,
        };
        match self.runs.confirm(run, self.kind, age).await {
            Answer::NotNewer | Answer::NotBegun => None,
            Answer::Newer(found) if found.state == RunState::Failed => None,
            Answer::Newer(found) => Some(newer(Some(found))),
            Answer::Unknown if self.kind == Kind::Production => {
                self.runs.tell_unconfirmed(run);
                None
            }
            Answer::Unknown => self.seems_newer(run, deployments).then(|| newer(None)),
        }
    }

    /// Whether a run that GitHub could not be asked about is newer, by numbers and the order of deployments.
    fn seems_newer(&self, run: RunId, deployments: Option<(&Deployment, &Deployment)>) -> bool {
        let Some(own) = self.context.run else {
            return false;
        };
        if own.is_repeated() || run.is_repeated() {
            // Without deployments the order is not known.
            return deployments.is_some_and(|(other, own)| other.id > own.id);
        }
        run.number > own.number
    }

    /// What has become of a newer run meanwhile.
    pub async fn again(&self, newer: &Newer) -> Answer {
        self.runs.confirm(newer.run, self.kind, Duration::ZERO).await
    }

    /// The latest deployments, as they are now.
    pub async fn all(&self) -> Vec<Deployment> {
        let mut seen = self.seen.lock().await;
        self.fetch(&mut seen, Duration::ZERO).await;
        seen.deployments.clone()
    }

    /// Whether an earlier deployment is one of ours that names no newer run.
    pub fn is_earlier(&self, other: &Deployment, own: &Deployment, place: &str) -> bool {
        let run = claim::named(other, own, self.context, place).map(|(run, _)| run);
        let number = self.context.run.map(|own| own.number);
        let not_newer =
            |run: RunId| self.context.run.is_some_and(RunId::is_repeated) || Some(run.number) <= number;
        other.id < own.id && run.is_some_and(not_newer)
    }

    async fn fetch(&self, seen: &mut Seen, age: Duration) {
        let Some(github) = self.github.filter(|_| !seen.refused) else {
            return;
        };
        if seen.at.is_some_and(|at| at.elapsed() < age) {
            return;
        }
        seen.unknown = false;
        seen.deployments = match github.deployments(self.environment).await {
            Ok(found) => found,
            Err(error) => {
                seen.refused = matches!(error.http_status(), Some(401 | 403 | 404));
                self.warn("other runs can't be seen", &error);
                seen.unknown = true;
                Vec::new()
            }
        };
        seen.at = Some(Instant::now());
    }

    /// `Ok(None)` before the first one. The error has been told.
    pub async fn state(&self, id: u64) -> Result<Option<DeploymentState>, ()> {
        let Some(github) = self.github else {
            return Ok(None);
        };
        let state = github.deployment_state(id).await;
        state.map_err(|error| self.warn("other runs can't be seen", &error))
    }

    pub fn warn(&self, what: &str, error: &Error) {
        self.optional.tell(self.progress, &format!("{what}: {error}"));
    }
}

impl Newer {
    pub fn has_succeeded(&self) -> bool {
        self.confirmed.as_ref().map(|run| run.state) == Some(RunState::Succeeded)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        environment::Environment,
        google::testing::{Asked, Scripted, Server, answer},
        progress::Silent,
    };

    const PLACE: &str = "p/r/qwen";
    const MINUTE: Duration = Duration::from_secs(60);
    const WORKFLOW: &str = ".github/workflows/llm.yml";

    fn github(server: &Server) -> GitHub {
        let environment: Environment = [
            ("GITHUB_API_URL", server.base.as_str()),
            ("GITHUB_REPOSITORY", "octo/app"),
        ]
        .into_iter()
        .collect();
        GitHub::new(&environment, &"token".into()).unwrap()
    }

    fn context(run: &str) -> Context {
        Context {
            repository_id: Some(7),
            ref_name: "main".to_owned(),
            run: run.parse().ok(),
            event: "push".to_owned(),
            workflow: Some(WORKFLOW.to_owned()),
            ..Context::default()
        }
    }

    fn deployment(run: u64) -> Value {
        let claim = json!({
            "llm-deploy-run": format!("{run}-0"), "server": "", "repository-id": 7, "images": {PLACE: "key"},
        });
        json!({
            "id": run, "sha": format!("sha-{run}"), "payload": claim, "creator": {"id": 1},
            "created_at": "2026-11-30T12:00:00Z",
        })
    }

    fn workflow_run(number: u64, conclusion: Option<&str>) -> Value {
        json!({
            "id": number, "status": conclusion.map_or("in_progress", |_| "completed"), "conclusion": conclusion,
            "path": WORKFLOW, "event": "push", "head_branch": "main", "head_sha": format!("sha-{number}"),
        })
    }

    /// The number after this part of a request's path.
    fn number_after(line: &str, part: &str) -> Option<u64> {
        let rest = line.split_once(part)?.1;
        rest.split(['/', ' ', '?']).next()?.parse().ok()
    }

    /// Deployments of runs 43 and 44, newest first, with these states and runs.
    async fn server(
        state: impl Fn(u64) -> Scripted + Send + Sync + 'static,
        run: impl Fn(u64) -> Scripted + Send + Sync + 'static,
    ) -> Server {
        let list = json!([deployment(44), deployment(43)]);
        Server::start(move |asked: &Asked| {
            let line = &asked.line;
            if let Some(number) = number_after(line, "/actions/runs/") {
                run(number)
            } else if let Some(number) = number_after(line, "/deployments/") {
                state(number)
            } else {
                answer(200, list.clone())
            }
        })
        .await
    }

    fn is(state: &str) -> Scripted {
        answer(200, json!([{"state": state}]))
    }

    fn at_work(number: u64) -> Scripted {
        answer(200, workflow_run(number, None))
    }

    fn refused() -> Scripted {
        answer(403, json!({"message": "Resource not accessible by integration"}))
    }

    struct World {
        github: GitHub,
        context: Context,
        optional: Optional,
        own: Deployment,
        kind: Kind,
    }

    impl World {
        fn new(server: &Server, run: &str) -> Self {
            Self {
                github: github(server),
                context: context(run),
                optional: Optional::new("left out", "deployments: write"),
                own: serde_json::from_value(deployment(42)).unwrap(),
                kind: Kind::Production,
            }
        }

        fn others(&self) -> OtherRuns<'_> {
            let environment = ("production", self.kind);
            OtherRuns::new(
                Some(&self.github),
                &self.context,
                environment,
                &Silent,
                &self.optional,
            )
        }

        async fn newer(&self) -> Option<u64> {
            let found = self
                .others()
                .newer(PLACE, Some(&self.own), None, Duration::ZERO)
                .await;
            found.map(|newer| newer.run.number)
        }
    }

    #[tokio::test]
    async fn models_that_look_at_the_same_time_look_once() {
        let server = server(|_| is("failure"), at_work).await;
        let world = World::new(&server, "42-0");
        let others = world.others();
        for _ in 0..10 {
            assert_eq!(others.newer(PLACE, Some(&world.own), None, MINUTE).await, None);
        }
        assert_eq!(server.lines().len(), 5, "{:?}", server.lines());
        others.newer(PLACE, Some(&world.own), None, Duration::ZERO).await;
        assert_eq!(server.lines().len(), 6, "what has failed was asked for again");
    }

    #[tokio::test]
    async fn a_token_that_may_not_look_is_not_used_again_and_again() {
        let server = Server::start(|_| refused()).await;
        let world = World::new(&server, "42-0");
        let others = world.others();
        for _ in 0..10 {
            let found = others.newer(PLACE, Some(&world.own), None, Duration::ZERO).await;
            assert_eq!(found, None);
        }
        assert_eq!(server.lines().len(), 1);
    }

    #[tokio::test]
    async fn a_newer_run_counts_while_it_is_at_work_and_once_it_has_deployed() {
        for (state, conclusion, counts) in [
            ("queued", None, true),
            ("in_progress", None, true),
            ("success", None, true),
            ("success", Some("success"), true),
            // Its deployment was not brought to an end.
            ("in_progress", Some("success"), false),
            ("failure", None, false),
            ("inactive", Some("success"), false),
            ("success", Some("failure"), false),
            ("success", Some("cancelled"), false),
            ("in_progress", Some("cancelled"), false),
        ] {
            let server = server(
                move |number| is(if number == 43 { state } else { "failure" }),
                move |number| answer(200, workflow_run(number, conclusion)),
            )
            .await;
            let found = World::new(&server, "42-0").newer().await;
            assert_eq!(found, counts.then_some(43), "{state}, {conclusion:?}");
        }
    }

    #[tokio::test]
    async fn a_deployment_without_a_status_or_of_unknown_state_ends_no_older_run() {
        let server = server(
            |number| match number {
                44 => answer(403, json!({"message": "No."})),
                _ => answer(200, json!([])),
            },
            at_work,
        )
        .await;
        assert_eq!(World::new(&server, "42-0").newer().await, None);
    }

    #[tokio::test]
    async fn what_github_does_not_confirm_makes_no_production_run_give_way() {
        let missing = || answer(404, json!({"message": "Not Found"}));
        let server_without = server(|_| is("success"), move |_| missing()).await;
        assert_eq!(
            World::new(&server_without, "42-0").newer().await,
            None,
            "no such run"
        );
        let server = server(|_| is("success"), |_| refused()).await;
        let mut world = World::new(&server, "42-0");
        assert_eq!(world.newer().await, None, "no `actions: read`");
        world.kind = Kind::Preview;
        assert_eq!(world.newer().await, Some(44), "a preview follows the numbers");
        world.own.creator = None;
        assert_eq!(
            world.newer().await,
            None,
            "whose deployments they are is not known"
        );
    }

    #[tokio::test]
    async fn a_label_that_names_no_newer_run_makes_no_production_run_give_way() {
        let server = server(
            |_| is("failure"),
            |number| match number {
                43 => answer(200, workflow_run(43, Some("success"))),
                _ => answer(404, json!({"message": "Not Found"})),
            },
        )
        .await;
        let world = World::new(&server, "42-0");
        let others = world.others();
        for (label, found) in [
            ("43-0", Some(43)),
            ("45-0", None),
            ("41-0", None),
            ("42-3", None),
            ("99999999999-0", None),
            ("18446744073709551615-4294967295", None),
        ] {
            let signed = Some((label.parse().unwrap(), "c0ffee"));
            let newer = others.newer(PLACE, None, signed, MINUTE).await;
            assert_eq!(newer.map(|newer| newer.run.number), found, "{label}");
        }
    }

    #[tokio::test]
    async fn only_earlier_deployments_of_runs_that_are_not_newer_are_orphans() {
        let server = server(|_| is("success"), at_work).await;
        let world = World::new(&server, "42-0");
        let other = |id: u64, run: u64| -> Deployment {
            let mut value = deployment(run);
            value["id"] = json!(id);
            serde_json::from_value(value).unwrap()
        };
        let is_earlier = |other: &Deployment| world.others().is_earlier(other, &world.own, PLACE);
        assert!(is_earlier(&other(41, 41)));
        assert!(
            !is_earlier(&other(41, 43)),
            "a newer run that was quicker to begin"
        );
        assert!(!is_earlier(&other(43, 41)), "began after this one");
        assert!(!world.others().is_earlier(&other(41, 41), &world.own, "p/r/other"));
    }
}
