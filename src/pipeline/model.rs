//! One model through all stages: plan, build, deploy, smoke, latency, traffic.

use std::sync::Arc;

use super::{
    Services, build, deploy, facts,
    failed::Failed,
    recorder::Recorder,
    survey::{self, Surveyed},
    verify,
};
use crate::{
    config::{self, Access},
    plan::{Action, ModelPlan, target::Target},
    signal,
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
    recorder.report.api_key = target.model.service.has_api_key();
    recorder.facts = facts::of(services, &target).or(&facts::build(config));
    links(&mut recorder, &target);
    // A failed stage has said why in the report; the stages after it are not reached.
    let work = stages(services, config, target, &mut recorder);
    if signal::unless_stopped(work).await.is_none() {
        recorder.cancel();
    }
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
    describe(services, recorder, &surveyed.plan);
    let (plan, digest) = match surveyed.plan.facts.image_digest.clone() {
        Some(digest) => {
            recorder.skip("build", "the image was there");
            (surveyed.plan, digest)
        }
        None => {
            let built = recorder
                .stage("build", build_and_plan(services, config, &surveyed))
                .await?;
            recorder.report.changes = changes(&built.plan);
            recorder.report.expires_at = built.plan.expires_at();
            if let Some(url) = built.log_url {
                recorder.link("Build log", url);
            }
            (built.plan, built.digest)
        }
    };
    let plan = &plan;
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
        recorder.report.url = live.uri.or(Some(deployed.audience));
    }
    Some(())
}

struct Built {
    plan: ModelPlan,
    digest: String,
    log_url: Option<String>,
}

async fn build_and_plan(
    services: &Services,
    config: &config::Build,
    surveyed: &Surveyed,
) -> Result<(Built, String), Failed> {
    let (built, said) = build::build(services, config, &surveyed.plan, &surveyed.files).await?;
    let plan = survey::after_build(services, &surveyed.plan, &built.digest).await?;
    let built = Built {
        plan,
        digest: built.digest,
        log_url: built.log_url,
    };
    Ok((built, said))
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
