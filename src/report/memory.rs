//! What the pull request's comment keeps of earlier runs, in a hidden line of its own.
//!
//! The line is an HTML comment: a version, then base64 of deflated text, one record a line. Its alphabet is the
//! plain one without padding (letters, digits, `+`, `/`), which has no dash that could end the comment and nothing
//! that Markdown reads. Whoever may edit the comment may edit the line, so that whatever is read is hostile.

mod packed;

use chrono::{DateTime, Utc};

use super::escape::{clip, line};
use super::record::{Figures, Record};
use super::{Kind, Report, Status};

/// Commits whose results are kept.
const COMMITS: usize = 10;
/// Models whose last good result is kept.
const MODELS: usize = 20;
/// Characters of a value.
const TEXT: usize = 160;
/// Milliseconds beyond which a figure is nobody's measurement: eleven days.
const SLOWEST: f64 = 1e9;

/// Earlier results of one pull request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Newest first; one for each model and commit.
    pub records: Vec<Record>,
    /// The last good result of each model, which may be older than all of [`Self::records`].
    pub last_good: Vec<Record>,
}

impl Memory {
    /// What a comment's body keeps. Nothing when it has no such line, and what can be used of one that somebody
    /// spoilt.
    pub fn read(body: &str) -> Self {
        let mut memory = packed::read(body);
        memory.bound();
        memory
    }

    /// The hidden line, at most [`Self::LONGEST`] bytes without its line end: what doesn't fit is left out, the
    /// oldest first. There is one also when there is nothing to keep: the last such line counts, so that text from
    /// outside which looks like one never does.
    pub fn hidden_line(&self) -> String {
        let mut memory = self.clone();
        memory.bound();
        packed::write(memory)
    }

    /// Bytes of the longest line: a fifth of what a comment may have.
    pub const LONGEST: usize = 12_000;

    /// With this run's results in front, once it has ended. A commit that ran again has its new result only; a
    /// deleted preview's addresses are forgotten.
    pub fn with(&self, report: &Report) -> Self {
        let mut memory = self.clone();
        if report.kind == Kind::Cleanup && matches!(report.status, Status::Deleted | Status::Skipped) {
            memory.forget_addresses();
        }
        let new = results(report);
        if !new.is_empty() {
            memory.records.retain(|old| old.commit != report.commit);
        }
        for good in new.iter().filter(|r| r.is_good()) {
            memory.last_good.retain(|old| old.service != good.service);
            memory.last_good.insert(0, good.clone());
        }
        memory.records.splice(..0, new);
        memory.bound();
        memory
    }

    /// The last good result of a service.
    pub fn last_good_of(&self, service: &str) -> Option<&Record> {
        let service = short(service);
        self.last_good.iter().find(|r| r.service == service)
    }

    /// The commits that are kept, newest first, each once.
    pub fn commits(&self) -> Vec<&str> {
        let mut commits: Vec<&str> = Vec::new();
        for record in &self.records {
            if !commits.contains(&record.commit.as_str()) {
                commits.push(&record.commit);
            }
        }
        commits
    }

    fn forget_addresses(&mut self) {
        for record in self.records.iter_mut().chain(&mut self.last_good) {
            record.url = None;
        }
    }

    fn bound(&mut self) {
        for record in self.records.iter_mut().chain(&mut self.last_good) {
            bound(record);
        }
        self.records.retain(|r| is_result(r.status));
        self.last_good.retain(Record::is_good);
        self.last_good.truncate(MODELS);
        let kept: Vec<String> = self
            .commits()
            .iter()
            .take(COMMITS)
            .map(|c| (*c).to_owned())
            .collect();
        self.records.retain(|r| kept.contains(&r.commit));
    }
}

/// What there is to remember of a run: nothing while it goes on, nor of one that only planned, unless it was refused.
fn results(report: &Report) -> Vec<Record> {
    let tells = match report.kind {
        Kind::Preview => is_result(report.status),
        Kind::PlanOnly => report.status == Status::Failed,
        Kind::Production | Kind::Cleanup | Kind::ScheduledTest => false,
    };
    if !tells {
        return Vec::new();
    }
    if let (Some(failure), true) = (&report.failure, report.models.is_empty()) {
        return vec![could_not_start(report, &failure.title)];
    }
    let models = report.models.iter().filter(|m| is_result(m.status));
    models
        .map(|model| {
            let mut record = Record::of(report, model);
            bound(&mut record);
            record
        })
        .collect()
}

/// No model was looked at, but the commit has a result.
fn could_not_start(report: &Report, why: &str) -> Record {
    Record {
        at: report.started_at,
        commit: short(&report.commit),
        status: Status::Failed,
        service: String::new(),
        model: String::new(),
        model_revision: None,
        url: None,
        revision: None,
        ttft_ms: None,
        itl_ms: None,
        e2e_ms: None,
        tokens_per_second: None,
        objectives_met: None,
        stage: report.failure.as_ref().map(|f| short(&f.stage)),
        cause: Some(short(why)),
        run_url: report.run_url.as_deref().map(short),
        deployed: false,
    }
}

const fn is_result(status: Status) -> bool {
    matches!(status, Status::Succeeded | Status::Failed | Status::Cancelled)
}

/// Texts are cut, and figures that nothing can have measured go.
fn bound(record: &mut Record) {
    record.at = record.at.clamp(DateTime::UNIX_EPOCH, FARTHEST);
    for text in [&mut record.commit, &mut record.service, &mut record.model] {
        *text = short(text);
    }
    for text in [
        &mut record.model_revision,
        &mut record.url,
        &mut record.revision,
        &mut record.stage,
        &mut record.cause,
        &mut record.run_url,
    ] {
        *text = text.as_deref().map(short);
    }
    for figures in [&mut record.ttft_ms, &mut record.itl_ms, &mut record.e2e_ms] {
        *figures = figures.filter(|f: &Figures| [f.p50, f.p95, f.p99].into_iter().all(is_measured));
    }
    record.tokens_per_second = record.tokens_per_second.filter(|rate| is_measured(*rate));
}

fn is_measured(value: f64) -> bool {
    (0.0..=SLOWEST).contains(&value)
}

fn short(text: &str) -> String {
    // Most of a megabyte is not looked at.
    clip(&line(&clip(text, TEXT * 4)), TEXT)
}

/// The last second that is written with a year of four digits.
const FARTHEST: DateTime<Utc> = match DateTime::from_timestamp(253_402_300_799, 0) {
    Some(at) => at,
    None => DateTime::UNIX_EPOCH,
};

#[cfg(test)]
mod tests;
