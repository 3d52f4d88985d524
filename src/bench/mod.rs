//! Latency of an endpoint: a fixed number of streamed requests at each concurrency, in a closed loop.
//!
//! What is measured, per request: time to the first text (reasoning or content), the gaps between chunks with
//! text, the time to the last byte, and output tokens per second from the first text to the last. Times start
//! when the request is handed to its connection, which is open already; credentials are at hand by then.
//! Failed requests are counted and quoted, and are in no figure.
//!
//! Where other tools differ: `vllm bench serve` takes the first chunk with a choice for the first token (the role's,
//! too), ends a request at its last chunk instead of `[DONE]`, counts the gap before the closing chunk, and interpolates
//! percentiles, where a percentile here is a value that was measured (nearest rank). guidellm spreads the time from
//! first to last token over the tokens by `usage`, one mean a request, where gaps between chunks are kept here: with
//! several tokens a chunk (speculative decoding) its inter-token latency is the lower one.

pub mod input;
mod load;
mod metric;
pub mod objective;
pub mod output;
pub mod record;
mod recorder;
pub mod result;
pub mod self_test;
pub mod statistics;
mod tally;
#[cfg(test)]
mod tests;
pub mod truth;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use chrono::Utc;
use futures::future::join_all;

use crate::{
    config::{
        Latency,
        latency::{Input, Load},
    },
    endpoint::{Endpoint, Error},
};
use load::{Failed, Workload};
use result::{BenchResult, LoadShape, SCHEMA_VERSION};

/// Output tokens of the request that precedes the measurement.
const PROBE_TOKENS: u32 = 4;
/// Longest wait for the connections that are opened before a level.
const OPEN: Duration = Duration::from_secs(10);

/// How far the measurement at one load is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BenchProgress {
    pub load: LoadShape,
    pub done: u64,
    /// `None` when the load is measured for a time.
    pub total: Option<u64>,
    pub in_flight: u64,
    pub errors: u64,
    /// Of the last answers, the median.
    pub ttft_ms: Option<f64>,
}

impl fmt::Display for BenchProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.load {
            LoadShape::Closed { concurrency } => write!(f, "concurrency {concurrency}: {}", self.done)?,
            LoadShape::Open { rate, .. } => write!(f, "{rate} requests/s: {}", self.done)?,
        }
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        write!(f, " requests, {} errors", self.errors)
    }
}

/// Gets the record of each request.
pub type Observer = Arc<dyn Fn(&record::Record) + Send + Sync>;

/// What a measurement needs besides [`Latency`].
#[derive(Clone, Default)]
pub struct Options {
    /// Hears of every request, warm-up included, from another thread than the measuring one.
    pub observer: Option<Observer>,
    /// tokenizer.json (or its folder), for prompts of an exact length where the server has no `/tokenize`.
    pub tokenizer: Option<PathBuf>,
}

/// Measures each load in turn. `latency.timeout` is the deadline of each request; a level whose first
/// requests all fail is given up. Never fails: what went wrong is in the results.
pub async fn run(
    endpoint: &Endpoint,
    model: &str,
    latency: &Latency,
    _options: &Options,
    on_progress: &(dyn Fn(BenchProgress) + Sync),
) -> BenchResult {
    let mut result = BenchResult {
        schema_version: SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: Utc::now(),
        url: endpoint.base().to_string(),
        model: model.to_owned(),
        seed: latency.seed.unwrap_or_else(|| fastrand::u64(..)),
        levels: Vec::new(),
        sweep: None,
        headline: None,
        comparison: None,
    };
    if latency.is_off() {
        return result;
    }
    let prompt = match &latency.input {
        Input::Prompts(prompts) => prompts.first().cloned().unwrap_or_default(),
        Input::Synthetic { .. } | Input::Dataset(_) => String::new(),
    };
    let mut workload = Workload {
        endpoint: endpoint.clone(),
        model: model.to_owned(),
        prompt,
        max_tokens: latency.max_tokens,
        timeout: latency.timeout,
        nonce: result.seed as u32,
        fixed_length: true,
    };
    let note = settle_length(&mut workload).await;
    let workload = Arc::new(workload);
    let mut sent = 1;
    for load in latency.loads() {
        let Load::Closed { concurrency } = load else {
            continue;
        };
        open_connections(endpoint, concurrency.min(latency.requests)).await;
        let tally = load::level(&workload, concurrency, latency.requests, sent, on_progress).await;
        sent += latency.requests;
        let mut notes: Vec<String> = note.iter().cloned().collect();
        if tally.requests() < u64::from(latency.requests) {
            notes.push(format!(
                "given up: the first {} of {} requests all failed",
                tally.requests(),
                latency.requests
            ));
        }
        result
            .levels
            .push(tally.result(load.into(), latency.max_tokens, notes));
    }
    result.headline = result.levels.len().checked_sub(1);
    result
}

/// One request that is not measured: it finds out whether the server takes vLLM's fields for a fixed output
/// length. A server that refuses them is measured without, and the note says so.
async fn settle_length(workload: &mut Workload) -> Option<String> {
    let tokens = workload.max_tokens.min(PROBE_TOKENS);
    let error = match workload.ask(&workload.request(0, tokens)).await {
        Err(Failed::Request(
            error @ Error::Refused {
                status: 400 | 422, ..
            },
        )) => error,
        _ => return None,
    };
    workload.fixed_length = false;
    if let Err(Failed::Request(_)) = workload.ask(&workload.request(0, tokens)).await {
        // Refused for another reason, which the measured requests will show.
        workload.fixed_length = true;
        return None;
    }
    Some(format!(
        "the server refused `ignore_eos` and `min_tokens` ({error}): measured without, so output lengths may vary"
    ))
}

/// Opens as many connections as there will be workers, so that no request is charged for a TLS handshake.
async fn open_connections(endpoint: &Endpoint, count: u32) {
    // A failure here shows in the measured requests.
    let _ = join_all((0..count).map(|_| endpoint.health(OPEN))).await;
}
