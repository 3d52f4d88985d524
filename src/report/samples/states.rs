//! A pull request's course: what its comment tells while a run goes on, and with results before it.

use super::*;
use crate::report::record::Figures;

const EARLIER: [&str; 3] = [
    "c07d3a1e5b9f8d7c6b5a4f3e2d1c0b9a8f7e6d5c",
    "9b2e4c1d7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c",
    "1e5f7a3b9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a",
];

/// A failed commit, and two good ones before it.
pub fn memory() -> Memory {
    remembered(&[("qwen3-5-4b-pr-7", "Qwen/Qwen3.5-4B")])
}

fn remembered(models: &[(&str, &str)]) -> Memory {
    let mut memory = Memory::default();
    for (day, commit) in (21..).zip(EARLIER.iter().rev()) {
        for (service, name) in models {
            let factor = 1.0 + f64::from(24 - day) / 50.0;
            let figures = |p50: f64, p95: f64, p99: f64| {
                Some(Figures {
                    p50: p50 * factor,
                    p95: p95 * factor,
                    p99: p99 * factor,
                })
            };
            let mut record = Record {
                at: at(day, 15),
                commit: (*commit).to_owned(),
                status: Status::Succeeded,
                service: (*service).to_owned(),
                model: (*name).to_owned(),
                model_revision: model().model_revision,
                url: Some(format!("https://{service}-k3x2m5q7za-ez.a.run.app")),
                revision: Some(format!("{service}-0000{}-abc", day - 20)),
                ttft_ms: figures(84.2, 121.7, 133.0),
                itl_ms: figures(23.4, 26.1, 31.8),
                e2e_ms: figures(3071.0, 3410.0, 3502.0),
                tokens_per_second: Some(42.6 / factor),
                objectives_met: Some(true),
                stage: None,
                cause: None,
                run_url: Some(format!("https://github.com/acme/models/actions/runs/12345{day}")),
                deployed: false,
            };
            if day == 23 {
                record.status = Status::Failed;
                record.stage = Some("build".to_owned());
                record.cause = Some("Cloud Build could not pull the base image".to_owned());
                (record.ttft_ms, record.itl_ms, record.e2e_ms) = (None, None, None);
                (record.tokens_per_second, record.objectives_met) = (None, None);
            } else {
                memory.last_good.retain(|r| r.service != record.service);
                memory.last_good.push(record.clone());
            }
            memory.records.insert(0, record);
        }
    }
    memory
}

pub fn differences() -> Vec<Difference> {
    let row = |what: &str, production: &str, preview: &str| Difference {
        what: what.to_owned(),
        production: production.to_owned(),
        preview: preview.to_owned(),
    };
    vec![
        row("--max-model-len", "4096", "8192"),
        row("--enable-prefix-caching", "", "set"),
        row(
            "image",
            "qwen3-5-4b@sha256:1f0a9b8c7d6e",
            "qwen3-5-4b@sha256:9f86d081884c",
        ),
        row("min instances", "1", "0"),
    ]
}

/// Everything that a good preview can have.
pub fn reviewed() -> Report {
    let mut report = report(Kind::Preview, Status::Succeeded, vec![complete()]);
    report.memory = memory();
    report
}

fn complete() -> ModelReport {
    let mut model = objectives_met().models.remove(0);
    let preview = super::model();
    (model.service, model.url, model.expires_at) = (preview.service, preview.url, preview.expires_at);
    (model.stages, model.private) = (preview.stages, true);
    model.warnings.clear();
    model.idle_cost_usd = Some(0.0);
    model.differences = Some(differences());
    let mut comparison = comparison();
    comparison.baseline = "production, measured 2026-11-23 06:17 UTC".to_owned();
    model.comparison = Some(comparison);
    model
}

/// The first text of a pull request's comment, which GitHub sends as mail.
pub fn queued() -> Report {
    let mut model = waiting();
    model.status = Status::Queued;
    let mut report = report(Kind::Preview, Status::Queued, vec![model]);
    report.duration = Duration::ZERO;
    report
}

fn waiting() -> ModelReport {
    let mut waiting = empty(&model());
    waiting.stages = ["plan", "build", "deploy", "smoke", "latency"]
        .map(|name| stage(name, Status::Queued, 0, ""))
        .to_vec();
    waiting
}

/// Nothing is known yet but the names.
fn empty(model: &ModelReport) -> ModelReport {
    ModelReport {
        url: None,
        image: None,
        revision: None,
        model_revision: None,
        changes: Vec::new(),
        stages: Vec::new(),
        checks: Vec::new(),
        cold_start: None,
        latency: Vec::new(),
        links: Vec::new(),
        ..model.clone()
    }
}

