//! What a run that goes on is doing, and since when.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::report::{Kind, ModelReport, Report, Stage, Status};

/// `Preview: building the image`; `None` when the run has ended.
pub fn going_on(report: &Report, subject: &str) -> Option<String> {
    let doing = match (report.status, report.models.as_slice()) {
        (Status::Queued, _) => "queued".to_owned(),
        (Status::Running, [only]) => match running(only) {
            Some(stage) => doing(&stage.name).to_owned(),
            None => "under way".to_owned(),
        },
        (Status::Running, several) => {
            let ended = several.iter().filter(|m| has_ended(m.status)).count();
            format!("under way, {ended} of {} models done", several.len())
        }
        _ => return None,
    };
    Some(match report.kind {
        Kind::PlanOnly if report.status == Status::Running => "Planning".to_owned(),
        _ => format!("{subject}: {doing}"),
    })
}

/// A stage that runs, as what somebody does.
pub fn doing(stage: &str) -> &str {
    match stage {
        "plan" => "planning",
        "build" => "building the image",
        "deploy" => "deploying",
        "smoke" => "testing",
        "latency" => "measuring latency",
        "traffic" => "moving traffic",
        "cleanup" => "cleaning up",
        _ => "under way",
    }
}

pub const fn has_ended(status: Status) -> bool {
    !matches!(status, Status::Queued | Status::Running)
}

/// The stage that runs.
pub fn running(model: &ModelReport) -> Option<&Stage> {
    model.stages.iter().find(|s| s.status == Status::Running)
}

/// Since when it runs: reports say how long everything has taken, so that it is that long ago, and not before the
/// stages ahead of it were done.
pub fn since(report: &Report, model: &ModelReport) -> DateTime<Utc> {
    let before: Duration = model
        .stages
        .iter()
        .take_while(|s| s.status != Status::Running)
        .map(|s| s.duration)
        .sum();
    let so_far = running(model).map_or(Duration::ZERO, |s| s.duration);
    report.started_at + before.max(report.duration.saturating_sub(so_far))
}

/// `09:02 UTC`
pub fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_stage_runs_since_the_report_was_written_less_what_it_took_so_far() {
        let mut report = samples::building();
        assert_eq!(
            going_on(&report, "Preview").unwrap(),
            "Preview: building the image"
        );
        report.duration = Duration::from_secs(600);
        report.models[0].stages[1].duration = Duration::from_secs(120);
        assert_eq!(clock(since(&report, &report.models[0])), "09:08 UTC");
        // A writer that doesn't say how long everything took.
        report.duration = Duration::ZERO;
        report.models[0].stages[0].duration = Duration::from_secs(60);
        assert_eq!(clock(since(&report, &report.models[0])), "09:01 UTC");
    }
}
