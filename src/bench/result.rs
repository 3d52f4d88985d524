//! What a measurement found, as data: the shape of `bench --json`, and of `latency` in `report.json`.
//!
//! Every time is in milliseconds. What these names mean is written in docs/benchmarking.md.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::examples::Example;
use crate::config::latency::{Arrivals, Load, Objective, PrefixCache, Timing};

/// Version of the result's shape; raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// A whole measurement: what `bench --json FILE` writes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BenchResult {
    pub schema_version: u32,
    /// Version of llm-deploy.
    pub tool_version: String,
    pub started_at: DateTime<Utc>,
    /// Base URL, without credentials.
    pub url: String,
    pub model: String,
    /// With the same seed the same prompts are sent, and in an open loop at the same times.
    pub seed: u64,
    /// In the order in which they were measured.
    pub levels: Vec<Level>,
    /// What a sweep found.
    pub sweep: Option<SweepResult>,
    /// The level whose figures stand at the top of the file: the best one of a sweep, else the last.
    pub headline: Option<usize>,
    /// Against the baseline, when there is one.
    pub comparison: Option<Comparison>,
}

impl BenchResult {
    /// The level that [`Self::headline`] points at.
    pub fn headline_level(&self) -> Option<&Level> {
        self.levels.get(self.headline?)
    }
}

/// What a sweep over request rates found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SweepResult {
    /// Highest request rate (per second) that met every objective; `None` when none did.
    pub highest_good_rate: Option<f64>,
    /// Lowest rate that missed one.
    pub lowest_bad_rate: Option<f64>,
    /// Requests a second that the server completed when it had as much work as it could take.
    pub saturation_rate: Option<f64>,
}

/// Latency at one load.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Level {
    pub load: LoadShape,
    /// Requests in the figures below, failed ones among them.
    pub requests: u64,
    pub errors: u64,
    /// By kind: `refused`, `timeout`, `unreachable`, `broken`, `malformed`, `cut_short` …
    pub errors_by_kind: BTreeMap<String, u64>,
    /// First few distinct error messages. Hostile text.
    pub error_samples: Vec<String>,
    /// Requests that warmed up or belonged to the ramp-up: sent before, in no figure.
    pub excluded_requests: u64,
    /// Seconds from the first measured request's start to the last one's end.
    pub seconds: f64,
    /// Most requests that were in flight at once.
    pub peak_in_flight: u64,
    /// Time to the first token of reasoning or content. In an open loop it counts from when the request was due.
    pub ttft_ms: Option<Distribution>,
    /// Gap between consecutive chunks with text of a request.
    pub itl_ms: Option<Distribution>,
    /// Time per output token after the first, one mean a request.
    pub tpot_ms: Option<Distribution>,
    /// End to end, to the last byte of the stream. In an open loop from when the request was due.
    pub e2e_ms: Option<Distribution>,
    /// Open loop: from when a request was due to when it was sent.
    pub queue_ms: Option<Distribution>,
    /// Output tokens per second of one request, first token to last. `p95` is what 95 % reach or exceed.
    pub tokens_per_second: Option<Distribution>,
    /// As the server counted them, else as the tokenizer did.
    pub input_tokens: Option<u64>,
    pub output_tokens: u64,
    /// Chunks with text. Fewer than tokens when a chunk holds several.
    pub chunks: u64,
    /// Whether output tokens were counted by the server (`usage`) or taken as one a chunk.
    pub tokens_counted_by_server: bool,
    pub requests_per_second: f64,
    /// Output tokens of all requests per second of wall time.
    pub output_tokens_per_second: f64,
    /// Input and output tokens of all requests per second of wall time.
    pub total_tokens_per_second: Option<f64>,
    /// Share of the requests that met every time objective; absent without objectives. Failed ones did not.
    pub goodput: Option<Goodput>,
    pub objectives: Vec<ObjectiveOutcome>,
    /// The server's own figures of the same time, from `/metrics`.
    pub server: Option<ServerSide>,
    /// How the prompts were made.
    pub input: InputShape,
    /// At most 120 equal slices of the measured time.
    pub over_time: Vec<Slice>,
    /// The distributions behind the percentiles, for charts: at most 200 bins each.
    pub histograms: BTreeMap<String, Vec<Bin>>,
    /// What a later run needs to compare itself with this one.
    pub samples: Option<Samples>,
    /// A few requests to look at: the slowest, failed ones, others by chance. For the report that is made of this
    /// result; not part of the published shape, because `bench --raw` writes every request.
    #[serde(skip)]
    pub examples: Vec<Example>,
    /// Plain sentences that qualify the figures: several tokens a chunk, a level that was given up. May quote
    /// the server: hostile text.
    pub notes: Vec<String>,
}

