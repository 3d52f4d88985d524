//! Where this run stands among others of the same target: the one for the later event wins, the others give way.
//!
//! There is no state file. A run writes that it is at work into its GitHub deployment, and into a label on every service
//! that it changes. A run that comes to a point of no return reads both. What it finds is only a claim: it gives way once
//! GitHub has confirmed that the run is newer, and has deployed. As long as the newer run is at work, this one waits.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Services,
    claim::Claim,
    failed::Failed,
    github_pages as pages,
    other_runs::{Newer, OtherRuns},
    survey,
    workflow_runs::{Answer, Kind},
};
use crate::{
    event::{Context, RunId},
    github::{Deployment, DeploymentState, GitHub, RunState},
    google::run::types::Service,
    plan::{
        ModelPlan,
        target::{Target, label, run_in_labels},
    },
    units::human_duration,
};

/// Pauses between two looks while a build runs. A push in a row comes within minutes; later, what a look costs of
/// GitHub's limit (1,000 requests an hour for a repository) counts.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Longest time of a run that waits for a newer one. It has to end before its job's own limit, which no variable of the
/// runner gives: the starter workflow sets 180 minutes, and GitHub 360 where none is set.
const PATIENCE: Duration = Duration::from_secs(150 * 60);

/// GitHub not answering for so long leaves open how the newer run stands.
const SILENCE: Duration = Duration::from_secs(300);

/// This run, among others of the same environment.
pub struct Standing<'a> {
    services: &'a Services,
    others: OtherRuns<'a>,
    began: Instant,
    pub run: Option<RunId>,
    pub deployment: Option<Deployment>,
}

/// What is deployed where, for [`Standing::take`].
pub struct Environment<'a> {
    /// GitHub's name for it: `production`, `preview/pr-7`.
    pub name: &'a str,
    pub production: bool,
    pub commit: &'a str,
    pub context: &'a Context,
}

/// Whether the way is free.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    Free,
    /// A newer run was waited for, and has not deployed in the end: what was looked at before is old.
    Waited,
}

impl<'a> Standing<'a> {
    /// Publishes on GitHub that this run is at work on these services.
    pub async fn take(
        services: &'a Services,
        github: Option<&'a GitHub>,
        environment: &'a Environment<'a>,
        plans: &[&ModelPlan],
    ) -> Self {
        let context = environment.context;
        let kind = if environment.production {
            Kind::Production
        } else {
            Kind::Preview
        };
        let others = OtherRuns::new(
            github,
            context,
            (environment.name, kind),
            services.progress.as_ref(),
            &services.optional.deployments,
        );
        let images = plans
            .iter()
            .map(|plan| (place(&plan.target), plan.facts.image_key.clone()))
            .collect();
        let claim = Claim::new(context, images);
        Self {
            services,
            others,
            began: Instant::now(),
            run: context.run,
            deployment: pages::open_deployment(services, github, environment, &claim).await,
        }
    }

    /// Waits as long as a newer run is at work on `target`. `live` is the service as it is now.
    ///
    /// # Errors
    /// When a newer run has deployed `target`, or is still at it after [`PATIENCE`].
    pub async fn check(&self, target: &Target, live: Option<&Service>) -> Result<Turn, Failed> {
        match self.newer(target, live, Duration::ZERO).await {
            Some(newer) if newer.has_succeeded() => Err(newer.into_failed()),
            Some(newer) => self.follow(target, newer).await.map(|()| Turn::Waited),
            None => Ok(Turn::Free),
        }
    }

