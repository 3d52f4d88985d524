//! All answers at one load, summed up in constant memory.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    examples::{Answered, Examples},
    failure::Failure,
    metric::Metric,
    recorder::Sample,
    result::{Distribution, Goodput, Level},
    slices::Slices,
    statistics::Groups,
};
use crate::config::latency::Timing;

/// Distinct error messages that are kept.
const ERROR_SAMPLES: usize = 3;

/// One complete answer.
pub struct Answer<'a> {
    pub sample: Sample,
    pub gaps: &'a [Duration],
    /// Whether it met every time objective, if there is any.
    pub good: Option<bool>,
    /// Input tokens as counted beforehand, if they were.
    pub counted_before: Option<u64>,
    /// Output tokens that were asked for.
    pub asked: u32,
}

/// Least and largest of some counts.
#[derive(Clone, Copy)]
pub struct Range {
    pub least: u64,
    pub most: u64,
}

/// Sums over the measured requests of one level.
pub struct Tally {
    pub(super) ttft: Metric,
    pub(super) itl: Metric,
    pub(super) tpot: Metric,
    pub(super) e2e: Metric,
    pub(super) queue: Metric,
    pub(super) rate: Metric,
    groups: Groups,
    slices: Slices,
    examples: Examples,
    origin: Instant,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) errors_by_kind: BTreeMap<&'static str, u64>,
    error_samples: Vec<String>,
    good: u64,
    pub(super) tokens: u64,
    pub(super) chunks: u64,
    input_tokens: Option<u64>,
    pub(super) without_usage: u64,
    pub(super) without_rate: u64,
    pub(super) odd_lengths: u64,
    pub(super) lengths: Range,
    pub(super) asked: Range,
    span: Option<(Instant, Instant)>,
}

impl Answer<'_> {
    /// By the server's count, else as counted beforehand.
    pub fn input_tokens(&self) -> Option<u64> {
        let counted = self.sample.usage.map(|u| u.prompt_tokens);
        counted.filter(|count| *count > 0).or(self.counted_before)
    }
}

impl Range {
    const NONE: Self = Self {
        least: u64::MAX,
        most: 0,
    };

    fn add(&mut self, value: u64) {
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }

    pub fn is_one(self) -> bool {
        self.least == self.most
    }
}

impl Tally {
    /// `origin` is the start of the measured time.
    pub fn new(origin: Instant) -> Self {
        Self {
            ttft: Metric::new(),
            itl: Metric::new(),
            tpot: Metric::new(),
            e2e: Metric::new(),
            queue: Metric::new(),
            rate: Metric::new(),
            groups: Groups::new(),
            slices: Slices::new(),
            examples: Examples::default(),
            origin,
            requests: 0,
            errors: 0,
            errors_by_kind: BTreeMap::new(),
            error_samples: Vec::new(),
            good: 0,
            tokens: 0,
            chunks: 0,
            input_tokens: Some(0),
            without_usage: 0,
            without_rate: 0,
            odd_lengths: 0,
            lengths: Range::NONE,
            asked: Range::NONE,
            span: None,
        }
    }

    pub fn requests(&self) -> u64 {
        self.requests
    }

    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Adds the measured request `number`, from 0, which began (was due, else sent) and ended at these times.
    pub fn add(&mut self, number: u64, began: Instant, ended: Instant, result: Result<&Answer, &Failure>) {
        self.requests += 1;
        let (first, last) = self.span.unwrap_or((began, ended));
        self.span = Some((first.min(began), last.max(ended)));
        let at = ended.saturating_duration_since(self.origin);
        let at_seconds = began.saturating_duration_since(self.origin).as_secs_f64();
        match result {
            Ok(answer) => {
                self.add_times(number, &answer.sample, answer.gaps);
                self.slices.answer(at, ms(answer.sample.ttft), answer.gaps);
                self.add_counts(answer);
                self.examples.answered(Answered {
                    at_seconds,
                    ttft_ms: ms(answer.sample.ttft),
                    e2e_ms: ms(answer.sample.e2e),
                    output_tokens: answer.sample.tokens(),
                });
            }
            Err(failure) => {
                self.slices.error(at);
                self.examples.failed(at_seconds, failure);
                self.add_error(failure);
            }
        }
    }

