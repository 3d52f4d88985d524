//! One set of reports that every surface is tested with.

use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};

use super::*;

mod failed;
mod measured;
mod pages;
pub mod poison;
mod states;

pub use failed::{broken, failed_build, failed_deploy};
use failed::{failed, failed_latency, failed_smoke};
pub use measured::{bench, comparison, levels, objectives_met, objectives_missed};
use measured::{latency, open_loop};
pub use pages::pages;
pub use states::{building, differences, memory, queued};

/// Everything that GitHub, a terminal, HTML or the runner would act on.
pub const HOSTILE: &str = "@octocat see #1, GH-2, org/repo#3 and https://evil.example/?a=1 www.evil.example \
    a@evil.example 0123456789abcdef0123456789abcdef01234567 <img src=x onerror=alert(1)> \
    ![p](https://evil.example/p.png) [l](javascript:alert(1)) | x | ``` \n# heading\n~~~\n--> <!-- \
    ::set-env name=A::b\n\u{1b}[31mred\u{1b}[0m \u{202e}txt\u{200b} </details> `` ` $x$ :tada:";

/// Name and report of every state that a user can see.
pub fn all() -> Vec<(&'static str, Report)> {
    let mut all = vec![
        ("preview", preview()),
        ("production", production()),
        ("failed_build", failed_build()),
        ("failed_deploy", failed_deploy()),
        ("failed_smoke", failed_smoke()),
        ("failed_latency", failed_latency()),
        ("objectives_met", objectives_met()),
        ("objectives_missed", objectives_missed()),
        ("open_loop", open_loop()),
        ("several", several()),
        ("cancelled", cancelled()),
        ("superseded", superseded()),
        ("deleted", deleted()),
        ("plan_only", plan_only()),
        ("scheduled", scheduled()),
        ("skipped", skipped()),
        ("hostile", hostile()),
        ("broken", broken()),
    ];
    all.extend(states::all());
    all
}

fn at(day: u32, hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, day, hour, 0, 0).unwrap()
}

pub fn report(kind: Kind, status: Status, models: Vec<ModelReport>) -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        tool_version: "0.1.0".to_owned(),
        status,
        kind,
        repository: "acme/models".to_owned(),
        commit: "4f1c2a9e8b7d6c5f4e3d2c1b0a9f8e7d6c5b4a39".to_owned(),
        pull_request: (kind == Kind::Preview || kind == Kind::Cleanup).then(|| PullRequestRef {
            number: 7,
            title: "Serve Qwen3.5".to_owned(),
        }),
        run_url: Some("https://github.com/acme/models/actions/runs/123456789".to_owned()),
        started_at: at(24, 9),
        duration: Duration::from_secs(742),
        models,
        failure: None,
        notices: Vec::new(),
        environment: Vec::new(),
        memory: Memory::default(),
    }
}

fn stage(name: &str, status: Status, seconds: u64, detail: &str) -> Stage {
    Stage {
        name: name.to_owned(),
        status,
        started_at: None,
        duration: Duration::from_secs(seconds),
        detail: detail.to_owned(),
    }
}

fn check(name: &str, detail: &str) -> CheckOutcome {
    CheckOutcome {
        name: name.to_owned(),
        passed: true,
        duration: Duration::from_millis(312),
        detail: detail.to_owned(),
        sent: None,
        received: None,
        hint: None,
    }
}

fn link(label: &str, url: &str) -> Link {
    Link {
        label: label.to_owned(),
        url: url.to_owned(),
    }
}

