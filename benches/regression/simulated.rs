//! Measurements drawn from known distributions, to see how often the statistics are right about them.

use super::bench::{
    result::{Distribution, Level, LoadShape},
    statistics::Groups,
};
use super::config::latency::Timing;

/// What a simulated server does.
#[derive(Clone, Copy)]
pub struct Server {
    /// By how much every time is longer than the reference server's: 1.1 is 10 % slower.
    pub slower: f64,
    /// Standard deviation of the logarithm of that factor from run to run: another instance, another neighbour.
    pub drift: f64,
    /// Correlation of a request's times with those of the one before.
    pub correlation: f64,
}

/// The reference: nothing but independent noise.
pub const STEADY: Server = Server {
    slower: 1.0,
    drift: 0.0,
    correlation: 0.0,
};

/// Median and spread (of the logarithm) of the times to the first token, in milliseconds.
const TTFT: (f64, f64) = (200.0, 0.35);
/// The same of gaps, of requests as a whole and of the gaps within one.
const GAP: f64 = 20.0;
const GAP_BETWEEN: f64 = 0.10;
const GAP_WITHIN: f64 = 0.15;
const GAPS: usize = 32;

/// One run of so many requests.
pub struct Run {
    values: [Vec<f64>; 4],
    groups: Groups,
}

impl Run {
    pub fn draw(server: Server, requests: u64, rng: &mut fastrand::Rng) -> Self {
        let mut run = Self {
            values: Default::default(),
            groups: Groups::new(),
        };
        let slower = server.slower * (server.drift * normal(rng)).exp();
        let keep = (1.0 - server.correlation.powi(2)).sqrt();
        let mut state = [normal(rng), normal(rng)];
        for request in 0..requests {
            state = state.map(|z| server.correlation * z + keep * normal(rng));
            let ttft = slower * TTFT.0 * (TTFT.1 * state[0]).exp();
            run.add(request, Timing::Ttft, ttft);
            let mut sum = 0.0;
            for _ in 0..GAPS {
                let gap = slower * GAP * (GAP_BETWEEN * state[1] + GAP_WITHIN * normal(rng)).exp();
                run.add(request, Timing::Itl, gap);
                sum += gap;
            }
            run.add(request, Timing::Tpot, sum / GAPS as f64);
            run.add(request, Timing::E2e, ttft + sum);
        }
        run
    }

    fn add(&mut self, request: u64, timing: Timing, ms: f64) {
        self.groups.add(request, timing, ms);
        if let Some(values) = self.values.get_mut(timing as usize) {
            values.push(ms);
        }
    }

    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Ascending, of a long run: the truth that intervals should cover.
    pub fn sorted(mut self, timing: Timing) -> Vec<f64> {
        let mut values = std::mem::take(&mut self.values[timing as usize]);
        values.sort_by(f64::total_cmp);
        values
    }

    pub fn level(self) -> Level {
        let [ttft, itl, tpot, e2e] = self.values.map(distribution);
        Level {
            ttft_ms: ttft,
            itl_ms: itl,
            tpot_ms: tpot,
            e2e_ms: e2e,
            samples: Some(self.groups.into_samples()),
            ..Level::empty(LoadShape::Closed { concurrency: 1 })
        }
    }
}

fn distribution(mut values: Vec<f64>) -> Option<Distribution> {
    values.sort_by(f64::total_cmp);
    let at = |percentile| nearest(&values, percentile);
    Some(Distribution {
        count: values.len() as u64,
        mean: values.iter().sum::<f64>() / values.len() as f64,
        min: *values.first()?,
        p50: at(50.0),
        p75: at(75.0),
        p90: at(90.0),
        p95: at(95.0),
        p99: at(99.0),
        p99_9: at(99.9),
        max: *values.last()?,
        ci95: None,
    })
}

/// The nearest rank of ascending values.
pub fn nearest(sorted: &[f64], percentile: f64) -> f64 {
    let rank = (percentile / 100.0 * sorted.len() as f64 - 1e-9).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// A normally distributed number (Box and Muller).
fn normal(rng: &mut fastrand::Rng) -> f64 {
    let (radius, angle) = (
        (-2.0 * (1.0 - rng.f64()).ln()).sqrt(),
        std::f64::consts::TAU * rng.f64(),
    );
    radius * angle.cos()
}
