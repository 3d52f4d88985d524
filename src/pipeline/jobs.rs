//! The four jobs that an event can ask for: production, preview, clean-up, scheduled test.

use chrono::{DateTime, Utc};
use futures::future::join_all;

use super::{
    Services, cleanup,
    doctor::Gate,
    github_pages as pages,
    history::{self, Store},
    incident, live, model,
    recorder::Recorder,
    scheduled,
    standing::{Environment, Standing},
};
use crate::{
    config::Config,
    event::Context,
    github::GitHub,
    plan::{ModelPlan, target::Target},
    report::Status,
    signal,
};

/// What every job works with.
pub struct Job<'a> {
    pub services: &'a Services,
    pub config: &'a Config,
    pub context: &'a Context,
    pub github: Option<&'a GitHub>,
    /// Of the previews, see [`Target::source`].
    pub source: Option<String>,
    pub gate: Gate<'a>,
    /// What production has measured before.
    pub store: Store<'a>,
    pub now: DateTime<Utc>,
}

/// What came of a job, with sentences for the reader.
pub type Recorded = (Vec<Recorder>, Vec<String>);

impl<'a> Job<'a> {
    /// Deploys every model to its production service.
    pub async fn production(&self) -> Vec<Recorder> {
        let targets = self.production_targets().collect();
        let mut recorders = self.deploy_all(targets, "production", true).await;
        history::deployed(&self.store, self.run(), &mut recorders).await;
        recorders
    }

    /// Deploys every model to the pull request's own services.
    pub async fn preview(&self, number: u64, head: &str) -> Recorded {
        if pages::is_closed(self.services, self.github, number).await {
            let why = "The pull request was closed before this run began, so nothing was deployed.";
            let (recorders, mut notices) = self.closed(number).await;
            notices.push(why.to_owned());
            return (recorders, notices);
        }
        let repository = &self.context.repository;
        let models = self.config.models.iter();
        let targets = models
            .map(|model| Target {
                source: self.source.clone(),
                repository_id: self.context.repository_id,
                ..Target::preview(self.config, model, repository, head, number, self.now)
            })
            .collect();
        let recorders = self
            .deploy_all(targets, &pages::preview_environment(number), false)
            .await;
        // The pull request may have been closed, and cleaned up after, while this deployed.
        if !is_cancelled(&recorders) && pages::is_closed(self.services, self.github, number).await {
            let why =
                "The pull request was closed while this run deployed, so its preview was deleted again.";
            let (recorders, mut notices) = self.closed(number).await;
            notices.push(why.to_owned());
            return (recorders, notices);
        }
        let swapped = self.sweep_swapped(number, &recorders).await;
        (recorders, swapped)
    }

    /// Tests production as it is.
    pub async fn smoke(&self) -> Vec<Recorder> {
        let tested = self.test_all().await.into_iter();
        tested.map(|tested| tested.recorder).collect()
    }

    async fn test_all(&self) -> Vec<scheduled::Tested> {
        join_all(
            self.production_targets()
                .map(|target| scheduled::test(self.services, &self.store, target)),
        )
        .await
    }

    /// Tests production as it is, sweeps up previews, and tells of services that the configuration has forgotten.
    pub async fn schedule(&self) -> Recorded {
        let (tested, (found, unseen)) = futures::join!(self.test_all(), self.live_everywhere(None));
        let mut recorders = incident::follow(self, tested).await;
        recorders.extend(unseen);
        recorders.extend(self.sweep_among(&found).await);
        let (project, region) = (&self.config.project, &self.config.region);
        let own = found.iter().find(|found| self.is_own(&found.place));
        let own = own.map(|found| found.services.as_slice()).unwrap_or_default();
        let forgotten = cleanup::forgotten(own, self.context.into(), &self.config.models);
        let notices = forgotten.into_iter().map(|name| {
            format!(
                "Service `{name}` was deployed from this repository, but no model of the configuration is for it any more. Delete it if nobody calls it: `gcloud run services delete {name} --project {project} --region {region}`"
            )
        });
        (recorders, notices.collect())
    }

    fn production_targets(&self) -> impl Iterator<Item = Target> {
        let context = self.context;
        let models = self.config.models.iter();
        models.map(|model| Target {
            repository_id: context.repository_id,
            ..Target::production(self.config, model, &context.repository, &context.sha)
        })
    }

    /// All models at once: three take about as long as the slowest.
    async fn deploy_all(&self, targets: Vec<Target>, name: &str, production: bool) -> Vec<Recorder> {
        let commit = targets.first().map(|t| t.commit.clone()).unwrap_or_default();
        let (services, build) = (self.services, &self.config.build);
        let surveys = targets
            .into_iter()
            .map(|target| Box::pin(model::survey(&self.gate, services, &self.store, build, target)));
        let models = join_all(surveys).await;
        if models.iter().all(model::Model::is_cancelled) {
            return models.into_iter().map(model::Model::end).collect();
        }
        let environment = Environment {
            name,
            production,
            commit: &commit,
            context: self.context,
        };
        let plans: Vec<&ModelPlan> = models.iter().filter_map(model::Model::plan).collect();
        let standing = Standing::take(services, self.github, &environment, &plans);
        let Some(standing) = signal::unless_stopped(standing).await else {
            return models.into_iter().map(model::Model::cancelled).collect();
        };
        let targets: Vec<Target> = models.iter().map(|model| model.target.clone()).collect();
        let work = models
            .into_iter()
            .map(|model| Box::pin(model.carry_out(services, build, &standing)));
        let page = self.context.run_url.as_deref();
        let deployment = standing.deployment.as_ref().map(|made| made.id);
        let recorders = live::beside(services.environment.tempo, join_all(work), |ended| {
            pages::follow_deployment(services, page, self.github, deployment, ended)
        })
        .await;
        // A cancelled run has seconds left: the next one ends what was left open.
        if !is_cancelled(&recorders) {
            standing.end_orphans(&targets).await;
        }
        pages::close_deployment(services, page, self.github, deployment, &recorders).await;
        recorders
    }

    pub(super) fn run(&self) -> history::Run<'a> {
        history::Run {
            at: self.now,
            commit: &self.context.sha,
            id: self.context.run,
            url: self.context.run_url.as_deref(),
        }
    }
}

fn is_cancelled(recorders: &[Recorder]) -> bool {
    recorders.iter().any(|r| r.report.status == Status::Cancelled)
}
