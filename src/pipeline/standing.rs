//! Where this run stands among others of the same target: the one for the later event wins, the others give way.
//!
//! There is no state file. A run says that it is at work in its GitHub deployment, and on every service that it
//! changes in a label; whoever comes to a point of no return looks at both. Without a GitHub token the labels are all
//! there is.

use std::time::Duration;

use super::{
    Services,
    failed::Failed,
    github_pages as pages,
    others::{Claim, Newer, Others},
    survey,
};
use crate::{
    event::RunId,
    github::{DeploymentState, GitHub},
    google::run::types::Service,
    plan::{
        ModelPlan,
        rank::Rank,
        target::{Target, label},
    },
};

/// Pauses between two looks while a build runs. A push in a row comes within minutes; later, what a look costs of
/// GitHub's limit (1,000 requests an hour for a repository) counts.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// This run, among others of the same environment.
pub struct Standing<'a> {
    services: &'a Services,
    others: Others<'a>,
    /// Whether this is a workflow's run.
    of_workflow: bool,
    pub rank: Rank,
    pub deployment: Option<u64>,
}

/// What is deployed where, for [`Standing::take`].
pub struct Environment<'a> {
    /// GitHub's name for it: `production`, `preview/pr-7`.
    pub name: &'a str,
    pub production: bool,
    pub commit: &'a str,
    pub run: Option<RunId>,
    pub run_url: Option<&'a str>,
}

impl<'a> Standing<'a> {
    /// Says on GitHub that this run is at work on these services.
    pub async fn take(
        services: &'a Services,
        github: Option<&'a GitHub>,
        environment: &'a Environment<'a>,
        plans: &[&ModelPlan],
    ) -> Self {
        let mut standing = Self {
            services,
            others: Others::new(
                github,
                environment.name,
                services.progress.as_ref(),
                &services.optional.deployments,
            ),
            of_workflow: environment.run.is_some(),
            rank: Rank::default(),
            deployment: None,
        };
        standing.rank = match Rank::of(environment.run) {
            Some(rank) => rank,
            None => Rank::above(standing.seen(plans).await, environment.run),
        };
        let claim = Claim {
            run: standing.rank.to_string(),
            images: plans
                .iter()
                .map(|plan| (place(&plan.target), plan.facts.image_key.clone()))
                .collect(),
        };
        standing.deployment = pages::open_deployment(services, github, environment, &claim).await;
        standing
    }

    /// The ranks of all that was there before.
    async fn seen(&self, plans: &[&ModelPlan]) -> Vec<Rank> {
        let live = plans.iter().filter_map(|plan| plan.facts.live.as_ref());
        let mut seen: Vec<Rank> = live.filter_map(|live| Rank::in_labels(&live.labels)).collect();
        let claims = self.others.all().await;
        seen.extend(
            claims
                .iter()
                .filter_map(Claim::of)
                .filter_map(|claim| claim.rank()),
        );
        seen
    }

    /// # Errors
    /// When a newer run has deployed `target`, or is at it. `live` is the service as it is now.
    pub async fn check(&self, target: &Target, live: Option<&Service>) -> Result<(), Failed> {
        match self.newer(target, live, Duration::ZERO).await {
            Some(newer) => Err(newer.into_failed()),
            None => Ok(()),
        }
    }

    /// Returns once a newer run is at work on `target`.
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

    /// Whether the labels have to say that this run was here, though it has nothing to change: no deployment on GitHub
    /// does, and an older run that is still building would put its own over what this one found good.
    pub fn must_sign(&self, live: &Service) -> bool {
        self.of_workflow && self.deployment.is_none() && Rank::in_labels(&live.labels) < Some(self.rank)
    }

    /// Whether an older run has written to the service since it was `before`.
    pub fn undone_by_older(&self, before: &Service, now: &Service) -> bool {
        let (before, now) = (Rank::in_labels(&before.labels), Rank::in_labels(&now.labels));
        now != before && now.is_some_and(|now| now < self.rank)
    }

    async fn newer(&self, target: &Target, live: Option<&Service>, age: Duration) -> Option<Newer> {
        let labels = live.map(|live| &live.labels);
        if let Some(labels) = labels.filter(|labels| Rank::in_labels(labels) > Some(self.rank)) {
            return Some(Newer {
                commit: labels.get(label::COMMIT).cloned().unwrap_or_default(),
                image_key: None,
            });
        }
        self.others.newer(self.rank, &place(target), age).await
    }

    /// Sets the deployments inactive that earlier runs of these services left open, because they were killed. To be
    /// done before this run's own success is told: below a success nothing is open, and nobody looks there again.
    pub async fn end_orphans(&self, targets: &[Target]) {
        let (Some(github), Some(own)) = (self.others.github, self.deployment) else {
            return;
        };
        let places: Vec<String> = targets.iter().map(place).collect();
        for earlier in self.others.all().await.into_iter().filter(|one| one.id < own) {
            let ours = Claim::of(&earlier).filter(|claim| claim.rank() <= Some(self.rank));
            if !ours.is_some_and(|claim| places.iter().any(|place| claim.images.contains_key(place))) {
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
    pub fn into_failed(self) -> Failed {
        Failed::superseded(&self.commit)
    }
}
