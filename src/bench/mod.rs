//! A measurement, module by module: [`input`] makes the prompts, `sweep` chooses the loads, `load` sends the requests of
//! one, `recorder` times each answer, `tally` sums them up in `metric`'s histograms, [`objective`] judges, [`truth`] sets
//! the server's `/metrics` beside them, [`statistics`] compares with a baseline, and [`result`] is what [`output`] writes.
//!
//! Latency of an endpoint under load: a closed loop (so many requests in flight at once) or an open one (so many a
//! second, whatever becomes of those before), for a number of requests or for a time.
//!
//! What is measured, per request: time to the first text (reasoning or content), the gaps between chunks with
//! text, the mean time per token after the first, the time to the last byte, and output tokens per second from the
//! first text to the last. In a closed loop times start when the request is handed to its connection, which is open
//! already; credentials are at hand by then. In an open loop they start when the request was due, so that a server
//! that stalls can't hide behind requests that were not sent meanwhile; from then to the sending is queue delay.
//!
//! Warm-up requests come before and are all answered when the measured ones begin. What is sent during a ramp-up is
//! in no figure. With a time as the limit, requests in flight at its end are awaited and counted. Failed requests are
//! counted and quoted, and are in no figure of time.
//!
//! Where other tools differ: `vllm bench serve` takes the first chunk with a choice for the first token (the role's,
//! too), ends a request at its last chunk instead of `[DONE]`, counts the gap before the closing chunk, and interpolates
//! percentiles, where a percentile here is a value that was measured (nearest rank). guidellm spreads the time from
//! first to last token over the tokens by `usage`, one mean a request, where gaps between chunks are kept here: with
//! several tokens a chunk (speculative decoding) its inter-token latency is the lower one.

pub mod descriptors;
pub mod examples;
mod failure;
pub mod input;
mod load;
mod metric;
mod notes;
pub mod objective;
pub mod output;
mod progress;
pub mod record;
mod recorder;
pub mod result;
mod slices;
pub mod statistics;
mod sweep;
mod tally;
#[cfg(test)]
mod tests;
pub mod truth;

use std::sync::Arc;

use chrono::Utc;

use crate::{
    config::{Latency, latency::Load},
    endpoint::Endpoint,
    file::open::{Named, Reach},
};
use input::Prompts;
use load::{Limit, Plan, workload::Workload};
pub use progress::BenchProgress;
use result::{BenchResult, Level, LoadShape, SCHEMA_VERSION};
pub use sweep::Sweep;
use sweep::{Next, Search};

/// Gets the record of each request.
pub type Observer = Arc<dyn Fn(&record::Record) + Send + Sync>;

/// What a measurement needs besides [`Latency`].
#[derive(Clone, Default)]
pub struct Options {
    /// Hears of every request, warm-up included, from another thread than the measuring one.
    pub observer: Option<Observer>,
    /// Where the dataset may be.
    pub files: Reach,
    /// tokenizer.json (or its folder), for prompts of an exact length where the server has no `/tokenize`.
    pub tokenizer: Option<Named>,
    /// Most requests in flight of an open loop; those beyond wait, which is queue delay. 4,096 when absent.
    pub most_in_flight: Option<u32>,
    /// Finds the curve and the highest good rate, instead of measuring `latency`'s loads.
    pub sweep: Option<Sweep>,
}

/// Measures each load in turn. `latency.timeout` is the deadline of each request; a level whose first
/// requests all fail is given up. What the server did wrong is in the result.
///
/// # Errors
/// For the user: the prompts can't be made, there are no credentials, or this machine has no threads left.
pub async fn run(
    endpoint: &Endpoint,
    model: &str,
    latency: &Latency,
    options: &Options,
    on_progress: &(dyn Fn(BenchProgress) + Sync),
) -> Result<BenchResult, String> {
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
    let measures = latency.requests > 0 || latency.duration.is_some();
    if latency.is_off() && !(measures && options.sweep.is_some()) {
        return Ok(result);
    }
    descriptors::raise();
    let bench = Bench::prepare(endpoint, model, latency, options, result.seed).await?;
    if let Some(sweep) = options.sweep {
        bench.sweep(sweep, &mut result, on_progress).await?;
        return Ok(result);
    }
    for load in latency.loads() {
        let plan = bench.plan(result.levels.len(), load);
        result.levels.push(bench.level(&plan, on_progress).await?);
    }
    result.headline = result.levels.len().checked_sub(1);
    Ok(result)
}

