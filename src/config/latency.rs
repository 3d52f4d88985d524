//! The latency measurement: which loads, for how long, with which prompts, and what is expected of the figures.

mod resolve;

use std::{path::PathBuf, time::Duration};

use serde::{Serialize, Serializer};

use super::{defaults, human, human_option};

pub(super) use resolve::resolve;

/// The latency measurement that follows the smoke tests, or that `bench` makes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Latency {
    /// Measured requests at each load; 0 turns the measurement off. With `duration` it has no effect.
    pub requests: u32,
    /// Each load is measured for this long instead of for a number of requests.
    #[serde(serialize_with = "human_option")]
    pub duration: Option<Duration>,
    /// Closed loop: requests in flight at once, each number measured on its own. Empty when `rate` is given alone.
    pub concurrency: Vec<u32>,
    /// Open loop: requests a second, whatever becomes of those before; each rate measured on its own.
    pub rate: Vec<f64>,
    pub arrivals: Arrivals,
    /// The load grows to its full size over this time; what was sent in it is not in the figures.
    #[serde(serialize_with = "human")]
    pub ramp_up: Duration,
    /// Requests before those that are measured, at each load.
    pub warm_up: u32,
    /// Makes prompts and arrivals the same again; drawn anew (and told) when absent.
    pub seed: Option<u64>,
    #[serde(flatten)]
    pub input: Input,
    /// Output tokens asked of each request, unless the dataset says how many.
    #[serde(rename = "output-tokens")]
    pub max_tokens: u32,
    pub prefix_cache: PrefixCache,
    /// Deadline of each request, from when it is sent.
    #[serde(serialize_with = "human")]
    pub timeout: Duration,
    #[serde(serialize_with = "as_written")]
    pub objectives: Vec<Objective>,
    /// A result of `bench --json` to compare with.
    pub baseline: Option<PathBuf>,
}

/// One load: either so many requests at once, or so many a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    Closed { concurrency: u32 },
    Open { rate: f64, arrivals: Arrivals },
}

/// When an open loop's requests are due.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Independent of each other, as users are: exponentially distributed gaps.
    #[default]
    Poisson,
    /// Evenly spaced.
    Constant,
}

/// Whether prompts may share a beginning that the server has cached.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixCache {
    /// Each prompt begins unlike any other.
    #[default]
    Bust,
    /// Prompts are sent as they are.
    Keep,
}

/// What the requests ask.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// These, in turn.
    Prompts(Vec<String>),
    /// Made-up text of so many tokens.
    #[serde(rename = "input-tokens", serialize_with = "u32::serialize")]
    Synthetic { input_tokens: u32 },
    /// Lines of a JSONL file (`prompt`, `messages`, or ShareGPT's `conversations`), in an order that the seed decides.
    Dataset(PathBuf),
}

/// A time of one request, or the share of good requests.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Timing {
    Ttft,
    Itl,
    Tpot,
    E2e,
}

/// A figure that must not be missed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Objective {
    /// `ttft-p95: 800ms`: the percentile (such as 95 or 99.9) of the time is at most `milliseconds`.
    AtMost {
        timing: Timing,
        percentile: f64,
        milliseconds: f64,
    },
    /// `goodput: 0.99`: at least this share of the requests meets every time objective by itself.
    Goodput { share: f64 },
    /// `error-rate: 0.01`: at most this share of the requests fails.
    ErrorRate { share: f64 },
    /// `output-tokens-per-second: 500`: at least so many over all requests.
    OutputTokensPerSecond { least: f64 },
}

impl Latency {
    /// The loads in the order in which they are measured: closed loops, then open ones.
    pub fn loads(&self) -> Vec<Load> {
        let closed = self
            .concurrency
            .iter()
            .map(|&concurrency| Load::Closed { concurrency });
        let open = self.rate.iter().map(|&rate| Load::Open {
            rate,
            arrivals: self.arrivals,
        });
        closed.chain(open).collect()
    }

    /// Roughly how long the measurement takes: for a number of requests as if each token of an answer took 20 ms.
    pub fn estimate(&self) -> Duration {
        let answer = 0.2 + 0.02 * f64::from(self.max_tokens);
        let load = |load: &Load| {
            let rounds = |requests: u32| match load {
                Load::Closed { concurrency } => {
                    f64::from(requests) / f64::from((*concurrency).max(1)) * answer
                }
                Load::Open { rate, .. } => f64::from(requests) / rate.max(0.01) + answer,
            };
            let measured = match self.duration {
                Some(duration) => duration.as_secs_f64(),
                None => rounds(self.requests),
            };
            rounds(self.warm_up) + self.ramp_up.as_secs_f64() + measured
        };
        let all: f64 = self.loads().iter().map(load).sum();
        Duration::try_from_secs_f64(all).unwrap_or(Duration::MAX)
    }

    pub fn is_off(&self) -> bool {
        (self.requests == 0 && self.duration.is_none()) || self.loads().is_empty()
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            requests: defaults::LATENCY_REQUESTS,
            duration: None,
            concurrency: defaults::LATENCY_CONCURRENCY.to_vec(),
            rate: Vec::new(),
            arrivals: Arrivals::default(),
            ramp_up: Duration::ZERO,
            warm_up: 0,
            seed: None,
            input: Input::Prompts(vec![defaults::LATENCY_PROMPT.to_owned()]),
            max_tokens: defaults::LATENCY_MAX_TOKENS,
            prefix_cache: PrefixCache::default(),
            timeout: defaults::LATENCY_TIMEOUT,
            objectives: Vec::new(),
            baseline: None,
        }
    }
}

fn as_written<S: Serializer>(objectives: &[Objective], serializer: S) -> Result<S::Ok, S::Error> {
    let written = objectives.iter().map(ToString::to_string).collect::<Vec<_>>();
    serializer.serialize_str(&written.join(", "))
}
