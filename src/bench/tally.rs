//! All answers at one concurrency, summed up in constant memory.

use std::time::{Duration, Instant};

use super::result::{Level, LoadShape};
use super::{
    metric::{MAX, Metric},
    recorder::Sample,
};
use crate::endpoint::error::shorten;

/// Distinct error messages that are kept.
const ERROR_SAMPLES: usize = 3;

/// How one request ended, and when it began and ended.
pub struct Outcome {
    pub began: Instant,
    pub ended: Instant,
    pub result: Result<Sample, String>,
}

pub struct Tally {
    ttft: Metric,
    itl: Metric,
    e2e: Metric,
    rate: Metric,
    requests: u64,
    errors: u64,
    error_samples: Vec<String>,
    tokens: u64,
    chunks: u64,
    without_usage: u32,
    without_rate: u32,
    fewest: u64,
    most: u64,
    span: Option<(Instant, Instant)>,
}

impl Tally {
    pub fn new() -> Self {
        Self {
            ttft: Metric::new(),
            itl: Metric::new(),
            e2e: Metric::new(),
            rate: Metric::new(),
            requests: 0,
            errors: 0,
            error_samples: Vec::new(),
            tokens: 0,
            chunks: 0,
            without_usage: 0,
            without_rate: 0,
            fewest: u64::MAX,
            most: 0,
            span: None,
        }
    }

    pub fn requests(&self) -> u64 {
        self.requests
    }

    pub fn errors(&self) -> u64 {
        self.errors
    }

    pub fn add(&mut self, outcome: Outcome) {
        self.requests += 1;
        let (began, ended) = self.span.unwrap_or((outcome.began, outcome.ended));
        self.span = Some((began.min(outcome.began), ended.max(outcome.ended)));
        match outcome.result {
            Ok(sample) => self.add_sample(&sample),
            Err(message) => self.add_error(&message),
        }
    }

    fn add_sample(&mut self, sample: &Sample) {
        self.ttft.record(ms(sample.ttft));
        self.e2e.record(ms(sample.e2e));
        sample.gaps.iter().for_each(|gap| self.itl.record(ms(*gap)));
        match sample.rate {
            Some(rate) => self.rate.record(rate),
            None => self.without_rate += 1,
        }
        self.without_usage += u32::from(sample.completion_tokens.is_none());
        self.chunks += sample.chunks;
        // A server may claim any count.
        self.tokens = self.tokens.saturating_add(sample.tokens());
        self.fewest = self.fewest.min(sample.tokens());
        self.most = self.most.max(sample.tokens());
    }

    fn add_error(&mut self, message: &str) {
        self.errors += 1;
        let message = shorten(message, 400);
        if self.error_samples.len() < ERROR_SAMPLES && !self.error_samples.contains(&message) {
            self.error_samples.push(message);
        }
    }

    /// `asked` is the number of output tokens that each request asked for.
    pub fn result(self, load: LoadShape, asked: u32, mut notes: Vec<String>) -> Level {
        notes.extend(self.notes(asked));
        let seconds = self
            .span
            .map_or(0.0, |(began, ended)| (ended - began).as_secs_f64());
        Level {
            requests: self.requests,
            errors: self.errors,
            ttft_ms: self.ttft.less_is_better(),
            itl_ms: self.itl.less_is_better(),
            e2e_ms: self.e2e.less_is_better(),
            tokens_per_second: self.rate.more_is_better(),
            output_tokens_per_second: if seconds > 0.0 {
                self.tokens as f64 / seconds
            } else {
                0.0
            },
            output_tokens: self.tokens,
            tokens_counted_by_server: self.requests > self.errors && self.without_usage == 0,
            chunks: self.chunks,
            error_samples: self.error_samples,
            notes,
            ..Level::empty(load)
        }
    }

