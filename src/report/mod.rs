//! The outcome of a run as data, and its renderers, one per surface. Pure.

pub mod bench;
mod call;
pub mod charts;
pub mod escape;
pub mod html;
pub mod incident;
pub mod json;
pub mod markdown;
pub mod memory;
mod outputs;
pub mod record;
mod requests;
#[cfg(test)]
pub(crate) mod samples;
pub mod terminal;
pub(crate) mod words;

use std::{borrow::Cow, time::Duration};

use chrono::{DateTime, Utc};
use memory::Memory;
use record::Record;
use serde::{Deserialize, Serialize};

use crate::{
    bench::result::{Comparison, Level, LoadShape},
    secrets::Masks,
};

pub use outputs::outputs;
pub use requests::requests;

/// Version of `report.json`'s shape; raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 2;

/// Everything that a run has to tell.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub schema_version: u32,
    /// Version of llm-deploy.
    pub tool_version: String,
    pub status: Status,
    pub kind: Kind,
    pub repository: String,
    pub commit: String,
    pub pull_request: Option<PullRequestRef>,
    /// The workflow run's page, when there is one.
    pub run_url: Option<String>,
    pub started_at: DateTime<Utc>,
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    pub models: Vec<ModelReport>,
    /// Why the run as a whole could not start (configuration, credentials); no model was looked at then.
    pub failure: Option<Failure>,
    /// Plain sentences for the user: why nothing was deployed, that the endpoint is a stand-in …
    pub notices: Vec<String>,
    /// Where and with what it ran: runner, region, versions; for the HTML report.
    pub environment: Vec<Fact>,
    /// Earlier results of the same pull request.
    #[serde(skip)]
    pub memory: Memory,
}

/// A name and its value, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub name: String,
    pub value: String,
}

/// Pull request the report belongs to. The title is hostile text.
#[derive(Clone, Debug, Serialize)]
pub struct PullRequestRef {
    pub number: u64,
    pub title: String,
}

/// What kind of run it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Production,
    Preview,
    Cleanup,
    ScheduledTest,
    PlanOnly,
}

/// How a run, a model or a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not begun. Only while a run goes on.
    Queued,
    /// Under way. Only while a run goes on.
    Running,
    Succeeded,
    Failed,
    /// Nothing to do, or not reached.
    Skipped,
    Cancelled,
    /// A newer run took the target over.
    Superseded,
    /// The preview was deleted.
    Deleted,
}

/// One model's outcome. Every field that a failed run did not reach is `None` or empty.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// Cloud Run service name.
    pub service: String,
    pub model: String,
    /// Resolved Hugging Face commit.
    pub model_revision: Option<String>,
    pub status: Status,
    /// Base URL to call; for a production run the service's own URL.
    pub url: Option<String>,
    pub private: bool,
    /// Whether vLLM asks for a key of its own (`VLLM_API_KEY`) besides.
    pub api_key: bool,
    /// Image by digest, `host/project/repository/package@sha256:…`.
    pub image: Option<String>,
    /// Cloud Run revision.
    pub revision: Option<String>,
    /// What changed against the live service, one line each; empty when nothing did.
    pub changes: Vec<String>,
    /// What the reader should know although nothing failed: a tight fit, a window that some pages call too long.
    pub warnings: Vec<String>,
    pub stages: Vec<Stage>,
    pub checks: Vec<CheckOutcome>,
    pub cold_start: Option<ColdStart>,
    /// At each load.
    pub latency: Vec<Level>,
    /// With it the same prompts are sent again, and at a request rate at the same times.
    pub latency_seed: Option<u64>,
    /// The latency against the configured baseline's.
    pub comparison: Option<Comparison>,
    pub failure: Option<Failure>,
    pub links: Vec<Link>,
    /// US dollars for one hour of one running instance at list price, when the price is known.
    pub hourly_cost_usd: Option<f64>,
    /// US dollars for one hour in which nobody calls: that of the minimum instances.
    pub idle_cost_usd: Option<f64>,
    /// When the preview will be deleted.
    pub expires_at: Option<DateTime<Utc>>,
    /// A preview against production as it is live; `None` when there is no production to compare with.
    pub differences: Option<Vec<Difference>>,
    /// Production's latest results up to this one, oldest first; empty where none is kept.
    pub trend: Vec<Record>,
    /// Some of the measured requests, the slowest among them.
    pub requests: Vec<RequestRow>,
}

/// One thing that the preview does differently from production: a flag, the image, a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `--max-model-len`, `image`, `memory`.
    pub what: String,
    /// Empty where production has none.
    pub production: String,
    /// Empty where the preview has none.
    pub preview: String,
}

/// One measured request. A failed one has an error and no times.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestRow {
    pub load: LoadShape,
    /// Seconds from the start of the load's measured time to when it was due (open loop) or sent.
    pub at_seconds: f64,
    pub ttft_ms: Option<f64>,
    pub e2e_ms: Option<f64>,
    pub output_tokens: Option<u64>,
    /// Hostile text.
    pub error: Option<String>,
}

/// One stage of the pipeline: plan, build, deploy, smoke, latency, traffic, cleanup.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    pub name: String,
    pub status: Status,
    /// `None` for one that was not begun.
    pub started_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    /// One line: `image was there`, `revision qwen-00002 serves 100 %`.
    pub detail: String,
}

impl Stage {
    /// One that has taken no time: it is to come, begins now, or was not needed.
    pub fn at_once(name: &str, status: Status) -> Self {
        Self {
            name: name.to_owned(),
            status,
            started_at: None,
            duration: Duration::ZERO,
            detail: String::new(),
        }
    }
}

/// One smoke check. `sent`, `received` and `detail` may hold model output: hostile text.
#[derive(Clone, Debug, Serialize)]
pub struct CheckOutcome {
    pub name: String,
    pub passed: bool,
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    /// What was found, or what was expected.
    pub detail: String,
    /// For a failed check: the request, without credentials.
    pub sent: Option<String>,
    /// For a failed check: the answer, shortened.
    pub received: Option<String>,
    /// For a failed check: what to look at.
    pub hint: Option<String>,
}

/// The first request to a new revision, timed apart from the measurement.
#[derive(Clone, Debug, Serialize)]
pub struct ColdStart {
    pub ttft_ms: f64,
    pub e2e_ms: f64,
}

/// Why a run failed and what to do. All fields may quote other services: hostile text.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Stage that failed, as in [`Stage::name`].
    pub stage: String,
    /// One line: what failed.
    pub title: String,
    /// The reason: in one plain sentence where it is known, else as the service gave it.
    pub cause: String,
    /// What to do next.
    pub fix: Option<String>,
    /// What the service said, word for word, when `cause` is our explanation of it.
    pub said: Option<String>,
    /// Last lines of the container's or the build's log.
    pub log: Vec<String>,
    /// Settings that cause it, as they are written below a model: `service.gpu`.
    pub settings: Vec<String>,
    /// Where the first of them stands in the configuration.
    pub place: Option<Place>,
}

impl Failure {
    /// Takes secrets out of what other services said.
    pub fn redact(&mut self, masks: &Masks) {
        let texts = [&mut self.title, &mut self.cause].into_iter();
        let texts = texts
            .chain(&mut self.fix)
            .chain(&mut self.said)
            .chain(&mut self.log);
        for text in texts {
            if let Cow::Owned(redacted) = masks.redact(text) {
                *text = redacted;
            }
        }
    }
}

/// A line of the configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Path in the checkout.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// A link for the reader. URLs come from us or from a service's answer, labels from us.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    pub label: String,
    pub url: String,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}
