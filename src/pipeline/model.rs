//! One model through all stages: plan, build, deploy, smoke, latency, traffic.

use std::sync::Arc;

use super::{
    Services, build,
    deploy::{self, Settled},
    doctor::Gate,
    facts,
    failed::{Blame, Failed},
    history::{Production, Store},
    own_build::OwnBuild,
    production,
    recorder::Recorder,
    standing::Standing,
    survey::{self, Surveyed},
    verify,
};
use crate::{
    config::{self, Access},
    google::run::types::Service,
    plan::{
        Action, ModelPlan,
        target::{Stage, Target},
    },
    report::Status,
    signal,
};

/// Times that a model is rolled out and tested anew because an older run put its own over it.
const ROUNDS: u32 = 3;

/// A model on its way: what is known of it before anything is changed.
pub struct Model {
    pub target: Target,
    recorder: Recorder,
    /// `None` when that failed, which the recorder then tells, or when the run was cancelled.
    surveyed: Option<Surveyed>,
}

/// Looks at what is there and plans.
pub async fn survey(
    gate: &Gate<'_>,
    services: &Services,
    store: &Store<'_>,
    config: &config::Build,
    target: Target,
) -> Model {
    let private = target.model.service.access == Access::Private;
    let progress = Arc::clone(&services.progress);
    let mut recorder = Recorder::new(&target.service, &target.model.id, private, progress)
        .on(&services.board)
        .hiding(services.environment.masks());
    recorder.report.api_key = target.model.service.has_api_key();
    recorder.facts = facts::of(services, &target).or(&facts::build(config));
    recorder.places = target.model.places.clone();
    let mut target = target;
    let work = recorder.stage("plan", async {
        let surveyed = gate
            .beside(survey::survey(services, config, target.clone()))
            .await?;
        let said = said(&surveyed.plan);
        Ok((surveyed, said))
    });
    let surveyed = signal::unless_stopped(work).await;
    if surveyed.is_none() {
        recorder.cancel();
    }
    let surveyed = surveyed.flatten();
    if let Some(surveyed) = &surveyed {
        target.clone_from(&surveyed.plan.target);
        rename(&mut recorder, &target);
        describe(services, &mut recorder, &surveyed.plan);
        let look = production::look(services, store, &mut recorder, &surveyed.plan);
        if signal::unless_stopped(look).await.is_none() {
            recorder.cancel();
        }
    }
    Model {
        target,
        recorder,
        surveyed,
    }
}

impl Model {
    pub fn plan(&self) -> Option<&ModelPlan> {
        self.surveyed.as_ref().map(|surveyed| &surveyed.plan)
    }

    pub fn is_cancelled(&self) -> bool {
        self.recorder.report.status == Status::Cancelled
    }

    /// What there is to tell when nothing more is done.
    pub fn end(self) -> Recorder {
        self.recorder
    }

    /// The same of a run that was asked to stop.
    pub fn cancelled(mut self) -> Recorder {
        self.recorder.cancel();
        self.recorder
    }

    /// Builds, deploys, tests, moves the traffic, and says how it went.
    pub async fn carry_out(
        mut self,
        services: &Services,
        config: &config::Build,
        standing: &Standing<'_>,
    ) -> Recorder {
        let Some(mut surveyed) = self.surveyed.take() else {
            return self.recorder.ended();
        };
        surveyed.plan.target.run = standing.run;
        let mut recorder = self.recorder;
        let run = ModelRun {
            services,
            config,
            standing,
            own: OwnBuild::default(),
        };
        // A failed stage has said why in the report; the stages after it are not reached.
        let work = run.stages(&surveyed, &mut recorder);
        if signal::unless_stopped(work).await.is_none() {
            recorder.cancel();
            run.own
                .cancel_and_tell(services, &surveyed.plan.target.service)
                .await;
        }
        recorder.ended()
    }
}

struct ModelRun<'a> {
    services: &'a Services,
    config: &'a config::Build,
    standing: &'a Standing<'a>,
    own: OwnBuild,
}

