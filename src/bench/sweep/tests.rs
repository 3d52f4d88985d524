use super::*;
use crate::{
    bench::result::ObjectiveOutcome,
    config::latency::{Arrivals, Objective},
};

const CAPACITY: f64 = 40.0;

/// A level of a made-up server that serves one request at a time (M/M/1): at rate r of its capacity c, 95 % of the
/// requests take at most ln 20 / (c − r) seconds.
fn level(load: LoadShape, limit: Option<f64>) -> Level {
    let mut level = Level::empty(load);
    let (rate, seconds) = match load {
        LoadShape::Closed { .. } => (CAPACITY, f64::INFINITY),
        LoadShape::Open { rate, .. } if rate < CAPACITY => (rate, 20f64.ln() / (CAPACITY - rate)),
        LoadShape::Open { .. } => (CAPACITY, f64::INFINITY),
    };
    level.requests_per_second = rate;
    level.objectives = limit
        .map(|limit| ObjectiveOutcome {
            objective: Objective::Goodput { share: 1.0 },
            written: String::new(),
            measured: Some(seconds),
            met: seconds <= limit,
            margin: None,
        })
        .into_iter()
        .collect();
    level
}

/// Sweeps the server; what was found, and the rates that were tried.
fn sweep(sweep: Sweep, limit: Option<f64>) -> (SweepResult, Vec<f64>) {
    let (mut search, mut rates) = (Search::new(sweep), Vec::new());
    loop {
        let load = match search.next() {
            Next::Saturate(concurrency) => LoadShape::Closed { concurrency },
            Next::Rate(rate) => {
                rates.push(rate);
                let arrivals = Arrivals::Poisson;
                LoadShape::Open { rate, arrivals }
            }
            Next::End => return (search.result(), rates),
        };
        search.add(&level(load, limit));
        assert!(rates.len() < 100, "an end");
    }
}

#[test]
fn without_objectives_the_curve_is_measured_and_no_more() {
    let (found, rates) = sweep(Sweep::default(), None);
    let ladder: Vec<f64> = (1..=10).map(|step| f64::from(step) * 4.0).collect();
    assert_eq!(rates, ladder);
    assert_eq!(found.saturation_rate, Some(CAPACITY));
    assert_eq!((found.highest_good_rate, found.lowest_bad_rate), (None, None));
}

#[test]
fn the_highest_good_rate_is_found_to_five_percent() {
    for limit in [0.09, 0.15, 0.2, 0.5, 1.0] {
        let best = CAPACITY - 20f64.ln() / limit;
        let (found, rates) = sweep(Sweep::default(), Some(limit));
        let (good, bad) = (found.highest_good_rate.unwrap(), found.lowest_bad_rate.unwrap());
        assert!(good <= best && best < bad, "{good} {best} {bad}");
        assert!(bad - good <= 0.05 * good, "{good} {bad}");
        assert!(rates.len() < 20, "{rates:?}");
    }
}

#[test]
fn a_sweep_ends_when_no_rate_or_every_rate_is_good() {
    let (none, rates) = sweep(Sweep::default(), Some(0.01));
    assert_eq!(none.highest_good_rate, None);
    assert!(none.lowest_bad_rate.unwrap() < CAPACITY / 50.0, "{rates:?}");
    let (all, rates) = sweep(Sweep::default(), Some(f64::INFINITY));
    assert_eq!(all.lowest_bad_rate, None);
    assert!(all.highest_good_rate.unwrap() > CAPACITY * 1.3 && rates.iter().all(|r| *r <= CAPACITY * 1.5));
}

#[test]
fn there_are_never_more_levels_than_allowed() {
    for most_levels in [1, 5, 12] {
        let short = Sweep {
            most_levels,
            ..Sweep::default()
        };
        assert!(sweep(short, Some(0.15)).1.len() < most_levels as usize);
    }
}

#[test]
fn a_good_rate_above_a_bad_one_is_luck() {
    let mut search = Search::new(Sweep::default());
    search.add(&level(LoadShape::Closed { concurrency: 256 }, None));
    for (rate, limit) in [(10.0, 9.0), (20.0, 0.0), (30.0, 9.0)] {
        let arrivals = Arrivals::Constant;
        search.add(&level(LoadShape::Open { rate, arrivals }, Some(limit)));
    }
    assert_eq!(search.bounds(), (Some(10.0), Some(20.0)));
}

#[test]
fn a_server_that_answers_nothing_ends_the_sweep() {
    let mut search = Search::new(Sweep::default());
    search.add(&Level::empty(LoadShape::Closed { concurrency: 256 }));
    assert_eq!(search.next(), Next::End);
    assert_eq!(search.result().saturation_rate, None);
}

#[test]
fn a_rate_at_which_requests_fail_is_not_good_unless_an_objective_allows_it() {
    let rate = |objective, errors| {
        let arrivals = Arrivals::Constant;
        let mut level = level(LoadShape::Open { rate: 5.0, arrivals }, Some(10.0));
        level.objectives[0].objective = objective;
        (level.requests, level.errors) = (100, errors);
        let mut search = Search::new(Sweep::default());
        search.add(&level);
        search.result()
    };
    let strict = Objective::Goodput { share: 0.9 };
    assert_eq!(rate(strict, 0).highest_good_rate, Some(5.0));
    assert_eq!(rate(strict, 1).lowest_bad_rate, Some(5.0));
    let tolerant = Objective::ErrorRate { share: 0.1 };
    assert_eq!(rate(tolerant, 1).highest_good_rate, Some(5.0));
}

#[test]
fn rates_have_three_digits() {
    for (rate, expected) in [
        (51.297_278, 51.3),
        (0.012_345, 0.0123),
        (1_234.5, 1230.0),
        (0.3, 0.3),
        (99.96, 100.0),
    ] {
        assert_eq!(readable(rate), expected);
    }
}