/// In the stage of this number, with those before it done.
fn in_stage(number: usize, seconds: u64) -> ModelReport {
    let mut model = waiting();
    model.status = Status::Running;
    let done = super::model().stages;
    model.stages[..number].clone_from_slice(&done[..number]);
    model.stages[number].status = Status::Running;
    model.stages[number].duration = Duration::from_secs(seconds);
    model
}

pub fn building() -> Report {
    let mut model = in_stage(1, 0);
    model.links = super::model().links[..1].to_vec();
    model.differences = Some(differences());
    model.hourly_cost_usd = Some(1.07);
    model.idle_cost_usd = Some(0.0);
    let mut report = report(Kind::Preview, Status::Running, vec![model]);
    report.duration = Duration::from_secs(3);
    report
}

fn deploying() -> Report {
    let mut report = building();
    let links = report.models[0].links.clone();
    report.models[0] = ModelReport {
        links,
        ..in_stage(2, 20)
    };
    report.duration = Duration::from_secs(452);
    report.memory = memory();
    report
}

fn testing() -> Report {
    let mut model = in_stage(4, 30);
    let done = super::model();
    (model.url, model.checks, model.links) = (done.url, done.checks, done.links);
    let mut report = report(Kind::Preview, Status::Running, vec![model]);
    report.duration = Duration::from_secs(680);
    report.memory = memory();
    report
}

/// A failed run with a good one before it.
fn failed_again() -> Report {
    let mut report = failed_build();
    let failure = report.models[0].failure.as_mut().unwrap();
    failure.settings = vec!["hf-token-secret".to_owned()];
    failure.place = Some(Place {
        file: "llm-deploy.yaml".to_owned(),
        line: 12,
    });
    report.memory = memory();
    report
}

fn limit_refused() -> Report {
    let mut model = empty(&model());
    model.status = Status::Failed;
    model.stages = vec![stage("plan", Status::Failed, 1, "failed")];
    model.differences = Some(vec![Difference {
        what: "gpu".to_owned(),
        production: "nvidia-l4".to_owned(),
        preview: "nvidia-rtx-pro-6000".to_owned(),
    }]);
    model.failure = Some(Failure {
        stage: "limits".to_owned(),
        title: "`preview.gpu: nvidia-rtx-pro-6000` is more than previews may have".to_owned(),
        cause: "`preview.limits.gpu` on the base branch `main` allows nvidia-l4 only".to_owned(),
        fix: Some(
            "Choose an allowed GPU, or raise the limit on `main` first: a pull request can't raise its own"
                .to_owned(),
        ),
        said: None,
        log: Vec::new(),
        settings: vec!["preview.gpu".to_owned()],
        place: Some(Place {
            file: "llm-deploy.yaml".to_owned(),
            line: 9,
        }),
    });
    let mut report = report(Kind::PlanOnly, Status::Failed, vec![model]);
    report.pull_request = queued().pull_request;
    report.duration = Duration::from_secs(2);
    report
}

const TWO: [(&str, &str); 2] = [
    ("qwen3-5-4b-pr-7", "Qwen/Qwen3.5-4B"),
    ("gemma-3-4b-pr-7", "google/gemma-3-4b-it"),
];

fn second(mut model: ModelReport) -> ModelReport {
    let url = model.url.take();
    model.url = url.map(|_| format!("https://{}-k3x2m5q7za-ez.a.run.app", TWO[1].0));
    (model.service, model.model) = (TWO[1].0.to_owned(), TWO[1].1.to_owned());
    model
}

fn several_running() -> Report {
    let mut report = report(
        Kind::Preview,
        Status::Running,
        vec![complete(), second(in_stage(2, 0))],
    );
    report.duration = Duration::from_secs(452);
    report.memory = remembered(&TWO);
    report
}

fn several_reviewed() -> Report {
    let mut other = second(complete());
    other.comparison.as_mut().unwrap().changes.truncate(1);
    other.hourly_cost_usd = Some(0.71);
    other.differences = Some(Vec::new());
    let mut third = complete();
    (third.service, third.model) = (
        "llama-pr-7".to_owned(),
        "meta-llama/Llama-3.1-8B-Instruct".to_owned(),
    );
    third.url = Some("https://llama-pr-7-k3x2m5q7za-ez.a.run.app".to_owned());
    third.comparison = None;
    let mut report = report(Kind::Preview, Status::Succeeded, vec![complete(), other, third]);
    report.memory = remembered(&TWO);
    report
}

/// Names and reports of the states that a pull request goes through.
pub fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("queued", queued()),
        ("building", building()),
        ("deploying", deploying()),
        ("testing", testing()),
        ("reviewed", reviewed()),
        ("failed_again", failed_again()),
        ("limit_refused", limit_refused()),
        ("several_running", several_running()),
        ("several_reviewed", several_reviewed()),
    ]
}
