//! One model through all stages: plan, build, deploy, smoke, latency, traffic.

use std::sync::Arc;

use super::{Services, build, deploy, recorder::Recorder, survey, verify};
use crate::{
    config::{self, Access},
    google::run::types::Service,
    plan::{
        Action, ModelPlan,
        target::{Stage, Target},
    },
};

/// Deploys one target and says how it went.
pub async fn run(services: &Services, config: &config::Build, target: Target) -> Recorder {
    let private = target.model.service.access == Access::Private;
    let mut recorder = Recorder::new(
        &target.service,
        &target.model.id,
        private,
        Arc::clone(&services.progress),
    );
    if let Stage::Preview { expires_at, .. } = &target.stage {
        recorder.report.expires_at = Some(*expires_at);
    }
    links(&mut recorder, &target);
    // A failed stage has said why in the report; the stages after it are not reached.
    let _ = stages(services, config, target, &mut recorder).await;
    recorder
}

async fn stages(
    services: &Services,
    config: &config::Build,
    target: Target,
    recorder: &mut Recorder,
) -> Option<()> {
    let surveyed = recorder
        .stage("plan", async {
            let surveyed = survey::survey(services, config, target).await?;
            let said = said(&surveyed.plan);
            Ok((surveyed, said))
        })
        .await?;
    let plan = &surveyed.plan;
    describe(services, recorder, plan);
    let digest = match &plan.facts.image_digest {
        Some(digest) => {
            recorder.skip("build", "the image was there");
            digest.clone()
        }
        None => {
            let built = recorder
                .stage("build", build::build(services, config, plan, &surveyed.files))
                .await?;
            if let Some(url) = built.log_url {
                recorder.link("Build log", url);
            }
            built.digest
        }
    };
    recorder.report.image = Some(format!("{}@{digest}", plan.facts.image_path));
    let deployed = recorder
        .stage("deploy", deploy::deploy(services, plan, &digest))
        .await?;
    recorder.report.revision = Some(deployed.revision.clone());
    recorder.report.url = Some(deployed.url.clone());
    verify::verify(
        services,
        recorder,
        &plan.target.model,
        &deployed.url,
        &deployed.audience,
    )
    .await?;
    if deployed.candidate {
        let live = recorder
            .stage("traffic", deploy::promote(services, plan, &deployed))
            .await?;
        recorder.report.url = url_of(&live).or(Some(deployed.audience));
    }
    Some(())
}

fn url_of(live: &Service) -> Option<String> {
    live.uri.clone()
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
    if let Action::Update { changes, .. } = &plan.action {
        recorder.report.changes = changes.iter().map(ToString::to_string).collect();
    }
    for warning in &plan.warnings {
        services.progress.warn(&plan.target.service, warning);
    }
}

/// Pages of the Google Cloud console.
pub(super) fn links(recorder: &mut Recorder, target: &Target) {
    let page = |tab: &str| {
        format!(
            "https://console.cloud.google.com/run/detail/{}/{}/{tab}?project={}",
            target.region, target.service, target.project
        )
    };
    recorder.link("Service", page("metrics"));
    recorder.link("Logs", page("logs"));
}