pub fn model() -> ModelReport {
    ModelReport {
        service: "qwen3-5-4b-pr-7".to_owned(),
        model: "Qwen/Qwen3.5-4B".to_owned(),
        model_revision: Some("851bf6e806efd8d0a36b00ddf55e13ccb7b8cd0a".to_owned()),
        status: Status::Succeeded,
        url: Some("https://qwen3-5-4b-pr-7-k3x2m5q7za-ez.a.run.app".to_owned()),
        private: true,
        api_key: false,
        image: Some(format!(
            "europe-west4-docker.pkg.dev/acme-ml/llm-deploy/qwen3-5-4b@sha256:{}",
            "9f86d081884c7d65".repeat(4)
        )),
        revision: Some("qwen3-5-4b-pr-7-00002-abc".to_owned()),
        warnings: Vec::new(),
        changes: vec![
            "engine.max-model-len: 4096 → 8192".to_owned(),
            "image: new digest".to_owned(),
        ],
        stages: vec![
            stage(
                "plan",
                Status::Succeeded,
                1,
                "2 changes against revision qwen3-5-4b-pr-7-00001-xyz",
            ),
            stage(
                "build",
                Status::Succeeded,
                431,
                "8.1 GB of weights, pushed by Cloud Build",
            ),
            stage(
                "deploy",
                Status::Succeeded,
                204,
                "revision qwen3-5-4b-pr-7-00002-abc serves 100 %",
            ),
            stage("smoke", Status::Succeeded, 14, "5 of 5 passed"),
            stage("latency", Status::Succeeded, 92, "40 requests"),
        ],
        checks: vec![
            check("health", "200 from /health"),
            check("models", "Qwen/Qwen3.5-4B is listed"),
            check("chat", "\"Hello! How can I help you today?\""),
            check("stream", "48 token events, then [DONE] with usage"),
            check("capital of France", "contains \"Paris\""),
        ],
        cold_start: Some(ColdStart {
            ttft_ms: 12_412.0,
            e2e_ms: 14_020.0,
        }),
        latency: vec![latency(1, 1.0), latency(4, 1.24)],
        latency_seed: Some(4711),
        comparison: None,
        failure: None,
        links: vec![
            link(
                "Build",
                "https://console.cloud.google.com/cloud-build/builds;region=global/8f3a?project=acme-ml",
            ),
            link(
                "Service",
                "https://console.cloud.google.com/run/detail/europe-west4/qwen3-5-4b-pr-7?project=acme-ml",
            ),
            link(
                "Logs",
                "https://console.cloud.google.com/run/detail/europe-west4/qwen3-5-4b-pr-7/logs?project=acme-ml",
            ),
        ],
        hourly_cost_usd: Some(1.07),
        idle_cost_usd: None,
        expires_at: Some(at(27, 9)),
        differences: None,
        trend: Vec::new(),
        requests: Vec::new(),
    }
}

pub fn preview() -> Report {
    let mut report = report(Kind::Preview, Status::Succeeded, vec![model()]);
    report.notices.push(
        "The endpoint is the built-in stand-in, not vLLM: its numbers say nothing about a GPU.".to_owned(),
    );
    report
}

pub fn production() -> Report {
    let mut model = model();
    model.service = "qwen3-5-4b".to_owned();
    model.url = Some("https://qwen3-5-4b-k3x2m5q7za-ez.a.run.app".to_owned());
    model.private = false;
    model.expires_at = None;
    model.warnings =
        vec!["the weights of Qwen/Qwen3.5-4B take 21.4 GB: little is left for the KV cache".to_owned()];
    model.stages.push(stage(
        "traffic",
        Status::Succeeded,
        6,
        "100 % to qwen3-5-4b-00002-abc",
    ));
    report(Kind::Production, Status::Succeeded, vec![model])
}

pub fn several() -> Report {
    let mut second = failed_deploy().models.remove(0);
    second.service = "llama-3-1-8b-pr-7".to_owned();
    second.model = "meta-llama/Llama-3.1-8B-Instruct".to_owned();
    let mut third = model();
    third.service = "gemma-3-4b-pr-7".to_owned();
    third.model = "google/gemma-3-4b-it".to_owned();
    third.url = Some("https://gemma-3-4b-pr-7-k3x2m5q7za-ez.a.run.app".to_owned());
    third.changes.clear();
    report(Kind::Preview, Status::Failed, vec![model(), second, third])
}

fn cancelled() -> Report {
    let mut model = failed_deploy().models.remove(0);
    model.failure = None;
    model.status = Status::Cancelled;
    for stage in &mut model.stages {
        if stage.status == Status::Failed {
            stage.status = Status::Cancelled;
            stage.detail = "stopped while waiting for the revision".to_owned();
        }
    }
    let mut report = report(Kind::Preview, Status::Cancelled, vec![model]);
    report.notices.push(
        "The run was cancelled. Nothing that serves traffic was changed; run it again to go on.".to_owned(),
    );
    report
}