    fn add_times(&mut self, number: u64, sample: &Sample, gaps: &[Duration]) {
        let (ttft, e2e) = (ms(sample.ttft), ms(sample.e2e));
        self.ttft.record(ttft);
        self.groups.add(number, Timing::Ttft, ttft);
        self.e2e.record(e2e);
        self.groups.add(number, Timing::E2e, e2e);
        for gap in gaps {
            self.itl.record(ms(*gap));
            self.groups.add(number, Timing::Itl, ms(*gap));
        }
        if let Some(tpot) = sample.tpot() {
            self.tpot.record(ms(tpot));
            self.groups.add(number, Timing::Tpot, ms(tpot));
        }
        if let Some(queue) = sample.queue {
            self.queue.record(ms(queue));
        }
        match sample.rate() {
            Some(rate) => self.rate.record(rate),
            None => self.without_rate += 1,
        }
    }

    fn add_counts(&mut self, answer: &Answer) {
        let (sample, asked) = (&answer.sample, u64::from(answer.asked));
        self.good += u64::from(answer.good == Some(true));
        self.without_usage += u64::from(sample.counted().is_none());
        self.chunks += sample.chunks;
        // A server may claim any count.
        self.tokens = self.tokens.saturating_add(sample.tokens());
        self.input_tokens = self
            .input_tokens
            .zip(answer.input_tokens())
            .map(|(sum, count)| sum.saturating_add(count));
        self.odd_lengths += u64::from(sample.tokens() != asked);
        self.lengths.add(sample.tokens());
        self.asked.add(asked);
    }

    fn add_error(&mut self, failure: &Failure) {
        self.errors += 1;
        *self.errors_by_kind.entry(failure.kind).or_default() += 1;
        if self.error_samples.len() < ERROR_SAMPLES && !self.error_samples.contains(&failure.message) {
            self.error_samples.push(failure.message.clone());
        }
    }

    /// Puts the figures into the level. `judged` says whether there are time objectives; the seed is for the
    /// bootstrap.
    pub fn fill(self, level: &mut Level, judged: bool, seed: u64) {
        level.notes.extend(self.notes());
        let seconds = self
            .span
            .map_or(0.0, |(began, ended)| (ended - began).as_secs_f64());
        let per_second = |count: u64| {
            if seconds > 0.0 {
                count as f64 / seconds
            } else {
                0.0
            }
        };
        let answers = self.requests - self.errors;
        let with_intervals = |distribution: Option<Distribution>, timing| {
            distribution.map(|d| Distribution {
                ci95: self.groups.intervals(timing, seed),
                ..d
            })
        };
        level.requests = self.requests;
        level.errors = self.errors;
        level.errors_by_kind = self
            .errors_by_kind
            .iter()
            .map(|(k, n)| ((*k).to_owned(), *n))
            .collect();
        level.seconds = seconds;
        level.ttft_ms = with_intervals(self.ttft.less_is_better(), Timing::Ttft);
        level.itl_ms = with_intervals(self.itl.less_is_better(), Timing::Itl);
        level.tpot_ms = with_intervals(self.tpot.less_is_better(), Timing::Tpot);
        level.e2e_ms = with_intervals(self.e2e.less_is_better(), Timing::E2e);
        level.queue_ms = self.queue.less_is_better();
        level.tokens_per_second = self.rate.more_is_better();
        level.input_tokens = self.input_tokens.filter(|_| answers > 0);
        level.output_tokens = self.tokens;
        level.chunks = self.chunks;
        level.tokens_counted_by_server = answers > 0 && self.without_usage == 0;
        level.requests_per_second = per_second(answers);
        level.output_tokens_per_second = per_second(self.tokens);
        level.total_tokens_per_second = level
            .input_tokens
            .map(|input| per_second(input.saturating_add(self.tokens)));
        level.goodput = (judged && self.requests > 0).then(|| Goodput {
            share: self.good as f64 / self.requests as f64,
            requests_per_second: per_second(self.good),
        });
        level.histograms = [("ttft", &self.ttft), ("itl", &self.itl), ("e2e", &self.e2e)]
            .into_iter()
            .filter(|(_, metric)| !metric.is_empty())
            .map(|(name, metric)| (name.to_owned(), metric.bins()))
            .collect();
        level.error_samples = self.error_samples;
        level.over_time = self.slices.into_slices();
        level.examples = self.examples.into_examples();
        level.samples = (answers > 0).then(|| self.groups.into_samples());
    }
}

pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests;
