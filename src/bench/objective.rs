//! Objectives: which requests are good, and whether a level meets what was asked of it.

use super::{
    result::{Level, ObjectiveOutcome},
    statistics::rank,
};
use crate::config::latency::{Objective, Timing};

/// Judges requests one by one.
///
/// A request has one TTFT, TPOT and E2E, so of several objectives on one of them the one with the highest percentile
/// counts: `ttft-p50: 300ms` with `ttft-p99: 1s` lets any single request take a second. Gaps are many: a request
/// meets each `itl-pNN` objective by its own percentile.
#[derive(Clone, Default)]
pub struct Judge {
    ttft: Option<Limit>,
    tpot: Option<Limit>,
    e2e: Option<Limit>,
    gaps: Vec<GapLimit>,
}

/// The judgement of one request under way.
pub struct Trial {
    judge: Judge,
    gaps: u64,
}

#[derive(Clone, Copy)]
struct Limit {
    percentile: f64,
    ms: f64,
}

#[derive(Clone, Copy)]
struct GapLimit {
    limit: Limit,
    /// Gaps that kept to it.
    within: u64,
}

impl Judge {
    pub fn new(objectives: &[Objective]) -> Self {
        let mut judge = Self::default();
        for objective in objectives {
            let Objective::AtMost {
                timing,
                percentile,
                milliseconds: ms,
            } = *objective
            else {
                continue;
            };
            let limit = Limit { percentile, ms };
            match timing {
                Timing::Ttft => hold(&mut judge.ttft, limit),
                Timing::Tpot => hold(&mut judge.tpot, limit),
                Timing::E2e => hold(&mut judge.e2e, limit),
                Timing::Itl => judge.gaps.push(GapLimit { limit, within: 0 }),
            }
        }
        judge
    }

    pub fn request(&self) -> Trial {
        Trial {
            judge: self.clone(),
            gaps: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.ttft.is_none() && self.tpot.is_none() && self.e2e.is_none() && self.gaps.is_empty()
    }
}

/// Keeps the limit of the highest percentile; of two at the same percentile the tighter.
fn hold(kept: &mut Option<Limit>, new: Limit) {
    let replaces = kept.is_none_or(|kept| {
        new.percentile > kept.percentile || (new.percentile == kept.percentile && new.ms < kept.ms)
    });
    if replaces {
        *kept = Some(new);
    }
}

impl Trial {
    /// A gap between two chunks with text.
    pub fn gap(&mut self, ms: f64) {
        self.gaps += 1;
        for gap in &mut self.judge.gaps {
            gap.within += u64::from(ms <= gap.limit.ms);
        }
    }

    /// Whether the request met every time objective by itself; `None` when there is no time objective. A request
    /// without gaps meets those on gaps, one of a single token those on TPOT.
    pub fn end(self, ttft_ms: f64, tpot_ms: Option<f64>, e2e_ms: f64) -> Option<bool> {
        let judge = self.judge;
        if judge.is_empty() {
            return None;
        }
        let within = |limit: Option<Limit>, ms: f64| limit.is_none_or(|limit| ms <= limit.ms);
        let gaps = judge
            .gaps
            .iter()
            .all(|gap| self.gaps == 0 || gap.within >= rank(gap.limit.percentile, self.gaps));
        Some(
            gaps && within(judge.ttft, ttft_ms)
                && within(judge.e2e, e2e_ms)
                && tpot_ms.is_none_or(|ms| within(judge.tpot, ms)),
        )
    }
}

/// What became of each objective at this level.
pub fn outcomes(objectives: &[Objective], level: &Level) -> Vec<ObjectiveOutcome> {
    objectives
        .iter()
        .map(|objective| outcome(*objective, level))
        .collect()
}

fn outcome(objective: Objective, level: &Level) -> ObjectiveOutcome {
    let (measured, limit, room) = match objective {
        Objective::AtMost {
            timing,
            percentile,
            milliseconds,
        } => {
            let figure = level
                .timing(timing)
                .and_then(|times| times.percentile(percentile));
            (figure, milliseconds, Room::Below)
        }
        Objective::Goodput { share } => (level.goodput.map(|good| good.share), share, Room::Above),
        Objective::ErrorRate { share } => {
            let rate = (level.requests > 0).then(|| level.errors as f64 / level.requests as f64);
            (rate, share, Room::Below)
        }
        Objective::OutputTokensPerSecond { least } => {
            let figure = (level.seconds > 0.0).then_some(level.output_tokens_per_second);
            (figure, least, Room::Above)
        }
    };
    let measured = measured.filter(|figure| figure.is_finite());
    let room = measured.map(|figure| match room {
        Room::Below => limit - figure,
        Room::Above => figure - limit,
    });
    ObjectiveOutcome {
        objective,
        written: objective.to_string(),
        measured,
        met: room.is_some_and(|room| room >= 0.0),
        // Of a limit of 0 nothing is a share.
        margin: room.map(|room| room / limit).filter(|margin| margin.is_finite()),
    }
}

/// On which side of its limit a figure meets it.
enum Room {
    Below,
    Above,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::result::{Distribution, Goodput, LoadShape};