fn superseded() -> Report {
    let mut report = cancelled();
    report.status = Status::Superseded;
    report.notices =
        vec!["A newer run took over, so that this one stopped and left everything to it.".to_owned()];
    for model in &mut report.models {
        model.status = Status::Superseded;
        for stage in model
            .stages
            .iter_mut()
            .filter(|stage| stage.status == Status::Cancelled)
        {
            stage.status = Status::Superseded;
            stage.detail = "a newer run deploys commit 9b2e4c1".to_owned();
        }
    }
    report
}

pub fn deleted() -> Report {
    let mut model = model();
    model.status = Status::Deleted;
    model.url = None;
    model.image = None;
    model.revision = None;
    model.model_revision = None;
    model.changes.clear();
    model.checks.clear();
    model.latency.clear();
    model.cold_start = None;
    model.hourly_cost_usd = None;
    model.expires_at = None;
    model.links.clear();
    model.stages = vec![stage("cleanup", Status::Deleted, 21, "service and image deleted")];
    report(Kind::Cleanup, Status::Deleted, vec![model])
}

fn plan_only() -> Report {
    let mut model = model();
    model.status = Status::Skipped;
    model.url = None;
    model.revision = None;
    model.image = None;
    model.checks.clear();
    model.latency.clear();
    model.cold_start = None;
    model.links.clear();
    model.expires_at = None;
    model.stages.truncate(1);
    let mut report = report(Kind::PlanOnly, Status::Skipped, vec![model]);
    report.notices.push(
        "This pull request comes from a fork: it has no credentials, so nothing was deployed.".to_owned(),
    );
    report
}

fn scheduled() -> Report {
    let mut report = production();
    report.kind = Kind::ScheduledTest;
    report.models[0]
        .stages
        .retain(|s| matches!(s.name.as_str(), "smoke" | "latency"));
    report.models[0].changes.clear();
    report
}

fn skipped() -> Report {
    let mut report = report(Kind::Production, Status::Skipped, Vec::new());
    report
        .notices
        .push("This push changes nothing that is deployed.".to_owned());
    report
}

/// Hostile text in every place that can hold text from outside.
pub fn hostile() -> Report {
    let mut report = failed_smoke();
    let text = HOSTILE.to_owned();
    report.notices = vec![text.clone()];
    report.pull_request = Some(PullRequestRef {
        number: 7,
        title: text.clone(),
    });
    let model = &mut report.models[0];
    model.model = format!("Qwen/{HOSTILE}");
    model.service = text.clone();
    model.revision = Some(text.clone());
    model.model_revision = Some(text.clone());
    model.image = Some(text.clone());
    model.url = Some("javascript:alert(1)//)|".to_owned());
    model.changes = vec![text.clone()];
    model.warnings = vec![text.clone()];
    model
        .links
        .push(link("Bad", "https://evil.example/)<img src=x>|`"));
    model.links.push(link("Worse", "javascript:alert(1)"));
    for stage in &mut model.stages {
        stage.detail.clone_from(&text);
    }
    for check in &mut model.checks {
        check.name.clone_from(&text);
        check.detail.clone_from(&text);
        check.sent = Some(text.clone());
        check.received = Some(text.clone());
        check.hint = Some(text.clone());
    }
    model.failure = Some(Failure {
        stage: "smoke".to_owned(),
        title: text.clone(),
        cause: format!("{text}\nsecond line"),
        fix: Some(text.clone()),
        said: Some(text.clone()),
        log: vec![text.clone(), "````".to_owned()],
        settings: Vec::new(),
        place: None,
    });
    let mut measured = latency(1, 1.0);
    measured.errors = 2;
    measured.error_samples = vec![text.clone()];
    measured.notes = vec![text.clone()];
    let mut server = measured::server();
    server.notes = vec![text.clone()];
    measured.server = Some(server);
    model.latency = vec![measured];
    let mut comparison = comparison();
    comparison.baseline.clone_from(&text);
    comparison.notes = vec![text];
    model.comparison = Some(comparison);
    report
}
