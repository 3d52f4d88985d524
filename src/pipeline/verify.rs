//! Tests a ready revision: smoke checks, then latency.

use std::{path::Path, sync::Arc, time::Duration};

use url::Url;

use super::{
    Services,
    failed::{Blame, Failed},
    history::Instance,
    recorder::Recorder,
    smoke, verdict,
};
use crate::{
    auth::{Anonymous, Bearer},
    bench::{
        self, BenchProgress,
        result::{BenchResult, Comparison},
        statistics,
    },
    config::{Access, Model},
    endpoint::Endpoint,
    file::open::Reach,
    report::{self, CheckOutcome, words},
};

/// Tests the model at `url`, whose container may take `startup` to start; what was found goes into the report. `None`
/// when a check failed.
pub async fn verify(
    services: &Services,
    recorder: &mut Recorder,
    model: &Model,
    startup: Duration,
    (url, audience): (&str, &str),
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
            let outcome = smoke::run(&endpoint, model, private, startup, &on_status).await;
            let verdict = smoke_verdict(&outcome.checks, model.smoke.checks.len());
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
    let mut measured = None;
    let passed = recorder
        .stage("latency", async {
            let options = bench::Options {
                files: services.files.clone(),
                ..bench::Options::default()
            };
            let result = bench::run(endpoint, &model.id, &model.latency, &options, &show)
                .await
                .map_err(|why| Failed::new(Blame::Input, "the latency could not be measured", why))?;
            let verdict = verdict::latency(&result.levels, &model.latency.objectives);
            measured = Some(result);
            verdict.map(|said| ((), said))
        })
        .await;
    if let Some(result) = measured {
        compare(services, recorder, model, &result).await;
        recorder.report.latency_seed = Some(result.seed);
        recorder.report.requests = report::requests(&result.levels);
        recorder.report.latency.clone_from(&result.levels);
        recorder.measured = Some(result);
    }
    passed
}

/// Sets the figures beside the baseline's: the file that the configuration names, else production's last good ones.
/// What is worse is told, and fails nothing: objectives do that.
async fn compare(services: &Services, recorder: &mut Recorder, model: &Model, result: &BenchResult) {
    let comparison = match (&model.latency.baseline, &recorder.baseline) {
        (Some(path), _) => with_file(path, &services.files, result).await,
        (None, Some(production)) => Ok(production.compare(result, &Instance::of_service(&model.service))),
        (None, None) => return,
    };
    match comparison {
        Ok(comparison) => {
            for line in words::worse(&comparison) {
                recorder.warn(line);
            }
            recorder.report.comparison = Some(comparison);
        }
        Err(why) => recorder.warn(why),
    }
}

async fn with_file(path: &Path, reach: &Reach, result: &BenchResult) -> Result<Comparison, String> {
    let name = path.display();
    match bench::output::json::read(path, reach).await {
        Ok(before) => Ok(statistics::compare(&name.to_string(), &before, result)),
        Err(why) => Err(format!(
            "nothing was compared with the baseline {name}: {why}; `llm-deploy bench --json {name}` writes one"
        )),
    }
}

pub fn endpoint(services: &Services, model: &Model, url: &str, audience: &str) -> Result<Endpoint, Failed> {
    let bad = |why: String| {
        Failed::new(
            Blame::Service,
            format!("Cloud Run gave an unusable URL for {}", model.name),
            why,
        )
    };
    let url = Url::parse(url).map_err(|e| bad(e.to_string()))?;
    crate::environment::require_secure(&url).map_err(bad)?;
    let bearer: Arc<dyn Bearer> = match model.service.access {
        Access::Private => services.credentials.id_token(audience),
        Access::Public => Arc::new(Anonymous),
    };
    // A key goes only to a model that asks for one.
    let api_key = services.api_key.clone().filter(|_| model.service.has_api_key());
    let endpoint = Endpoint::new(url, bearer, api_key).map_err(|e| {
        Failed::new(
            Blame::Service,
            "could not set up the endpoint's client",
            e.to_string(),
        )
    })?;
    Ok(endpoint.at(services.environment.tempo))
}

/// The user's own checks, `own` of them, are the last.
fn smoke_verdict(checks: &[CheckOutcome], own: usize) -> Result<String, Failed> {
    let built_in = checks.len().saturating_sub(own);
    let of_the_user = checks.iter().skip(built_in).position(|check| !check.passed);
    let failed: Vec<&CheckOutcome> = checks.iter().filter(|check| !check.passed).collect();
    let Some(first) = failed.first() else {
        return Ok(format!("{} checks passed", checks.len()));
    };
    let title = format!(
        "{} of {} smoke checks failed, the first is: {}",
        failed.len(),
        checks.len(),
        first.name
    );
    let mut verdict = Failed::new(Blame::Deployment, title, first.detail.clone());
    // A broken endpoint fails the user's checks as well, which are not the cause then.
    if let Some(index) = of_the_user.filter(|_| checks.iter().take(built_in).all(|check| check.passed)) {
        verdict = verdict.setting(format!("smoke.checks[{index}]"));
    }
    Err(match &first.hint {
        Some(hint) => verdict.fix(hint.clone()),
        None => verdict,
    })
}
