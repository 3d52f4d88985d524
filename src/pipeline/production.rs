//! Production as it is, which a preview is compared with: its settings and its last good measurement.

use std::time::Duration;

use super::{
    Services,
    failed::{Blame, Failed},
    history::{Baseline, Store},
    recorder::Recorder,
};
use crate::{
    google::{
        Error,
        run::{
            self, Location,
            types::{RevisionTemplate, Service, short_name},
        },
    },
    plan::{
        ModelPlan, against,
        target::{Stage, Target},
        traffic,
    },
    report::Difference,
};

/// What takes longer is not waited for: the run has other things to do.
const DEADLINE: Duration = Duration::from_secs(60);

/// Puts into the report how a preview differs from production, and gets the figures that a measurement is compared
/// with. What can't be had is told once, and left out.
pub async fn look(services: &Services, store: &Store<'_>, recorder: &mut Recorder, plan: &ModelPlan) {
    let is_preview = matches!(plan.target.stage, Stage::Preview { .. });
    recorder.baseline = baseline(services, store, &plan.target).await;
    if !is_preview {
        return;
    }
    let found = soon(services, differences(services, plan, recorder.baseline.as_ref())).await;
    recorder.report.differences = found.unwrap_or_else(|failed| {
        store.warn(failed);
        None
    });
}

async fn soon<T>(services: &Services, work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let late = |_| {
        let title = "nothing is compared with production";
        Err(Failed::new(
            Blame::Service,
            title,
            "Google Cloud takes too long to answer",
        ))
    };
    tokio::time::timeout(services.google.tempo().of(DEADLINE), work)
        .await
        .unwrap_or_else(late)
}

/// `None` before the first one, and for a model that isn't measured.
pub async fn baseline(services: &Services, store: &Store<'_>, target: &Target) -> Option<Baseline> {
    if target.model.latency.is_off() {
        return None;
    }
    let found = soon(services, store.baseline(&target.model.name)).await;
    found.unwrap_or_else(|failed| {
        store.warn(failed);
        None
    })
}

/// `None` when there is no production of this repository's.
pub async fn differences(
    services: &Services,
    plan: &ModelPlan,
    baseline: Option<&Baseline>,
) -> Result<Option<Vec<Difference>>, Failed> {
    let (target, name) = (&plan.target, &plan.target.model.name);
    let location = Location {
        project: &target.project,
        region: &target.region,
    };
    let failed = |error: &Error| Failed::google(&format!("compare with production's service {name}"), error);
    let live = run::get(&services.google, &location, name)
        .await
        .map_err(|e| failed(&e))?;
    let Some(live) = live.filter(|live| against::is_production(target, live)) else {
        return Ok(None);
    };
    let serving = traffic::mostly(&live);
    let template = template(services, &location, name, &live, serving.as_deref());
    let template = template.await.map_err(|e| failed(&e))?;
    let measured = baseline
        .map(|b| &b.production)
        .filter(|p| Some(p.revision.as_str()) == serving.as_deref());
    Ok(Some(against::differences(
        plan,
        &against::Production {
            live: &live,
            template: &template,
            base_image: measured.and_then(|p| p.base_image.as_deref()),
            model_revision: measured.and_then(|p| p.model_revision.as_deref()),
        },
    )))
}

/// The service's own template describes its newest revision, which may be a candidate that failed.
async fn template(
    services: &Services,
    location: &Location<'_>,
    service: &str,
    live: &Service,
    serving: Option<&str>,
) -> Result<RevisionTemplate, Error> {
    let newest = live.latest_created_revision.as_deref().map(short_name);
    let revision = match serving {
        Some(serving) if newest != Some(serving) => {
            run::revision(&services.google, location, service, serving).await?
        }
        _ => None,
    };
    Ok(match revision {
        Some(revision) => revision.into_template(),
        None => live.template.clone().unwrap_or_default(),
    })
}