    fn at_most(timing: Timing, percentile: f64, milliseconds: f64) -> Objective {
        Objective::AtMost {
            timing,
            percentile,
            milliseconds,
        }
    }

    fn good(objectives: &[Objective], gaps: &[f64], ttft: f64, tpot: Option<f64>, e2e: f64) -> Option<bool> {
        let mut trial = Judge::new(objectives).request();
        gaps.iter().for_each(|gap| trial.gap(*gap));
        trial.end(ttft, tpot, e2e)
    }

    #[test]
    fn a_request_is_held_to_the_limit_of_the_highest_percentile() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let all = [
                at_most(Timing::Ttft, 50.0, 300.0),
                at_most(Timing::Ttft, 99.0, 1000.0),
                at_most(Timing::Ttft, 99.0, 900.0),
            ];
            let objectives = order.map(|place| all[place]);
            assert_eq!(good(&objectives, &[], 900.0, None, 0.0), Some(true));
            assert_eq!(good(&objectives, &[], 900.1, None, 0.0), Some(false));
        }
    }

    #[test]
    fn every_time_must_keep_to_its_limit() {
        let objectives = [
            at_most(Timing::Ttft, 95.0, 10.0),
            at_most(Timing::Tpot, 95.0, 5.0),
            at_most(Timing::E2e, 95.0, 100.0),
        ];
        assert_eq!(good(&objectives, &[1e9], 10.0, Some(5.0), 100.0), Some(true));
        assert_eq!(
            good(&objectives, &[], 10.0, None, 100.0),
            Some(true),
            "one token has no TPOT"
        );
        assert_eq!(good(&objectives, &[], 10.1, Some(5.0), 100.0), Some(false));
        assert_eq!(good(&objectives, &[], 10.0, Some(5.1), 100.0), Some(false));
        assert_eq!(good(&objectives, &[], 10.0, Some(5.0), 100.1), Some(false));
        assert_eq!(good(&objectives, &[], f64::NAN, Some(5.0), 100.0), Some(false));
    }

    #[test]
    fn gaps_are_judged_by_the_requests_own_percentiles() {
        let objectives = [at_most(Timing::Itl, 90.0, 20.0), at_most(Timing::Itl, 99.9, 50.0)];
        let gaps = |slow: usize, slowest: f64| {
            let mut gaps = vec![20.0; 1000 - slow];
            gaps.extend(vec![40.0; slow - 1]);
            gaps.push(slowest);
            good(&objectives, &gaps, 0.0, None, 0.0)
        };
        assert_eq!(gaps(100, 1000.0), Some(true), "one of 1,000 may take any time");
        assert_eq!(
            gaps(101, 40.0),
            Some(false),
            "101 of 1,000 over 20 ms are over 10 %"
        );
        assert_eq!(good(&objectives, &[20.0, 51.0], 0.0, None, 0.0), Some(false));
        assert_eq!(
            good(&objectives, &[], 0.0, None, 0.0),
            Some(true),
            "no gap breaks no limit"
        );
    }

    #[test]
    fn without_a_time_objective_there_is_no_judgement() {
        let objectives = [
            Objective::Goodput { share: 0.5 },
            Objective::ErrorRate { share: 0.5 },
        ];
        assert_eq!(good(&objectives, &[1.0], 1.0, None, 1.0), None);
    }

    fn measured() -> Level {
        let ttft = Distribution {
            count: 100,
            mean: 1.0,
            min: 1.0,
            p50: 50.0,
            p75: 75.0,
            p90: 90.0,
            p95: 95.0,
            p99: 99.0,
            p99_9: 99.9,
            max: 100.0,
            ci95: None,
        };
        Level {
            requests: 200,
            errors: 2,
            seconds: 10.0,
            output_tokens_per_second: 450.0,
            ttft_ms: Some(ttft),
            goodput: Some(Goodput {
                share: 0.98,
                requests_per_second: 19.6,
            }),
            ..Level::empty(LoadShape::Closed { concurrency: 1 })
        }
    }

    #[test]
    fn an_outcome_says_the_figure_and_how_far_it_is_from_the_limit() {
        let least = Objective::OutputTokensPerSecond { least: 500.0 };
        for (objective, written, figure, met, margin) in [
            (
                at_most(Timing::Ttft, 95.0, 100.0),
                "ttft-p95: 100ms",
                95.0,
                true,
                0.05,
            ),
            (
                at_most(Timing::Ttft, 99.9, 50.0),
                "ttft-p99.9: 50ms",
                99.9,
                false,
                -0.998,
            ),
            (
                at_most(Timing::Ttft, 50.0, 50.0),
                "ttft-p50: 50ms",
                50.0,
                true,
                0.0,
            ),
            (
                Objective::Goodput { share: 0.98 },
                "goodput: 0.98",
                0.98,
                true,
                0.0,
            ),
            (
                Objective::ErrorRate { share: 0.02 },
                "error-rate: 0.02",
                0.01,
                true,
                0.5,
            ),
            (least, "output-tokens-per-second: 500", 450.0, false, -0.1),
        ] {
            let outcome = &outcomes(&[objective], &measured())[0];
            assert_eq!((outcome.written.as_str(), outcome.met), (written, met));
            assert!((outcome.measured.unwrap() - figure).abs() < 1e-9, "{outcome:?}");
            assert!((outcome.margin.unwrap() - margin).abs() < 1e-9, "{outcome:?}");
        }
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let level = Level::empty(LoadShape::Closed { concurrency: 1 });
        let objectives = [
            at_most(Timing::Itl, 95.0, 1e6),
            Objective::Goodput { share: 0.0 },
            Objective::ErrorRate { share: 1.0 },
            Objective::OutputTokensPerSecond { least: 0.1 },
        ];
        for outcome in outcomes(&objectives, &level) {
            assert_eq!(
                (outcome.measured, outcome.met, outcome.margin),
                (None, false, None)
            );
        }
        let unknown = &outcomes(&[at_most(Timing::Ttft, 42.0, 1e6)], &measured())[0];
        assert_eq!((unknown.measured, unknown.met), (None, false));
    }

    #[test]
    fn no_error_meets_an_error_rate_of_nothing_and_one_misses_it() {
        let none = Objective::ErrorRate { share: 0.0 };
        let mut level = measured();
        assert!(!outcomes(&[none], &level)[0].met);
        level.errors = 0;
        let outcome = &outcomes(&[none], &level)[0];
        assert_eq!(
            (outcome.measured, outcome.met, outcome.margin),
            (Some(0.0), true, None)
        );
    }
}
