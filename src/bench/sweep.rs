//! A sweep over request rates: the throughput/latency curve, and the highest rate that meets the objectives. Pure:
//! given what was found, it says what is measured next.

use super::result::{Level, LoadShape, SweepResult};
use crate::config::latency::Objective;

/// Rates between the highest good and the lowest bad one are not told apart when they are this close.
const PRECISION: f64 = 0.05;
/// Step above the ladder while every rate is good, and the most above saturation: more requests than the server
/// completes pile up, whatever the objectives say of a few of them.
const UP: f64 = 1.1;
const MOST: f64 = 1.5;
/// Least share of saturation that is tried while no rate is good.
const LEAST: f64 = 0.01;

/// How a sweep goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Requests at once that give the server as much work as it can take: this level finds the saturation rate.
    pub concurrency: u32,
    /// Rates on the ladder up to saturation, evenly spaced.
    pub steps: u32,
    /// Most levels, the saturating one among them.
    pub most_levels: u32,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            concurrency: 256,
            steps: 10,
            most_levels: 20,
        }
    }
}

impl Sweep {
    /// Fewest requests that show the rate of saturation: three times what is in flight.
    pub fn saturating_requests(self) -> u32 {
        self.concurrency.saturating_mul(3)
    }
}

/// What is measured next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// A closed loop with so many requests at once.
    Saturate(u32),
    /// An open loop at this rate.
    Rate(f64),
    End,
}

/// A sweep under way.
#[derive(Debug)]
pub struct Search {
    sweep: Sweep,
    levels: u32,
    /// Completed requests a second; not above 0 when there were none.
    saturation: Option<f64>,
    /// Rates in the order measured, and whether each met the objectives; `None` without objectives.
    rates: Vec<(f64, Option<bool>)>,
}

impl Search {
    pub fn new(sweep: Sweep) -> Self {
        Self {
            sweep,
            levels: 0,
            saturation: None,
            rates: Vec::new(),
        }
    }

    /// Takes what a level found.
    pub fn add(&mut self, level: &Level) {
        self.levels += 1;
        match level.load {
            LoadShape::Closed { .. } => self.saturation = Some(level.requests_per_second),
            LoadShape::Open { rate, .. } => self.rates.push((rate, good(level))),
        }
    }

    pub fn next(&self) -> Next {
        let Some(saturation) = self.saturation else {
            return Next::Saturate(self.sweep.concurrency);
        };
        if saturation <= 0.0 || self.levels >= self.sweep.most_levels {
            return Next::End;
        }
        let (step, steps) = (self.rates.len() as u32 + 1, self.sweep.steps.max(1));
        if step <= steps {
            return Next::Rate(readable(saturation * f64::from(step) / f64::from(steps)));
        }
        let refined = self.refine(saturation).map(readable);
        refined.map_or(Next::End, Next::Rate)
    }

    /// A rate that narrows the highest good one down; `None` when it is narrow enough, or there are no objectives.
    fn refine(&self, saturation: f64) -> Option<f64> {
        self.rates.iter().any(|(_, good)| good.is_some()).then_some(())?;
        let (good, bad) = self.bounds();
        match (good, bad) {
            (Some(good), Some(bad)) => (bad - good > PRECISION * good).then(|| f64::midpoint(good, bad)),
            (Some(good), None) => Some(good * UP).filter(|rate| *rate <= saturation * MOST),
            (None, Some(bad)) => Some(bad / 2.0).filter(|rate| *rate >= saturation * LEAST),
            (None, None) => None,
        }
    }

    /// The highest good rate below every bad one, and the lowest bad one: a good one above a bad one is luck.
    fn bounds(&self) -> (Option<f64>, Option<f64>) {
        let of = |wanted: bool| {
            let rates = self.rates.iter().filter(move |(_, good)| *good == Some(wanted));
            rates.map(|(rate, _)| *rate)
        };
        let bad = of(false).reduce(f64::min);
        let good = of(true)
            .filter(|rate| bad.is_none_or(|bad| *rate < bad))
            .reduce(f64::max);
        (good, bad)
    }

    pub fn result(&self) -> SweepResult {
        let (good, bad) = self.bounds();
        SweepResult {
            highest_good_rate: good,
            lowest_bad_rate: bad,
            saturation_rate: self.saturation.filter(|rate| *rate > 0.0),
        }
    }
}

/// To three significant digits, which is finer than the search.
fn readable(rate: f64) -> f64 {
    let unit = 10f64.powi(rate.log10().floor() as i32 - 2);
    let rounded = (rate / unit).round() * unit;
    // Takes what binary fractions add to the end of `0.1 * 3`.
    format!("{rounded:.6}").parse().unwrap_or(rate)
}

/// Whether every objective was met; `None` without objectives. A server that refuses what is too much is quick with
/// the rest: unless an objective says how many may fail, none may.
fn good(level: &Level) -> Option<bool> {
    let mut outcomes = level.objectives.iter();
    let tolerant = outcomes.any(|outcome| matches!(outcome.objective, Objective::ErrorRate { .. }));
    let met = level.objectives.iter().all(|outcome| outcome.met);
    (!level.objectives.is_empty()).then_some(met && (tolerant || level.errors == 0))
}

#[cfg(test)]
mod tests;
