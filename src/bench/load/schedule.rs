//! When an open loop's requests are due. Pure: the same seed gives the same times.

use std::time::Duration;

use crate::config::latency::Arrivals;

/// Offsets from the start, one a request, without end.
pub struct Schedule {
    rate: f64,
    arrivals: Arrivals,
    ramp_up: f64,
    random: fastrand::Rng,
    /// Requests that a steady rate of 1 a second would have had.
    count: Option<f64>,
}

impl Schedule {
    /// `rate` requests a second, above 0, reached linearly over `ramp_up`.
    pub fn new(rate: f64, arrivals: Arrivals, ramp_up: Duration, seed: u64) -> Self {
        Self {
            rate,
            arrivals,
            ramp_up: ramp_up.as_secs_f64(),
            random: fastrand::Rng::with_seed(seed),
            count: None,
        }
    }

    /// Seconds after which `count` requests are expected: the rate's integral, inverted.
    fn time_of(&self, count: f64) -> f64 {
        let in_ramp = self.rate * self.ramp_up / 2.0;
        if count < in_ramp {
            (2.0 * self.ramp_up * count / self.rate).sqrt()
        } else {
            self.ramp_up + (count - in_ramp) / self.rate
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let count = match self.arrivals {
            Arrivals::Constant => self.count.map_or(0.0, |count| count + 1.0),
            // Exponentially distributed gaps; 1 − f64() is never 0.
            Arrivals::Poisson => self.count.unwrap_or(0.0) - (1.0 - self.random.f64()).ln(),
        };
        self.count = Some(count);
        Duration::try_from_secs_f64(self.time_of(count)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(arrivals: Arrivals, ramp_up: u64, seed: u64, count: usize) -> Vec<f64> {
        Schedule::new(50.0, arrivals, Duration::from_secs(ramp_up), seed)
            .take(count)
            .map(|d| d.as_secs_f64())
            .collect()
    }

    #[test]
    fn constant_arrivals_are_evenly_spaced() {
        let times = offsets(Arrivals::Constant, 0, 1, 101);
        assert_eq!(times[0], 0.0);
        assert!((times[100] - 2.0).abs() < 1e-6);
        assert!(times.windows(2).all(|w| (w[1] - w[0] - 0.02).abs() < 1e-6));
    }

    #[test]
    fn the_same_seed_gives_the_same_times() {
        let times = |seed| offsets(Arrivals::Poisson, 3, seed, 500);
        assert_eq!(times(7), times(7));
        assert_ne!(times(7), times(8));
    }

    #[test]
    fn gaps_between_poisson_arrivals_are_exponential() {
        let times = offsets(Arrivals::Poisson, 0, 3, 100_001);
        let gaps: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean * 50.0 - 1.0).abs() < 0.02, "{mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{variance}");
        let short = gaps.iter().filter(|g| **g < 0.02).count() as f64 / gaps.len() as f64;
        assert!(
            (short - 0.632).abs() < 0.01,
            "1 − 1/e are shorter than the mean: {short}"
        );
    }

    #[test]
    fn the_rate_rises_linearly_over_the_ramp_up() {
        for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
            // 50 a second after 100 s: 2,500 in the ramp, a quarter of them in its first half.
            let times = offsets(arrivals, 100, 5, 5000);
            let before = |limit: f64| times.iter().filter(|t| **t < limit).count() as f64;
            assert!((before(50.0) / 625.0 - 1.0).abs() < 0.1, "{}", before(50.0));
            assert!((before(100.0) / 2500.0 - 1.0).abs() < 0.1, "{}", before(100.0));
            assert!(((before(140.0) - before(100.0)) / 2000.0 - 1.0).abs() < 0.1);
        }
    }
}
