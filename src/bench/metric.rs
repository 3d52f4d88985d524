//! One metric's distribution in constant memory.

use hdrhistogram::Histogram;

use super::result::{Bin, Distribution};

/// Recorded steps per unit: milliseconds are kept to the microsecond, tokens/s to a thousandth.
const STEPS: f64 = 1000.0;
/// Largest value that is told apart: one hour in milliseconds. Above it values are clamped and counted.
pub const MAX: f64 = 3_600_000.0;
/// Bins of a chart up to the 99th percentile, and beyond it.
const BINS: (u64, u64) = (150, 50);

/// Values of one metric; percentiles are within 0.1 %, mean, least and largest exact to the step.
pub struct Metric {
    histogram: Histogram<u64>,
    sum: f64,
    min: f64,
    max: f64,
    clamped: u64,
}

impl Metric {
    #[allow(clippy::expect_used, reason = "the precision is a constant")]
    pub fn new() -> Self {
        Self {
            // Grows to the largest value that comes: 188 KiB at one hour.
            histogram: Histogram::new(3).expect("three digits are few enough"),
            sum: 0.0,
            min: f64::INFINITY,
            max: 0.0,
            clamped: 0,
        }
    }

    /// Adds a value, not negative.
    pub fn record(&mut self, value: f64) {
        self.clamped += u64::from(value > MAX);
        let value = value.clamp(0.0, MAX);
        // Fails only for a histogram that may not grow.
        let _ = self.histogram.record((value * STEPS).round() as u64);
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// How many values were over [`MAX`] and count as [`MAX`].
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    pub fn is_empty(&self) -> bool {
        self.histogram.is_empty()
    }

    /// For times: `p95` is the value that 95 % of the values do not exceed.
    pub fn less_is_better(&self) -> Option<Distribution> {
        self.percentiles(|q| self.histogram.value_at_quantile(q))
    }

    /// For rates: `p95` is the value that 95 % of the values reach or exceed.
    pub fn more_is_better(&self) -> Option<Distribution> {
        let all = self.histogram.len();
        self.percentiles(|q| {
            // The share that may miss it, as a count; the next value is reached by the others. Per mille are whole.
            let missing = (all as f64 * (1000.0 - q * 1000.0).round() / 1000.0) as u64;
            let rank = (missing + 1).min(all);
            // Half a rank less, so that no rounding picks the one above.
            let value = self.histogram.value_at_quantile((rank as f64 - 0.5) / all as f64);
            self.histogram.lowest_equivalent(value)
        })
    }

    fn percentiles(&self, at: impl Fn(f64) -> u64) -> Option<Distribution> {
        if self.histogram.is_empty() {
            return None;
        }
        let steps = |value: f64| (value * STEPS).round() / STEPS;
        let at = |q| steps((at(q) as f64 / STEPS).clamp(self.min, self.max));
        Some(Distribution {
            count: self.histogram.len(),
            min: steps(self.min),
            p50: at(0.50),
            p75: at(0.75),
            p90: at(0.90),
            p95: at(0.95),
            p99: at(0.99),
            p99_9: at(0.999),
            ci95: None,
            mean: steps(self.sum / self.histogram.len() as f64),
            max: steps(self.max),
        })
    }

    /// For charts: bins of one width up to the 99th percentile, wider ones beyond it. Empty ones are left out, and
    /// none is narrower than what the histogram tells apart.
    pub fn bins(&self) -> Vec<Bin> {
        if self.histogram.is_empty() {
            return Vec::new();
        }
        let h = &self.histogram;
        let (low, high) = (h.lowest_equivalent(h.min()), h.max() + 1);
        let knee = (h.highest_equivalent(h.value_at_quantile(0.99)) + 1).min(high);
        let width = |from: u64, to: u64, bins: u64| (to - from).div_ceil(bins).max(h.equivalent_range(to));
        let (fine, coarse) = (width(low, knee, BINS.0), width(knee, high, BINS.1));
        let mut bins: Vec<Bin> = Vec::new();
        for step in h.iter_recorded() {
            let value = h.lowest_equivalent(step.value_iterated_to());
            let (start, width, end) = if value < knee {
                (low, fine, knee)
            } else {
                (knee, coarse, high)
            };
            let from = start + (value - start) / width * width;
            let (from, to) = (from as f64 / STEPS, (from + width).min(end) as f64 / STEPS);
            match bins.last_mut() {
                Some(last) if last.from == from => last.count += step.count_at_value(),
                _ => bins.push(Bin {
                    from,
                    to,
                    count: step.count_at_value(),
                }),
            }
        }
        bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!(
            (value - expected).abs() <= expected * 0.001,
            "{value} is not {expected}"
        );
    }

    #[test]
    fn percentiles_of_1_to_100_are_themselves() {
        let mut metric = Metric::new();
        (1..=100).for_each(|v| metric.record(f64::from(v)));
        let less = metric.less_is_better().unwrap();
        for (value, expected) in [
            (less.p50, 50.0),
            (less.p90, 90.0),
            (less.p95, 95.0),
            (less.p99, 99.0),
        ] {
            near(value, expected);
        }
        assert_eq!((less.mean, less.max), (50.5, 100.0));
        let more = metric.more_is_better().unwrap();
        for (value, expected) in [
            (more.p50, 51.0),
            (more.p90, 11.0),
            (more.p95, 6.0),
            (more.p99, 2.0),
        ] {
            near(value, expected);
        }
        assert_eq!((more.mean, more.max), (50.5, 100.0));
    }

    #[test]
    fn of_twenty_values_one_may_miss_the_95th_percentile_and_none_the_99th() {
        let mut metric = Metric::new();
        (1..=20).for_each(|v| metric.record(f64::from(v)));
        let less = metric.less_is_better().unwrap();
        near(less.p95, 19.0);
        near(less.p99, 20.0);
        let more = metric.more_is_better().unwrap();
        near(more.p95, 2.0);
        near(more.p99, 1.0);
    }

    #[test]
    fn one_value_is_every_percentile() {
        let mut metric = Metric::new();
        assert_eq!(metric.less_is_better(), None);
        metric.record(1234.567);
        for p in [metric.less_is_better().unwrap(), metric.more_is_better().unwrap()] {
            for value in [p.p50, p.p90, p.p95, p.p99, p.mean, p.max] {
                assert_eq!(value, 1234.567);
            }
        }
    }

    #[test]
    fn values_beyond_the_largest_are_clamped_and_counted() {
        let mut metric = Metric::new();
        metric.record(0.0);
        metric.record(MAX);
        metric.record(MAX * 2.0);
        assert_eq!(metric.clamped(), 1);
        assert_eq!(metric.less_is_better().unwrap().max, MAX);
        assert_eq!(metric.less_is_better().unwrap().mean, MAX * 2.0 / 3.0);
    }

    #[test]
    fn all_percentiles_are_nearest_ranks() {
        let mut metric = Metric::new();
        (1..=1000).for_each(|v| metric.record(f64::from(v)));
        let d = metric.less_is_better().unwrap();
        for (value, expected) in [
            (d.min, 1.0),
            (d.p50, 500.0),
            (d.p75, 750.0),
            (d.p90, 900.0),
            (d.p99, 990.0),
            (d.p99_9, 999.0),
            (d.max, 1000.0),
        ] {
            near(value, expected);
        }
    }

    #[test]
    fn bins_hold_each_value_once_and_are_few() {
        let mut metric = Metric::new();
        let mut random = fastrand::Rng::with_seed(1);
        for i in 0..20_000 {
            metric.record(20.0 + random.f64() * 5.0);
            if i % 500 == 0 {
                metric.record(random.f64() * 60_000.0);
            }
        }
        let bins = metric.bins();
        assert!((20..=200).contains(&bins.len()), "{} bins", bins.len());
        assert_eq!(
            bins.iter().map(|b| b.count).sum::<u64>(),
            metric.less_is_better().unwrap().count
        );
        assert!(bins.windows(2).all(|w| w[0].to <= w[1].from) && bins.iter().all(|b| b.from < b.to));
        let (first, last) = (bins[0], bins[bins.len() - 1]);
        let all = metric.less_is_better().unwrap();
        assert!(
            first.from <= all.min && last.to >= all.max,
            "{first:?} {last:?} {all:?}"
        );
        assert!(Metric::new().bins().is_empty());

        let mut one = Metric::new();
        one.record(7.0);
        let bins = one.bins();
        assert!(
            bins.len() == 1 && bins[0].from <= 7.0 && bins[0].to > 7.0,
            "{bins:?}"
        );
    }
}