/// What all levels of a run share.
struct Bench<'a> {
    endpoint: &'a Endpoint,
    latency: &'a Latency,
    options: &'a Options,
    workload: Arc<Workload>,
    /// What is true of every level.
    notes: Vec<String>,
}

impl<'a> Bench<'a> {
    async fn prepare(
        endpoint: &'a Endpoint,
        model: &str,
        latency: &'a Latency,
        options: &'a Options,
        seed: u64,
    ) -> Result<Self, String> {
        let prompts = Prompts::prepare(endpoint, model, latency, options, seed).await?;
        let mut notes = prompts.notes();
        let mut workload = Workload {
            lanes: endpoint.lanes().await.map_err(|e| e.to_string())?,
            model: model.to_owned(),
            prompts,
            timeout: latency.timeout,
            seed,
            fixed_length: true,
        };
        let lanes = workload.lanes.clone();
        let settled = load::thread::run(move || async move {
            let note = workload.settle_length().await;
            (workload, note)
        });
        let (workload, note) = load::with_fresh_credentials(&lanes, settled).await?;
        notes.extend(note);
        Ok(Self {
            endpoint,
            latency,
            options,
            workload: Arc::new(workload),
            notes,
        })
    }

    fn plan(&self, level: usize, load: Load) -> Plan {
        let requests = Limit::Requests(u64::from(self.latency.requests));
        Plan {
            level,
            load,
            limit: self.latency.duration.map_or(requests, Limit::Time),
            warm_up: self.latency.warm_up,
            ramp_up: self.latency.ramp_up,
            objectives: self.latency.objectives.clone(),
            most_in_flight: self.options.most_in_flight.unwrap_or(load::MOST_IN_FLIGHT),
        }
    }

    async fn level(
        &self,
        plan: &Plan,
        on_progress: &(dyn Fn(BenchProgress) + Sync),
    ) -> Result<Level, String> {
        let observer = self.options.observer.as_ref();
        let mut level = load::level(self.endpoint, &self.workload, plan, observer, on_progress).await?;
        level.input = self.workload.prompts.shape();
        level.input.fixed_length = self.workload.fixed_length;
        level.notes.splice(0..0, self.notes.iter().cloned());
        Ok(level)
    }

    async fn sweep(
        &self,
        sweep: Sweep,
        result: &mut BenchResult,
        on_progress: &(dyn Fn(BenchProgress) + Sync),
    ) -> Result<(), String> {
        let mut search = Search::new(sweep);
        loop {
            let index = result.levels.len();
            let plan = match search.next() {
                Next::Saturate(concurrency) => {
                    self.saturating(index, concurrency, sweep.saturating_requests())
                }
                Next::Rate(rate) => {
                    let arrivals = self.latency.arrivals;
                    self.plan(index, Load::Open { rate, arrivals })
                }
                Next::End => break,
            };
            let level = self.level(&plan, on_progress).await?;
            search.add(&level);
            result.levels.push(level);
        }
        let found = search.result();
        let best = found.highest_good_rate.and_then(|best| {
            let is_best = |level: &Level| matches!(level.load, LoadShape::Open { rate, .. } if rate == best);
            result.levels.iter().position(is_best)
        });
        result.headline = best.or(result.levels.len().checked_sub(1));
        result.sweep = Some(found);
        Ok(())
    }

    /// Too much load to meet any objective, which is not asked of it.
    fn saturating(&self, index: usize, concurrency: u32, requests: u32) -> Plan {
        let mut plan = self.plan(index, Load::Closed { concurrency });
        if let Limit::Requests(asked) = &mut plan.limit {
            *asked = u64::from(requests).max(*asked);
        }
        plan.objectives.clear();
        plan
    }
}