    /// Returns once a newer run is at work on `target`, or has deployed it.
    pub async fn overtaken(&self, target: &Target) -> Newer {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            // A look that fails is no reason to end the build.
            let live = survey::live_service(self.services, target).await.ok().flatten();
            if let Some(newer) = self.newer(target, live.as_ref(), pause / 2).await {
                return newer;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// As [`Self::check`], until the way is free.
    ///
    /// # Errors
    /// As [`Self::check`], or when the service can't be read.
    pub async fn wait(&self, target: &Target) -> Result<(), Failed> {
        loop {
            let live = survey::live_service(self.services, target).await?;
            if self.check(target, live.as_ref()).await? == Turn::Free {
                return Ok(());
            }
        }
    }

    /// Waits for the end of a newer run, with progress. Whether it has deployed is to be looked at again then.
    ///
    /// # Errors
    /// When its state can't be read, or it is still at work after [`PATIENCE`].
    async fn follow(&self, target: &Target, mut newer: Newer) -> Result<(), Failed> {
        let tempo = self.services.environment.tempo;
        let waited = |since: Instant| tempo.nominal(since.elapsed());
        let (began, mut pause, mut heard) = (Instant::now(), FIRST_PAUSE, Instant::now());
        loop {
            let Some(confirmed) = newer.confirmed.as_ref() else {
                // Its state can't be read.
                return Err(newer.into_failed());
            };
            match confirmed.state {
                RunState::Pending | RunState::Succeeded | RunState::Failed => return Ok(()),
                RunState::Active if waited(self.began) >= PATIENCE => return Err(newer.into_failed()),
                RunState::Active => {}
            }
            let said = format!(
                "run {} is newer and at work: waiting for its end ({})",
                newer.run.number,
                human_duration(waited(began))
            );
            self.services.progress.status(&target.service, &said);
            tempo.sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match self.others.again(&newer).await {
                Answer::Newer(now) => {
                    newer.confirmed = Some(now);
                    heard = Instant::now();
                }
                Answer::NotNewer | Answer::NotBegun => return Ok(()),
                Answer::Unknown if waited(heard) >= SILENCE => return Ok(()),
                Answer::Unknown => {}
            }
        }
    }

    /// Whether the labels have to name this run, though it has nothing to change: no deployment on GitHub does, and an
    /// older run that is still building would put its own over what this one found good.
    pub fn must_sign(&self, live: &Service) -> bool {
        self.run.is_some() && self.deployment.is_none() && run_in_labels(&live.labels) != self.run
    }

    /// Whether another run has written to the service since it was `before`. It is an older one, as [`Self::check`] has
    /// found no newer one.
    pub fn undone_by_older(&self, before: &Service, now: &Service) -> bool {
        let (before, now) = (run_in_labels(&before.labels), run_in_labels(&now.labels));
        now != before && now.is_some() && now != self.run
    }

    async fn newer(&self, target: &Target, live: Option<&Service>, age: Duration) -> Option<Newer> {
        let signed = live.and_then(|live| {
            let commit = live.labels.get(label::COMMIT).map(String::as_str);
            Some((run_in_labels(&live.labels)?, commit.unwrap_or_default()))
        });
        self.others
            .newer(&place(target), self.deployment.as_ref(), signed, age)
            .await
    }

    /// Sets the deployments inactive that earlier runs of these services left open, because they were killed. To be
    /// done before this run's own success is published: below a success nothing is open, and no run looks there again.
    pub async fn end_orphans(&self, targets: &[Target]) {
        let (Some(github), Some(own)) = (self.others.github, self.deployment.as_ref()) else {
            return;
        };
        let places: Vec<String> = targets.iter().map(place).collect();
        for earlier in self.others.all().await {
            if !places
                .iter()
                .any(|place| self.others.is_earlier(&earlier, own, place))
            {
                continue;
            }
            match self.others.state(earlier.id).await {
                Ok(Some(DeploymentState::Success)) => break,
                Ok(Some(state)) if !state.is_open() => {}
                Err(()) => {}
                Ok(_) => {
                    let said = "The run that made it was stopped";
                    let ended = github
                        .deployment_status(earlier.id, DeploymentState::Inactive, None, None, said)
                        .await;
                    if let Err(error) = ended {
                        self.others
                            .warn("an earlier run's deployment was not ended", &error);
                    }
                }
            }
        }
    }
}

/// The same model has the same text in every run of an environment: by its own name, because two runs may have found
/// different ones free for its preview.
fn place(target: &Target) -> String {
    format!("{}/{}/{}", target.project, target.region, target.model.name)
}

impl Newer {
    /// This run gives way.
    pub fn into_failed(self) -> Failed {
        let page = self.confirmed.as_ref().map(|run| run.url.as_str());
        Failed::superseded(&self.commit, page)
    }
}