impl ModelRun<'_> {
    async fn stages(&self, surveyed: &Surveyed, recorder: &mut Recorder) -> Option<()> {
        let digest = match &surveyed.plan.facts.image_digest {
            Some(digest) => {
                recorder.skip("build", "the image was there");
                digest.clone()
            }
            None => {
                let built = recorder.stage("build", self.build(surveyed)).await;
                // Most of all when it failed.
                if let Some(url) = self.own.log_url() {
                    recorder.link("Build log", url);
                }
                built?.digest
            }
        };
        recorder.report.image = Some(format!("{}@{digest}", surveyed.plan.facts.image_path));
        for _ in 0..ROUNDS {
            if self.round(&surveyed.plan, &digest, recorder).await? {
                return Some(());
            }
        }
        let failed = Failed::new(
            Blame::Deployment,
            format!(
                "service {} was changed again and again",
                surveyed.plan.target.service
            ),
            "an older run put its own revision over this one's each time",
        )
        .fix("Run it again when the other run has ended");
        recorder.stage("traffic", async { Err(failed) }).await
    }

    /// Builds the image. When a newer run turns up that needs another one, the build is cancelled; else that run takes
    /// the build over. Should the newer run fail, the image is built after all.
    async fn build(&self, surveyed: &Surveyed) -> Result<(build::Built, String), Failed> {
        let (plan, standing) = (&surveyed.plan, self.standing);
        let (services, config) = (self.services, self.config);
        loop {
            standing.wait(&plan.target).await?;
            let newer = tokio::select! {
                done = build::build(services, config, plan, &surveyed.files, &self.own) => return done,
                newer = standing.overtaken(&plan.target) => newer,
            };
            if newer.image_key.as_ref() != Some(&plan.facts.image_key) {
                self.own.cancel_and_tell(services, &plan.target.service).await;
            }
        }
    }

    /// Deploys and tests; false when an older run undid it.
    async fn round(&self, surveyed: &ModelPlan, digest: &str, recorder: &mut Recorder) -> Option<bool> {
        let (services, standing) = (self.services, self.standing);
        links(recorder, &surveyed.target);
        let (plan, deployed) = recorder
            .stage("deploy", deploy::roll_out(services, standing, surveyed, digest))
            .await?;
        rename(recorder, &plan.target);
        links(recorder, &plan.target);
        recorder.report.changes = changes(&plan);
        recorder.report.expires_at = plan.expires_at();
        recorder.report.revision = Some(deployed.revision.clone());
        recorder.report.url = Some(deployed.url.clone());
        let at = (deployed.url.as_str(), deployed.audience.as_str());
        verify::verify(services, recorder, &plan.target.model, plan.startup_window, at).await?;
        let settling = deploy::settle(services, standing, &plan, &deployed);
        let settled = if deployed.candidate {
            recorder.stage("traffic", settling).await?
        } else {
            // Nothing is to be moved: only what is wrong gets a line in the report.
            match settling.await {
                Ok((settled, _)) => settled,
                Err(failed) => return recorder.stage("traffic", async { Err(failed) }).await,
            }
        };
        match settled {
            Settled::Serves(live) => {
                recorder.serves = in_production(&plan, &live, &deployed.revision);
                recorder.report.url = live.uri.or(Some(deployed.audience));
                Some(true)
            }
            Settled::Overtaken => Some(false),
        }
    }
}

/// What went into production, and what is known of it.
fn in_production(plan: &ModelPlan, live: &Service, revision: &str) -> Option<Production> {
    let target = &plan.target;
    if target.stage != Stage::Production {
        return None;
    }
    Some(Production {
        base_image: Some(target.model.image.base.clone()),
        model_revision: Some(plan.facts.commit.clone()),
        ..Production::of(live, revision, &target.commit)?
    })
}

fn said(plan: &ModelPlan) -> String {
    let steps = plan.steps();
    if steps.is_empty() {
        "nothing to do".to_owned()
    } else {
        steps.join(", ")
    }
}

fn describe(services: &Services, recorder: &mut Recorder, plan: &ModelPlan) {
    recorder.report.model_revision = Some(plan.facts.commit.clone());
    recorder.report.hourly_cost_usd = plan.hourly_cost_usd;
    recorder.report.idle_cost_usd = plan.idle_cost_usd;
    recorder.report.changes = changes(plan);
    recorder.report.expires_at = plan.expires_at();
    recorder.report.warnings.clone_from(&plan.warnings);
    for warning in &plan.warnings {
        services.progress.warn(&plan.target.service, warning);
    }
}

fn changes(plan: &ModelPlan) -> Vec<String> {
    match &plan.action {
        Action::Update { changes, .. } => changes.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Tells the service's name where it is another than was thought: a preview's is only known once it was looked at.
fn rename(recorder: &mut Recorder, target: &Target) {
    if recorder.report.service == target.service {
        return;
    }
    recorder.report.service.clone_from(&target.service);
    recorder.facts.set("service", &target.service);
}

/// Pages of the Google Cloud console, as soon as there is something to see.
pub(super) fn links(recorder: &mut Recorder, target: &Target) {
    let pages = ["Service", "Logs"];
    let known = &mut recorder.report.links;
    known.retain(|link| !pages.contains(&link.label.as_str()));
    let page = |tab: &str| {
        format!(
            "https://console.cloud.google.com/run/detail/{}/{}/{tab}?project={}",
            target.region, target.service, target.project
        )
    };
    recorder.link("Service", page("metrics"));
    recorder.link("Logs", page("logs"));
}
