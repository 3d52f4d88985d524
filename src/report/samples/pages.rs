//! Reports that only the HTML page shows whole: requests, stages on a time axis, history, environment.

use super::*;
use crate::bench::result::LoadShape;

/// Name and report.
pub fn pages() -> Vec<(&'static str, Report)> {
    vec![
        ("everything", everything()),
        ("models_at_once", models_at_once()),
        ("hostile_everywhere", hostile_everywhere()),
    ]
}

/// One row slower than the other, after some that failed.
fn requests(load: LoadShape, failed: usize, answered: usize) -> Vec<RequestRow> {
    let failed = (0..failed).map(|n| RequestRow {
        load,
        at_seconds: 3.0 + n as f64 * 0.7,
        ttft_ms: None,
        e2e_ms: None,
        output_tokens: None,
        error: Some("503: The request was aborted because there was no available instance.".to_owned()),
    });
    let answered = (0..answered).map(|n| RequestRow {
        load,
        at_seconds: (n * 7 % 60) as f64 + 0.25,
        ttft_ms: Some(190.0 - n as f64 * 2.0),
        e2e_ms: Some(4200.0 - n as f64 * 30.0),
        output_tokens: Some(128),
        error: None,
    });
    failed.chain(answered).collect()
}

fn fact(name: &str, value: &str) -> Fact {
    Fact {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn environment() -> Vec<Fact> {
    vec![
        fact("llm-deploy", "0.1.0"),
        fact("Event", "pull_request"),
        fact("Workflow run", "123456789, attempt 1"),
        fact("Operating system", "Linux, X64"),
        fact("Google Cloud project", "acme-ml"),
        fact("Region", "europe-west4"),
        fact("GPU", "nvidia-l4"),
        fact("CPU and memory", "8 CPU, 32Gi"),
        fact(
            "Base image",
            &format!(
                "vllm/vllm-openai:v0.28.0-cu129@sha256:{}",
                "50509e700235cea4".repeat(4)
            ),
        ),
        fact(
            "Engine flags",
            "--served-model-name=Qwen/Qwen3.5-4B --dtype=auto --gpu-memory-utilization=0.9 --tensor-parallel-size=1 \
             --max-model-len=8192 --reasoning-parser=qwen3",
        ),
    ]
}

/// Starts each stage when the one before ended, from `first` seconds on.
fn timed(report_start: DateTime<Utc>, model: &mut ModelReport, first: u64) {
    let mut start = report_start + Duration::from_secs(first);
    for stage in model.stages.iter_mut().filter(|stage| !stage.duration.is_zero()) {
        stage.started_at = Some(start);
        start += stage.duration;
    }
}

fn earlier(report: &Report, count: u32) -> Vec<Record> {
    let model = &report.models[0];
    (0..count)
        .map(|n| {
            let mut record = Record::of(report, model);
            record.at -= chrono::Duration::days(i64::from(count - n));
            record.commit = format!("{n:x}f1c2a9e8b7d6c5f4e3d2c1b0a9f8e7d6c5b4a39");
            if let Some(ttft) = record.ttft_ms.as_mut() {
                let wave = 1.0 + f64::from(n * 5 % 7) / 20.0;
                (ttft.p50, ttft.p95) = (ttft.p50 * wave, ttft.p95 * wave * 1.1);
            }
            if n == 4 {
                record.status = Status::Failed;
                record.cause = Some("503 from the endpoint: no available instance".to_owned());
                record.ttft_ms = None;
                record.tokens_per_second = None;
            }
            record
        })
        .collect()
}

fn difference(what: &str, production: &str, preview: &str) -> Difference {
    Difference {
        what: what.to_owned(),
        production: production.to_owned(),
        preview: preview.to_owned(),
    }
}

/// A preview that has all that a report can have.
fn everything() -> Report {
    let mut report = preview();
    let measured = objectives_missed();
    report.notices.clear();
    report.environment = environment();
    let started_at = report.started_at;
    let model = &mut report.models[0];
    timed(started_at, model, 0);
    model.latency.clone_from(&measured.models[0].latency);
    model.comparison = Some(comparison());
    model.idle_cost_usd = Some(0.0);
    let at = |concurrency| LoadShape::Closed { concurrency };
    model.requests = [(1, 0, 20), (4, 0, 40), (16, 3, 40), (64, 20, 40)]
        .into_iter()
        .flat_map(|(load, failed, answered)| requests(at(load), failed, answered))
        .collect();
    model.differences = Some(vec![
        difference("--max-model-len", "4096", "8192"),
        difference("--reasoning-parser", "", "qwen3"),
        difference("memory", "16Gi", "32Gi"),
    ]);
    report.models[0].trend = earlier(&report, 12);
    report
}

/// Three models that ran at the same time; the second one failed.
fn models_at_once() -> Report {
    let mut report = several();
    report.environment = environment();
    let started_at = report.started_at;
    for (model, first) in report.models.iter_mut().zip([0, 3, 40]) {
        timed(started_at, model, first);
    }
    report.memory.records = earlier(&report, 2).into_iter().rev().collect();
    report
}

/// Hostile text also where [`everything`] has some.
fn hostile_everywhere() -> Report {
    let mut report = hostile();
    let text = HOSTILE.to_owned();
    report.repository.clone_from(&text);
    report.commit.clone_from(&text);
    report.tool_version.clone_from(&text);
    report.run_url = Some(format!("https://github.com/{text}"));
    report.environment = vec![fact(&text, &text), fact("Long", &"x".repeat(3_000))];
    let mut record = Record::of(&report, &report.models[0]);
    record.at -= chrono::Duration::days(1);
    record.run_url = Some("javascript:alert(1)".to_owned());
    record.cause = Some(text.clone());
    report.memory.records = vec![record];
    let model = &mut report.models[0];
    model.differences = Some(vec![difference(&text, &text, &"y".repeat(500))]);
    model.requests = requests(LoadShape::Closed { concurrency: 1 }, 2, 3);
    for row in &mut model.requests {
        row.error = row.error.as_ref().map(|_| text.clone());
    }
    for stage in &mut model.stages {
        stage.name.clone_from(&text);
    }
    if let Some(failure) = model.failure.as_mut() {
        failure.settings = vec![text.clone()];
        failure.place = Some(Place { file: text, line: 3 });
    }
    report
}