/// [`Load`] as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LoadShape {
    /// So many requests in flight at once.
    Closed { concurrency: u32 },
    /// So many requests a second.
    Open { rate: f64, arrivals: Arrivals },
}

impl LoadShape {
    /// Closed loops first, each kind by its size: a sweep measures in another order.
    pub fn by_size(&self, other: &Self) -> Ordering {
        let size = |load: &Self| match *load {
            Self::Closed { concurrency } => (0, f64::from(concurrency)),
            Self::Open { rate, .. } => (1, rate),
        };
        let ((kind, size), (other_kind, other_size)) = (size(self), size(other));
        kind.cmp(&other_kind).then(size.total_cmp(&other_size))
    }
}

/// `4 at a time`, `2.5 requests/s`. A rate that a sweep computed is cut to what tells it apart.
impl fmt::Display for LoadShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Closed { concurrency } => write!(f, "{concurrency} at a time"),
            Self::Open { rate, .. } => {
                let digits = if rate < 1.0 { 1_000.0 } else { 100.0 };
                write!(f, "{} requests/s", (rate * digits).round() / digits)
            }
        }
    }
}

impl From<Load> for LoadShape {
    fn from(load: Load) -> Self {
        match load {
            Load::Closed { concurrency } => Self::Closed { concurrency },
            Load::Open { rate, arrivals } => Self::Open { rate, arrivals },
        }
    }
}

/// Percentiles of one metric: nearest rank, each a value that was measured, to 0.1 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    pub count: u64,
    pub mean: f64,
    pub min: f64,
    pub p50: f64,
    pub p75: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
    /// 95 % confidence intervals, from a bootstrap over requests.
    pub ci95: Option<Intervals>,
}

/// Confidence intervals of percentiles: `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intervals {
    pub p50: [f64; 2],
    pub p90: [f64; 2],
    pub p95: [f64; 2],
    pub p99: [f64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Goodput {
    /// Between 0 and 1.
    pub share: f64,
    /// Good requests a second.
    pub requests_per_second: f64,
}

/// What became of one objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveOutcome {
    pub objective: Objective,
    /// As it is written in the configuration: `ttft-p95: 800ms`.
    pub written: String,
    /// The figure that was measured, in the objective's unit; `None` when there was none, which misses it.
    pub measured: Option<f64>,
    pub met: bool,
    /// How far inside the limit the figure is, as a share of the limit; negative when it is missed.
    pub margin: Option<f64>,
}

/// How the prompts were made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputShape {
    /// `prompts`, `synthetic` or `dataset`.
    pub kind: String,
    /// Who counted input tokens: `server` (`/tokenize`), `tokenizer`, `estimate`, or `none` when nobody did.
    pub counted_by: String,
    /// Input tokens asked for, of synthetic prompts.
    pub input_tokens: Option<u32>,
    /// Output tokens asked for.
    pub output_tokens: Option<u32>,
    /// Whether `ignore_eos` and `min_tokens` were sent.
    pub fixed_length: bool,
    pub prefix_cache: PrefixCache,
}

/// One slice of the measured time. Requests belong to the slice in which they ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slice {
    /// Seconds from the start of the measurement to the slice's start.
    pub at: f64,
    pub requests: u64,
    pub errors: u64,
    pub ttft_p50: Option<f64>,
    pub ttft_p95: Option<f64>,
    pub itl_p50: Option<f64>,
    pub itl_p95: Option<f64>,
}

/// So many values in `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bin {
    pub from: f64,
    pub to: f64,
    pub count: u64,
}

/// Values in groups of whole requests, the units of every resampling: few enough to keep, and independent of each
/// other as gaps within one request are not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Samples {
    /// Consecutive requests of each group: a power of two, 1 up to 64 requests.
    pub requests_per_group: u64,
    /// By metric (`ttft`, `itl`, `tpot`, `e2e`), then by group: ascending values in milliseconds and their counts.
    pub groups: BTreeMap<Timing, Vec<Vec<(f64, u64)>>>,
}

