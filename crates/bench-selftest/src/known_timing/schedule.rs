//! When the tokens of one request are due. Pure.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Instant,
};

use super::Timing;

/// The due times of one request, one after the other.
pub struct Schedule {
    timing: Timing,
    /// When the first token would be due without its own delay.
    start: Instant,
    step: u32,
    latest: Instant,
    delays: fastrand::Rng,
}

impl Schedule {
    /// Of the request `id` that arrived at `arrived`: the same id has the same delays.
    pub fn new(timing: Timing, arrived: Instant, id: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (timing.seed, id).hash(&mut hasher);
        let mut delays = fastrand::Rng::with_seed(hasher.finish());
        let shift = timing.spread.mul_f64(delays.f64());
        Self {
            timing,
            start: arrived + timing.ttft + shift,
            step: 0,
            latest: arrived,
            delays,
        }
    }

    /// When the next token is due: absolute, so that one late token doesn't delay those after it, and never
    /// before the token ahead of it.
    pub fn next(&mut self) -> Instant {
        let delay = self.timing.spread.mul_f64(self.delays.f64());
        let due = self.start + self.timing.gap.saturating_mul(self.step) + delay;
        self.step += 1;
        self.latest = self.latest.max(due);
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn dues(timing: Timing, arrived: Instant, id: &str) -> Vec<Duration> {
        let mut schedule = Schedule::new(timing, arrived, id);
        (0..50).map(|_| schedule.next() - arrived).collect()
    }

    #[test]
    fn without_spread_tokens_are_due_on_the_grid() {
        let timing = Timing {
            ttft: 40 * MS,
            gap: 8 * MS,
            ..Timing::default()
        };
        let dues = dues(timing, Instant::now(), "a");
        assert_eq!(dues[0], 40 * MS);
        assert_eq!(dues[49], 432 * MS);
    }

    #[test]
    fn spread_delays_each_token_within_its_bounds_in_order_and_the_same_for_the_same_id() {
        let timing = Timing {
            ttft: 40 * MS,
            gap: MS,
            spread: 5 * MS,
            seed: 7,
            record: false,
        };
        let arrived = Instant::now();
        let some = dues(timing, arrived, "a");
        for (step, due) in (0..).zip(&some) {
            let least = 40 * MS + MS * step;
            assert!(*due >= least && *due < least + 10 * MS, "{step}: {due:?}");
        }
        assert!(some.is_sorted());
        assert_eq!(some, dues(timing, arrived, "a"));
        assert_ne!(some, dues(timing, arrived, "b"));
        assert_ne!(some, dues(Timing { seed: 8, ..timing }, arrived, "a"));
    }
}
