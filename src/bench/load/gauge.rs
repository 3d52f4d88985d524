//! How far a level is, for those who look from another thread: the measuring one only counts.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Times to first token that the median shown is taken from.
const RECENT: usize = 32;

#[derive(Default)]
pub struct Gauge {
    done: AtomicU64,
    errors: AtomicU64,
    in_flight: AtomicU64,
    peak: AtomicU64,
    answers: AtomicU64,
    /// Milliseconds, as bits of an `f32`.
    recent: [AtomicU32; RECENT],
}

impl Gauge {
    pub fn begin(&self) {
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.peak.fetch_max(now, Relaxed);
    }

    /// `counted` is whether the request is in the figures; the time is absent for a failure.
    pub fn end(&self, counted: bool, ttft_ms: Option<f64>) {
        self.in_flight.fetch_sub(1, Relaxed);
        self.count(counted, ttft_ms.is_none());
        if let Some(ms) = ttft_ms {
            let index = self.answers.fetch_add(1, Relaxed) as usize % RECENT;
            self.recent[index].store((ms as f32).to_bits(), Relaxed);
        }
    }

    /// A request ended that may never have begun.
    pub fn count(&self, counted: bool, failed: bool) {
        if counted {
            self.done.fetch_add(1, Relaxed);
            self.errors.fetch_add(u64::from(failed), Relaxed);
        }
    }

    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    pub fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }

    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }

    /// From now on the peak is another part's.
    pub fn forget_peak(&self) {
        self.peak.store(self.in_flight(), Relaxed);
    }

    /// Median time to first token of the last answers.
    pub fn ttft_ms(&self) -> Option<f64> {
        let count = RECENT.min(self.answers.load(Relaxed) as usize);
        let mut recent: Vec<f32> = self.recent[..count]
            .iter()
            .map(|bits| f32::from_bits(bits.load(Relaxed)))
            .collect();
        recent.sort_by(f32::total_cmp);
        recent.get(count / 2).map(|ms| f64::from(*ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_last_answers() {
        let gauge = Gauge::default();
        assert_eq!(gauge.ttft_ms(), None);
        for i in 0..100 {
            gauge.begin();
            gauge.end(true, Some(if i < 60 { 1000.0 } else { 20.0 }));
        }
        gauge.begin();
        gauge.begin();
        gauge.end(true, None);
        assert_eq!(gauge.ttft_ms(), Some(20.0));
        assert_eq!(
            (gauge.done(), gauge.errors(), gauge.in_flight(), gauge.peak()),
            (101, 1, 1, 2)
        );
    }
}
