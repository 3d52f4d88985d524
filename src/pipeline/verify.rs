//! Tests a ready revision: smoke checks, then latency.

use std::sync::Arc;

use url::Url;

use super::{
    Services,
    failed::{Blame, Failed},
    recorder::Recorder,
    smoke,
};
use crate::{
    auth::{Anonymous, Bearer},
    bench::{self, BenchProgress, result::Level},
    config::{Access, Model},
    endpoint::Endpoint,
    report::CheckOutcome,
};

/// Tests the model at `url`; what was found goes into the report. `None` when a check failed.
pub async fn verify(
    services: &Services,
    recorder: &mut Recorder,
    model: &Model,
    url: &str,
    audience: &str,
) -> Option<()> {
    let endpoint = match endpoint(services, model, url, audience) {
        Ok(endpoint) => endpoint,
        Err(failed) => return recorder.stage("smoke", async { Err(failed) }).await,
    };
    let private = model.service.access == Access::Private;
    let (progress, service) = (services.progress.clone(), recorder.report.service.clone());
    let on_status = move |text: &str| progress.status(&service, text);
    let mut smoked = None;
    let passed = recorder
        .stage("smoke", async {
            let outcome = smoke::run(&endpoint, model, private, &on_status).await;
            let verdict = smoke_verdict(&outcome.checks);
            smoked = Some(outcome);
            verdict.map(|said| ((), said))
        })
        .await;
    if let Some(outcome) = smoked {
        recorder.report.checks = outcome.checks;
        recorder.report.cold_start = outcome.cold_start;
    }
    passed?;
    measure(services, recorder, model, &endpoint).await
}

async fn measure(
    services: &Services,
    recorder: &mut Recorder,
    model: &Model,
    endpoint: &Endpoint,
) -> Option<()> {
    if model.latency.is_off() {
        recorder.skip("latency", "turned off");
        return Some(());
    }
    let service = recorder.report.service.clone();
    let show = |p: BenchProgress| {
        services.progress.status(&service, &p.to_string());
    };
    let mut results = Vec::new();
    let passed = recorder
        .stage("latency", async {
            let options = bench::Options::default();
            results = bench::run(endpoint, &model.id, &model.latency, &options, &show)
                .await
                .map_err(|why| Failed::new(Blame::Input, "the latency could not be measured", why))?
                .levels;
            latency_verdict(&results).map(|said| ((), said))
        })
        .await;
    recorder.report.latency = results;
    passed
}
