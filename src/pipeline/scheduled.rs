//! Tests production as it is: nothing is built or changed.

use std::sync::Arc;

use super::{
    Services,
    failed::{Blame, Failed},
    history::{Production, Store},
    production,
    recorder::Recorder,
    verify,
};
use crate::{
    config::Access,
    google::run::{self, Location, types::short_name},
    plan::{cost, target::Target, traffic},
    signal,
};

/// Smoke and latency on the live service of one target.
pub async fn test(services: &Services, store: &Store<'_>, target: Target) -> Recorder {
    let private = target.model.service.access == Access::Private;
    let mut recorder = Recorder::new(
        &target.service,
        &target.model.id,
        private,
        Arc::clone(&services.progress),
    );
    recorder.report.api_key = target.model.service.has_api_key();
    recorder.facts = super::facts::of(services, &target);
    recorder.places = target.model.places.clone();
    super::model::links(&mut recorder, &target);
    let work = stages(services, store, &target, &mut recorder);
    if signal::unless_stopped(work).await.is_none() {
        recorder.cancel();
    }
    recorder
}

async fn stages(
    services: &Services,
    store: &Store<'_>,
    target: &Target,
    recorder: &mut Recorder,
) -> Option<()> {
    let found = recorder.stage("plan", find(services, target)).await?;
    recorder.report.url = Some(found.url.clone());
    recorder.report.revision = Some(found.revision);
    recorder.report.image = found.image;
    recorder.report.hourly_cost_usd = cost::hourly_usd(&target.region, &target.model.service);
    recorder.report.idle_cost_usd = cost::idle_usd(&target.region, &target.model.service);
    recorder.serves = found.serves;
    recorder.baseline = production::baseline(services, store, target).await;
    verify::verify(services, recorder, &target.model, &found.url, &found.url).await
}

struct Found {
    url: String,
    revision: String,
    image: Option<String>,
    /// The revision, when it alone serves.
    serves: Option<Production>,
}

async fn find(services: &Services, target: &Target) -> Result<(Found, String), Failed> {
    let location = Location {
        project: &target.project,
        region: &target.region,
    };
    let live = run::get(&services.google, &location, &target.service)
        .await
        .map_err(|e| Failed::google(&format!("read Cloud Run service {}", target.service), &e))?
        .ok_or_else(|| {
            Failed::new(
                Blame::Deployment,
                format!("service {} doesn't exist in {}", target.service, target.region),
                "there is nothing to test",
            )
            .fix("Deploy it first: push to the default branch, or run `llm-deploy deploy`")
        })?;
    let revision = traffic::serving(&live)
        .into_iter()
        .max_by_key(|(_, percent)| *percent)
        .map(|(name, _)| name);
    let revision = revision
        .or_else(|| {
            live.latest_ready_revision
                .as_deref()
                .map(|name| short_name(name).to_owned())
        })
        .unwrap_or_default();
    let url = live.uri.clone().ok_or_else(|| {
        Failed::new(
            Blame::Deployment,
            format!("service {} has no URL", target.service),
            "its default URL is disabled",
        )
    })?;
    let serves = Production::of(&live, &revision, &target.commit);
    // The template describes the newest revision; only when that one serves is it the image under test.
    let newest_serves = live.latest_ready_revision.as_deref().map(short_name) == Some(revision.as_str());
    let image = live
        .template
        .and_then(|t| t.containers.into_iter().next())
        .map(|c| c.image)
        .filter(|_| newest_serves);
    let said = format!("revision {revision} serves");
    let found = Found {
        url,
        revision,
        image,
        serves,
    };
    Ok((found, said))
}