/// vLLM's own figures over the time of one level, beside the client's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerSide {
    pub ttft_ms: Option<ServerTime>,
    pub itl_ms: Option<ServerTime>,
    pub e2e_ms: Option<ServerTime>,
    /// Time that requests waited in vLLM before the engine took them.
    pub queue_ms: Option<ServerTime>,
    pub preemptions: Option<u64>,
    /// Highest share of the KV cache that was seen in use, between 0 and 1.
    pub kv_cache_use: Option<f64>,
    /// Share of the prompt tokens that the prefix cache had.
    pub prefix_cache_hit_rate: Option<f64>,
    pub prompt_tokens: Option<u64>,
    pub generated_tokens: Option<u64>,
    /// Why the figures are not this client's alone: another client's requests, several instances …
    pub notes: Vec<String>,
}

/// One of the server's histograms over the time of a level. Percentiles are interpolated in its buckets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerTime {
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    /// The client's mean (from when a request was sent) less the server's: network, Cloud Run's front end and what
    /// lies between.
    pub outside: Option<f64>,
}

/// This run against a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Where the baseline came from: a file name or a URL.
    pub baseline: String,
    pub changes: Vec<Change>,
    /// Why some figures could not be compared.
    pub notes: Vec<String>,
}

/// One figure against the baseline's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    pub load: LoadShape,
    pub timing: Timing,
    pub percentile: f64,
    pub before: f64,
    pub after: f64,
    /// `after / before`, with its 95 % confidence interval.
    pub ratio: f64,
    pub ratio_ci95: [f64; 2],
    /// Of the permutation test, corrected for the number of figures that are compared.
    pub p_value: f64,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Better,
    Worse,
    /// Noise explains the difference, or it is too small to matter.
    NoRealChange,
    /// Too few requests to tell.
    Inconclusive,
}

impl Distribution {
    /// One of the percentiles that are here: 50, 75, 90, 95, 99 or 99.9.
    pub fn percentile(&self, percentile: f64) -> Option<f64> {
        let all = [
            (50.0, self.p50),
            (75.0, self.p75),
            (90.0, self.p90),
            (95.0, self.p95),
            (99.0, self.p99),
            (99.9, self.p99_9),
        ];
        let (_, value) = all.into_iter().find(|(name, _)| *name == percentile)?;
        value.is_finite().then_some(value)
    }
}

impl Level {
    /// A level of which nothing is known yet.
    pub fn empty(load: LoadShape) -> Self {
        Self {
            load,
            requests: 0,
            errors: 0,
            errors_by_kind: BTreeMap::new(),
            error_samples: Vec::new(),
            excluded_requests: 0,
            seconds: 0.0,
            peak_in_flight: 0,
            ttft_ms: None,
            itl_ms: None,
            tpot_ms: None,
            e2e_ms: None,
            queue_ms: None,
            tokens_per_second: None,
            input_tokens: None,
            output_tokens: 0,
            chunks: 0,
            tokens_counted_by_server: false,
            requests_per_second: 0.0,
            output_tokens_per_second: 0.0,
            total_tokens_per_second: None,
            goodput: None,
            objectives: Vec::new(),
            server: None,
            input: InputShape::default(),
            over_time: Vec::new(),
            histograms: BTreeMap::new(),
            samples: None,
            examples: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Requests that were answered in full.
    pub fn answers(&self) -> u64 {
        self.requests.saturating_sub(self.errors)
    }

    /// `None` without objectives.
    pub fn objectives_met(&self) -> Option<bool> {
        let all = self.objectives.iter().all(|outcome| outcome.met);
        (!self.objectives.is_empty()).then_some(all)
    }

    /// Of a time, by name.
    pub fn timing(&self, timing: Timing) -> Option<&Distribution> {
        match timing {
            Timing::Ttft => self.ttft_ms.as_ref(),
            Timing::Itl => self.itl_ms.as_ref(),
            Timing::Tpot => self.tpot_ms.as_ref(),
            Timing::E2e => self.e2e_ms.as_ref(),
        }
    }

    /// Requests in flight at once, of a closed loop.
    pub fn concurrency(&self) -> Option<u32> {
        match self.load {
            LoadShape::Closed { concurrency } => Some(concurrency),
            LoadShape::Open { .. } => None,
        }
    }
}
