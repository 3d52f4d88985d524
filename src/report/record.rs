//! One model's result in one run, in a line: what the comment's and production's histories are made of.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ModelReport, Report, Status};
use crate::bench::result::{Distribution, Level};

/// What is kept of one model's run. All text is hostile once it has been read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub at: DateTime<Utc>,
    pub commit: String,
    pub status: Status,
    pub service: String,
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_revision: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Latency at the lowest concurrency that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<Figures>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub itl_ms: Option<Figures>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2e_ms: Option<Figures>,
    /// Median of one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// At every load; absent without objectives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives_met: Option<bool>,
    /// Stage that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Title of the failure, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    /// Measured by a deployment, which tells nobody of a failure that is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deployed: bool,
}

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

impl From<Distribution> for Figures {
    fn from(all: Distribution) -> Self {
        Self {
            p50: all.p50,
            p95: all.p95,
            p99: all.p99,
        }
    }
}

impl Record {
    /// What there is to keep of `model`, one of the models of `report`.
    pub fn of(report: &Report, model: &ModelReport) -> Self {
        let page = report.run_url.as_deref();
        Self::in_run(report.started_at, &report.commit, page, model)
    }

    /// What there is to keep of `model` in a run that began `at` this time, before its report is whole.
    pub fn in_run(at: DateTime<Utc>, commit: &str, run_url: Option<&str>, model: &ModelReport) -> Self {
        let level = lowest(&model.latency);
        let figures = |get: fn(&Level) -> Option<Distribution>| level.and_then(get).map(Figures::from);
        let mut objectives = model.latency.iter().flat_map(|l| &l.objectives).peekable();
        Self {
            at,
            commit: commit.to_owned(),
            status: model.status,
            service: model.service.clone(),
            model: model.model.clone(),
            model_revision: model.model_revision.clone(),
            url: model.url.clone(),
            revision: model.revision.clone(),
            ttft_ms: figures(|l| l.ttft_ms),
            itl_ms: figures(|l| l.itl_ms),
            e2e_ms: figures(|l| l.e2e_ms),
            tokens_per_second: level.and_then(|l| l.tokens_per_second).map(|d| d.p50),
            objectives_met: objectives.peek().is_some().then(|| objectives.all(|o| o.met)),
            stage: model.failure.as_ref().map(|f| f.stage.clone()),
            cause: model.failure.as_ref().map(|f| f.title.clone()),
            run_url: run_url.map(str::to_owned),
            deployed: false,
        }
    }

    pub fn is_good(&self) -> bool {
        self.status == Status::Succeeded
    }
}

/// The level at the lowest concurrency.
pub fn lowest(levels: &[Level]) -> Option<&Level> {
    levels.iter().min_by_key(|l| l.concurrency().unwrap_or(u32::MAX))
}
