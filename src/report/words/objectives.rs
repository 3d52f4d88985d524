//! Objectives in words: what was asked, what was measured, and what usually helps.

use std::fmt;

use super::{chosen_milliseconds, milliseconds, percent, rate};
use crate::bench::result::ObjectiveOutcome;
use crate::config::latency::{Objective, Timing};

/// One objective at one load.
pub struct Outcome {
    pub met: bool,
    /// `ttft-p95`
    pub key: String,
    /// `912 ms`; `nothing` when there was no figure.
    pub measured: String,
    /// `800 ms`
    pub limit: String,
    /// `≤` or `≥`
    pub bound: &'static str,
    /// `14 % to spare`, `missed by 14 %`
    pub margin: String,
}

pub fn outcome(outcome: &ObjectiveOutcome) -> Outcome {
    let (limit, unit, bound) = match outcome.objective {
        Objective::AtMost { milliseconds, .. } => (milliseconds, Unit::Time, "≤"),
        Objective::Goodput { share } => (share, Unit::Share, "≥"),
        Objective::ErrorRate { share } => (share, Unit::Share, "≤"),
        Objective::OutputTokensPerSecond { least } => (least, Unit::Rate, "≥"),
    };
    Outcome {
        met: outcome.met,
        key: outcome.objective.key(),
        measured: outcome.measured.map_or_else(
            || "nothing".to_owned(),
            |measured| match unit.text(measured) {
                // Rounded like the limit it would seem to meet it.
                same if same == unit.text(limit) && !outcome.met => unit.exactly(measured),
                text => text,
            },
        ),
        limit: unit.chosen(limit),
        bound,
        margin: outcome
            .margin
            .filter(|m| m.is_finite())
            .map_or_else(String::new, |m| margin(m, outcome.met)),
    }
}

fn margin(margin: f64, met: bool) -> String {
    let share = margin.abs();
    let size = if share < 0.1 {
        percent(share)
    } else {
        format!("{:.0} %", share * 100.0)
    };
    if met {
        format!("{size} to spare")
    } else {
        format!("missed by {size}")
    }
}

#[derive(Clone, Copy)]
enum Unit {
    Time,
    Share,
    Rate,
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Time => milliseconds(value),
            Self::Share => percent(value),
            Self::Rate => format!("{} tokens/s", rate(value)),
        }
    }

    fn chosen(self, value: f64) -> String {
        match self {
            Self::Time => chosen_milliseconds(value),
            Self::Share => percent(value),
            Self::Rate => format!("{value} tokens/s"),
        }
    }

    fn exactly(self, value: f64) -> String {
        match self {
            Self::Time => format!("{value:.3} ms"),
            Self::Share => format!("{:.3} %", value * 100.0),
            Self::Rate => format!("{value:.3} tokens/s"),
        }
    }
}

impl fmt::Display for Outcome {
    /// `ttft-p95: 912 ms (≤ 800 ms, missed by 14 %)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} ({} {}",
            self.key, self.measured, self.bound, self.limit
        )?;
        if !self.margin.is_empty() {
            write!(f, ", {}", self.margin)?;
        }
        f.write_str(")")
    }
}

/// What usually helps when the objective is missed.
pub const fn advice(objective: &Objective) -> &'static str {
    match objective {
        Objective::AtMost {
            timing: Timing::Ttft, ..
        } => {
            "The first token waits for a place in the batch and for the prompt to be read: raise \
             `engine.args.max-num-batched-tokens`, spread the load over more instances (`service.max-instances`, lower \
             `service.concurrency`), keep one warm with `service.min-instances`, or ask for less at once"
        }
        Objective::AtMost {
            timing: Timing::Itl | Timing::Tpot,
            ..
        } => {
            "Tokens follow each other slower the more requests share the GPU and the larger the model is: lower \
             `engine.args.max-num-seqs` and `engine.args.max-num-batched-tokens`, or take a smaller or quantised model or a \
             faster `service.gpu`"
        }
        Objective::AtMost {
            timing: Timing::E2e, ..
        } => {
            "The whole answer takes its first token and then a gap for each further one: the table says which of the two \
             takes longest; fewer `latency.output-tokens`, a smaller or quantised model or a faster `service.gpu` shorten both"
        }
        Objective::Goodput { .. } => {
            "A request is good when it meets every time objective by itself: the table says which time most of them miss; \
             a lower load (`latency.concurrency`, `latency.rate`) or more instances help them all"
        }
        Objective::ErrorRate { .. } => {
            "Look at the container's log for that time; lower the load or `service.concurrency` if the instance is overloaded"
        }
        Objective::OutputTokensPerSecond { .. } => {
            "Throughput grows with the requests that run together: raise `engine.args.max-num-seqs` and the load, or take a \
             smaller or quantised model or a faster `service.gpu`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(key: &str, value: &str, measured: Option<f64>, met: bool, margin: Option<f64>) -> String {
        outcome(&ObjectiveOutcome {
            objective: Objective::parse(key, value).unwrap(),
            written: String::new(),
            measured,
            met,
            margin,
        })
        .to_string()
    }

    #[test]
    fn each_kind_is_told_in_its_unit() {
        assert_eq!(
            judged("ttft-p95", "800ms", Some(912.0), false, Some(-0.14)),
            "ttft-p95: 912 ms (≤ 800 ms, missed by 14 %)"
        );
        assert_eq!(
            judged("goodput", "0.99", Some(0.995), true, Some(0.005)),
            "goodput: 99.5 % (≥ 99 %, 0.5 % to spare)"
        );
        assert_eq!(
            judged("output-tokens-per-second", "500", Some(612.3), true, Some(0.225)),
            "output-tokens-per-second: 612.3 tokens/s (≥ 500 tokens/s, 22 % to spare)"
        );
        assert_eq!(
            judged("itl-p99", "60ms", None, false, None),
            "itl-p99: nothing (≤ 60 ms)"
        );
    }

    #[test]
    fn a_near_miss_does_not_look_like_a_hit() {
        assert_eq!(
            judged("ttft-p95", "800ms", Some(800.2), false, Some(-0.00025)),
            "ttft-p95: 800.200 ms (≤ 800 ms, missed by 0 %)"
        );
    }
}
