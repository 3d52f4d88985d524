//! The words and number formats that all surfaces share.

mod comparison;
mod figures;
mod latency;
mod objectives;
mod progress;

use std::time::Duration;

use chrono::{DateTime, Utc};

pub use comparison::{Compared, compared, signed, tally, worse};
pub use figures::{
    chosen_milliseconds, interval, load_name, load_short, milliseconds, percent, plural, rate, step,
};
pub use latency::{Cell, every_metric, goodput, latency_note, load, metrics, notes, server, timing};
pub use objectives::{Outcome, advice, outcome};
pub use progress::{clock, doing, has_ended, running, since};

use super::{Kind, ModelReport, Report, Status};
use crate::units::human_duration;

pub const fn emoji(status: Status) -> &'static str {
    match status {
        Status::Queued => "🕒",
        Status::Running => "⏳",
        Status::Succeeded => "✅",
        Status::Failed => "❌",
        Status::Skipped => "⏭️",
        Status::Cancelled => "⏹️",
        Status::Superseded => "⏩",
        Status::Deleted => "🗑️",
    }
}

pub const fn status(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Running => "running",
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
        Status::Cancelled => "cancelled",
        Status::Superseded => "superseded",
        Status::Deleted => "deleted",
    }
}

/// The run's outcome in a few words, without model names.
pub fn headline(report: &Report) -> String {
    let what = subject(report.kind);
    if let Some(doing) = progress::going_on(report, what) {
        return doing;
    }
    match (report.kind, report.status) {
        (Kind::PlanOnly, Status::Succeeded | Status::Skipped) => "Plan only, nothing was changed".to_owned(),
        (Kind::Preview, Status::Succeeded) => "Preview is ready".to_owned(),
        (Kind::Production, Status::Succeeded) => "Production is live".to_owned(),
        (Kind::ScheduledTest, Status::Succeeded) => "Scheduled test passed".to_owned(),
        (Kind::Cleanup, Status::Deleted | Status::Succeeded) => "Preview deleted".to_owned(),
        (Kind::Cleanup, Status::Skipped) => "Nothing to delete".to_owned(),
        (Kind::PlanOnly, Status::Failed) => format!("Not deployed{}", failed_part(report)),
        (Kind::Preview, Status::Failed) if kept_by_limits(report) => {
            format!("Not deployed: {}", stage("limits"))
        }
        (_, Status::Failed) => format!("{what} failed{}", failed_part(report)),
        (_, other) => format!("{what} {}", status(other)),
    }
}

const fn subject(kind: Kind) -> &'static str {
    match kind {
        Kind::Production => "Production deployment",
        Kind::Preview => "Preview",
        Kind::Cleanup => "Preview clean-up",
        Kind::ScheduledTest => "Scheduled test",
        Kind::PlanOnly => "Plan",
    }
}

/// The limits are for all models together.
fn kept_by_limits(report: &Report) -> bool {
    let mut failures = report.models.iter().filter_map(|m| m.failure.as_ref());
    failures.any(|failure| failure.stage == "limits")
}

/// `: build` for one model, `: 1 of 3 models` for several.
fn failed_part(report: &Report) -> String {
    let failed = report
        .models
        .iter()
        .filter(|m| m.status == Status::Failed)
        .count();
    match report.models.as_slice() {
        [only] => only
            .failure
            .as_ref()
            .map_or_else(String::new, |f| format!(": {}", stage(&f.stage))),
        [] => String::new(),
        all => format!(": {failed} of {} models", all.len()),
    }
}

/// As a sentence begins, unless a name such as `ttft-p95` begins it.
pub fn capital(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if word.chars().all(|c| c.is_ascii_lowercase()) => {
            first.to_uppercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// A stage's name for people.
pub fn stage(name: &str) -> &str {
    match name {
        "plan" => "plan",
        "build" => "image build",
        "deploy" => "deployment",
        "smoke" => "smoke checks",
        "latency" => "latency measurement",
        "traffic" => "traffic switch",
        "cleanup" => "clean-up",
        "limits" => "limits of the base branch",
        other => other,
    }
}

/// `4 of 5 passed`
pub fn checks(model: &ModelReport) -> String {
    let passed = model.checks.iter().filter(|c| c.passed).count();
    format!("{passed} of {} passed", model.checks.len())
}

/// The first request's times, apart from the table.
pub fn cold_start(model: &ModelReport) -> Option<String> {
    let cold = model.cold_start.as_ref()?;
    Some(format!(
        "Cold first request (not in the table): first token after {}, complete after {}.",
        milliseconds(cold.ttft_ms),
        milliseconds(cold.e2e_ms)
    ))
}

/// For an hour in which an instance runs, and for one in which nobody calls.
pub fn cost(model: &ModelReport) -> Option<String> {
    let usd = model.hourly_cost_usd.filter(|c| c.is_finite())?;
    let idle = model.idle_cost_usd.filter(|c| c.is_finite());
    let idle = idle.map_or_else(String::new, |usd| {
        format!(", ${usd:.2} an hour when nobody calls")
    });
    Some(format!(
        "${usd:.2} an hour while an instance runs{idle} (list price)"
    ))
}

pub fn access(model: &ModelReport) -> &'static str {
    if model.private {
        "private: callers need the role Cloud Run Invoker and a Google ID token"
    } else {
        "public: anyone who knows the URL"
    }
}

pub fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// First 7 digits, as GitHub shows a commit.
pub fn short_commit(commit: &str) -> String {
    commit.chars().take(7).collect()
}

/// `package@sha256:0123456789ab` of a full image name.
pub fn short_image(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once("@sha256:") {
        Some((package, digest)) => {
            format!("{package}@sha256:{}", digest.chars().take(12).collect::<String>())
        }
        None => name.to_owned(),
    }
}

pub fn huggingface(model: &ModelReport) -> String {
    match &model.model_revision {
        Some(revision) => format!("https://huggingface.co/{}/tree/{revision}", model.model),
        None => format!("https://huggingface.co/{}", model.model),
    }
}

/// The repository's page, on the server that the run's page is on.
pub fn repository_url(report: &Report) -> Option<String> {
    let run = report.run_url.as_ref()?;
    let repository = &report.repository;
    let (server, _) = run.split_once(&format!("/{repository}/actions/"))?;
    Some(format!("{server}/{repository}"))
}

/// The commit's page.
pub fn commit_url(report: &Report) -> Option<String> {
    Some(format!("{}/commit/{}", repository_url(report)?, report.commit))
}

pub fn total(report: &Report) -> String {
    human_duration(report.duration)
}

/// Time of a stage; nothing for one that was not reached.
pub fn spent(duration: Duration) -> String {
    if duration.is_zero() {
        "–".to_owned()
    } else {
        human_duration(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_the_start_of_its_digest() {
        assert_eq!(
            short_image("h/p/r/qwen@sha256:0123456789abcdef"),
            "qwen@sha256:0123456789ab"
        );
    }
}