    fn notes(&self, asked: u32) -> Vec<String> {
        let mut notes = Vec::new();
        let (tokens, chunks) = (self.tokens, self.chunks);
        if self.requests == self.errors {
            return notes;
        }
        if self.without_usage > 0 {
            notes.push(format!(
                "{} answers had no usage: their tokens are counted as one a chunk",
                self.without_usage
            ));
        } else if tokens != chunks {
            notes.push(format!(
                "the server counted {tokens} tokens in {chunks} chunks with text: inter-token latency is the gap \
                 between chunks, tokens/s counts tokens"
            ));
        }
        if (self.fewest, self.most) != (u64::from(asked), u64::from(asked)) {
            let had = if self.fewest == self.most {
                self.most.to_string()
            } else {
                format!("{} to {}", self.fewest, self.most)
            };
            notes.push(format!("answers had {had} tokens, {asked} were asked for"));
        }
        if self.without_rate > 0 {
            notes.push(format!(
                "{} answers came in one chunk or one instant and have no tokens/s",
                self.without_rate
            ));
        }
        let clamped = [&self.ttft, &self.itl, &self.e2e, &self.rate].map(Metric::clamped);
        if clamped.iter().any(|c| *c > 0) {
            let count: u64 = clamped.iter().sum();
            notes.push(format!("{count} values were over {MAX} and are shown as {MAX}"));
        }
        notes
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(ttft: u64, gaps: &[u64], completion_tokens: Option<u64>) -> Sample {
        let span: u64 = gaps.iter().sum();
        Sample {
            ttft: Duration::from_millis(ttft),
            e2e: Duration::from_millis(ttft + span),
            gaps: gaps.iter().copied().map(Duration::from_millis).collect(),
            chunks: gaps.len() as u64 + 1,
            completion_tokens,
            rate: (span > 0).then(|| gaps.len() as f64 * 1000.0 / span as f64),
        }
    }

    fn tally(outcomes: Vec<(u64, u64, Result<Sample, String>)>) -> Tally {
        let start = Instant::now();
        let mut tally = Tally::new();
        for (began, ended, result) in outcomes {
            let (began, ended) = (
                start + Duration::from_millis(began),
                start + Duration::from_millis(ended),
            );
            tally.add(Outcome { began, ended, result });
        }
        tally
    }

    #[test]
    fn figures_are_of_the_answers_and_errors_are_apart() {
        let result = tally(vec![
            (0, 130, Ok(sample(100, &[10, 20], Some(3)))),
            (0, 9000, Err("POST /x had no answer after 9 s".to_owned())),
            (130, 330, Ok(sample(120, &[40, 40], Some(3)))),
        ])
        .result(LoadShape::Closed { concurrency: 4 }, 3, vec!["first".to_owned()]);
        assert_eq!(
            (result.concurrency(), result.requests, result.errors),
            (Some(4), 3, 1)
        );
        let ttft = result.ttft_ms.unwrap();
        assert_eq!((ttft.mean, ttft.max), (110.0, 120.0));
        let itl = result.itl_ms.unwrap();
        assert_eq!((itl.mean, itl.max), (27.5, 40.0));
        assert_eq!(result.e2e_ms.unwrap().max, 200.0);
        let rate = result.tokens_per_second.unwrap();
        assert_eq!(rate.p99, 25.0, "the slowest: 2 tokens in 80 ms");
        assert_eq!(result.output_tokens, 6);
        assert!(
            (result.output_tokens_per_second - 6.0 / 9.0).abs() < 1e-9,
            "wall time is to the last end"
        );
        assert!(result.tokens_counted_by_server);
        assert_eq!(result.error_samples, ["POST /x had no answer after 9 s"]);
        assert_eq!(result.notes, ["first"]);
    }

    #[test]
    fn what_qualifies_the_figures_is_said() {
        let result = tally(vec![
            (0, 10, Ok(sample(1, &[0], Some(8)))),
            (0, 10, Ok(sample(1, &[1], Some(5)))),
        ])
        .result(LoadShape::Closed { concurrency: 1 }, 8, Vec::new());
        insta::assert_snapshot!(result.notes.join("\n"), @r"
        the server counted 13 tokens in 4 chunks with text: inter-token latency is the gap between chunks, tokens/s counts tokens
        answers had 5 to 8 tokens, 8 were asked for
        1 answers came in one chunk or one instant and have no tokens/s
        ");
        let result = tally(vec![(0, 10, Ok(sample(5_000_000, &[1], None)))]).result(
            LoadShape::Closed { concurrency: 1 },
            2,
            Vec::new(),
        );
        assert!(!result.tokens_counted_by_server);
        insta::assert_snapshot!(result.notes.join("\n"), @r"
        1 answers had no usage: their tokens are counted as one a chunk
        2 values were over 3600000 and are shown as 3600000
        ");
    }

    #[test]
    fn only_a_few_distinct_errors_are_kept() {
        let errors = (0..50)
            .map(|i| (0, 1, Err(format!("error {}\u{1b}[0m", i % 10))))
            .collect();
        let result = tally(errors).result(LoadShape::Closed { concurrency: 1 }, 8, Vec::new());
        assert_eq!((result.requests, result.errors), (50, 50));
        assert_eq!(
            result.error_samples,
            ["error 0 [0m", "error 1 [0m", "error 2 [0m"]
        );
        assert_eq!((result.ttft_ms, result.output_tokens_per_second), (None, 0.0));
        assert!(!result.tokens_counted_by_server && result.notes.is_empty());
    }

    #[test]
    fn counts_that_a_server_makes_up_do_not_overflow() {
        let outcomes = (0..3)
            .map(|_| (0, 10, Ok(sample(1, &[1], Some(u64::MAX / 2)))))
            .collect();
        let result = tally(outcomes).result(LoadShape::Closed { concurrency: 1 }, 2, Vec::new());
        assert_eq!(result.output_tokens, u64::MAX);
        assert!(
            result.notes.iter().any(|n| n.contains("2 were asked for")),
            "{:?}",
            result.notes
        );
    }
}
