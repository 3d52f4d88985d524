//! What came of a run, as its report and its exit code. Pure, but for the clock that it takes the duration from.

use super::Run;
use crate::{
    commands::Error,
    event::Trigger,
    pipeline::{
        failed::{Blame, Failed},
        live,
        recorder::Recorder,
    },
    report::{self, Kind, PullRequestRef, Report, Status},
};

/// What a reader of a cancelled run's report needs to know.
const CANCELLED: &str = "The run was cancelled. A build that it had started was cancelled with it; a revision on its way to Cloud Run goes on there, without traffic of production, and the next run takes it up.";

/// What a reader of the report needs to know of a run that gave way.
const SUPERSEDED: &str =
    "A newer run took over, so that this one stopped: nothing is wrong, see the newer run for the result.";

/// Recorders → report and verdict.
pub fn finish(run: &Run, recorders: Vec<Recorder>, notices: Vec<String>) -> (Report, Option<Blame>) {
    let blame = recorders.iter().filter_map(|r| r.blame).max();
    let mut report = empty(run);
    report.models = recorders.into_iter().map(|r| r.report).collect();
    report.status = overall(&report.models, blame, report.kind);
    report.notices.extend(notices);
    match report.status {
        Status::Cancelled => report.notices.push(CANCELLED.to_owned()),
        Status::Superseded => report.notices.push(SUPERSEDED.to_owned()),
        _ => {}
    }
    (report, blame)
}

/// The report of a run that goes on.
pub fn meanwhile(run: &Run, models: Vec<report::ModelReport>) -> Report {
    let status = live::status(&models);
    let models = models.into_iter().map(live::with_stages_to_come).collect();
    Report {
        status,
        models,
        ..empty(run)
    }
}

fn overall(models: &[report::ModelReport], blame: Option<Blame>, kind: Kind) -> Status {
    match kind {
        _ if models.iter().any(|m| m.status == Status::Cancelled) => Status::Cancelled,
        _ if blame.is_some() => Status::Failed,
        _ if models.iter().any(|m| m.status == Status::Superseded) => Status::Superseded,
        Kind::Cleanup if models.is_empty() => Status::Skipped,
        Kind::Cleanup => Status::Deleted,
        Kind::PlanOnly => Status::Skipped,
        // A configuration has at least one model: its pull request was closed before anything was deployed.
        Kind::Preview if models.is_empty() => Status::Skipped,
        Kind::Preview if models.iter().all(|m| m.status == Status::Deleted) => Status::Deleted,
        _ => Status::Succeeded,
    }
}

/// A run that failed before any model was looked at: the report still says why.
pub fn broken(run: &Run, error: &Error) -> (Report, Option<Blame>) {
    let mut report = empty(run);
    report.status = Status::Failed;
    let mut failure = Failed::new(error.blame, "the run could not start", error.message.clone()).failure;
    failure.stage = "setup".to_owned();
    failure.place = error.location.as_ref().map(|(file, line)| report::Place {
        file: file.clone(),
        line: *line,
    });
    report.failure = Some(*failure);
    (report, Some(error.blame))
}

fn empty(run: &Run) -> Report {
    let (kind, pull_request) = match &run.trigger {
        Trigger::Production => (Kind::Production, None),
        Trigger::Preview(pr) => (Kind::Preview, Some(pr)),
        Trigger::Closed(pr) | Trigger::Unlabelled(pr) => (Kind::Cleanup, Some(pr)),
        Trigger::Schedule | Trigger::Smoke => (Kind::ScheduledTest, None),
        Trigger::Cleanup => (Kind::Cleanup, None),
        Trigger::PlanOnly { pull_request, .. } => (Kind::PlanOnly, pull_request.as_ref()),
    };
    Report {
        schema_version: report::SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        status: Status::Succeeded,
        kind,
        repository: run.context.repository.clone(),
        commit: pull_request.map_or_else(|| run.context.sha.clone(), |pr| pr.head_sha.clone()),
        pull_request: pull_request.map(|pr| PullRequestRef {
            number: pr.number,
            title: pr.title.clone(),
        }),
        run_url: run.context.run_url.clone(),
        started_at: run.started_at,
        duration: run.clock.elapsed(),
        models: Vec::new(),
        failure: None,
        notices: run.notices.clone(),
        environment: Vec::new(),
        memory: report::memory::Memory::default(),
    }
}

/// Exit code of a finished run.
pub fn exit_code(report: &Report, blame: Option<Blame>) -> u8 {
    match blame {
        _ if report.status == Status::Cancelled => 130,
        Some(blame) => blame.exit_code(),
        None if report.status == Status::Failed => 1,
        None => 0,
    }
}
