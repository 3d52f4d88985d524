//! Tests production as it is: nothing is built or changed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

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
    endpoint::error::NO_CREDENTIALS,
    google::run::{self, Location, types::short_name},
    plan::{cost, probe, target::Target, traffic},
    report::CheckOutcome,
    signal,
};

/// What came of a test.
pub struct Tested {
    pub recorder: Recorder,
    /// Whether it says something of the service. It doesn't when Google could not be asked, or the credentials or
    /// the settings were wrong.
    pub judged: bool,
}

/// Smoke and latency on the live service of one target.
pub async fn test(services: &Services, store: &Store<'_>, target: Target) -> Tested {
    let private = target.model.service.access == Access::Private;
    let mut recorder = Recorder::new(
        &target.service,
        &target.model.id,
        private,
        Arc::clone(&services.progress),
    )
    .hiding(services.environment.masks());
    recorder.report.api_key = target.model.service.has_api_key();
    recorder.facts = super::facts::of(services, &target);
    recorder.places = target.model.places.clone();
    super::model::links(&mut recorder, &target);
    let looked = AtomicBool::new(false);
    let work = stages(services, store, &target, &mut recorder, &looked);
    if signal::unless_stopped(work).await.is_none() {
        recorder.cancel();
    }
    let judged = looked.load(Ordering::Relaxed) && !is_elsewhere(&recorder);
    Tested { recorder, judged }
}

/// Whether what failed is none of the service's.
fn is_elsewhere(recorder: &Recorder) -> bool {
    let unsent = |check: &CheckOutcome| !check.passed && check.detail.contains(NO_CREDENTIALS);
    matches!(recorder.blame, Some(Blame::Service | Blame::Input)) || recorder.report.checks.iter().any(unsent)
}

async fn stages(
    services: &Services,
    store: &Store<'_>,
    target: &Target,
    recorder: &mut Recorder,
    looked: &AtomicBool,
) -> Option<()> {
    let found = recorder.stage("plan", find(services, target, looked)).await?;
    recorder.report.url = Some(found.url.clone());
    recorder.report.revision = Some(found.revision);
    recorder.report.image = found.image;
    recorder.report.hourly_cost_usd = cost::hourly_usd(&target.region, &target.model.service);
    recorder.report.idle_cost_usd = cost::idle_usd(&target.region, &target.model.service);
    recorder.serves = found.serves;
    recorder.baseline = production::baseline(services, store, target).await;
    let at = (found.url.as_str(), found.url.as_str());
    verify::verify(services, recorder, &target.model, found.startup, at).await
}

struct Found {
    url: String,
    revision: String,
    image: Option<String>,
    /// How long its container may take to start.
    startup: Duration,
    /// The revision, when it alone serves.
    serves: Option<Production>,
}

async fn find(services: &Services, target: &Target, looked: &AtomicBool) -> Result<(Found, String), Failed> {
    let location = Location {
        project: &target.project,
        region: &target.region,
    };
    let live = run::get(&services.google, &location, &target.service)
        .await
        .map_err(|e| Failed::google(&format!("read Cloud Run service {}", target.service), &e))?;
    looked.store(true, Ordering::Relaxed);
    let live = live.ok_or_else(|| {
        Failed::new(
            Blame::Deployment,
            format!("service {} doesn't exist in {}", target.service, target.region),
            "there is nothing to test",
        )
        .fix("Deploy it first: push to the default branch, or run `llm-deploy deploy`")
    })?;
    let revision = traffic::mostly(&live)
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
    let startup = probe::live_window(&target.model, &live);
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
        startup,
        serves,
    };
    Ok((found, said))
}
