//! The values of one group: how many fell into each bucket of a log-linear scale.

/// Counted steps of a millisecond: microseconds.
const STEPS: f64 = 1000.0;
/// Buckets of each doubling, as a power of two: 128, so a bucket is at most 0.8 % wide.
const BITS: u32 = 7;
/// Largest value that is told apart, in steps: one hour, as in the percentiles of a level.
const MAX: u64 = 3_600_000_000;

/// Grows with the largest value, to 13 KiB at most.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts(Vec<u32>);

impl Counts {
    pub fn add(&mut self, ms: f64) {
        self.add_to(bucket(ms), 1);
    }

    fn add_to(&mut self, bucket: usize, count: u32) {
        if bucket >= self.0.len() {
            self.0.reserve_exact(bucket + 1 - self.0.len());
            self.0.resize(bucket + 1, 0);
        }
        if let Some(slot) = self.0.get_mut(bucket) {
            *slot = slot.saturating_add(count);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        other
            .occupied()
            .for_each(|(bucket, count)| self.add_to(bucket, count));
    }

    pub fn is_empty(&self) -> bool {
        self.occupied().next().is_none()
    }

    /// Buckets with values, ascending.
    pub fn occupied(&self) -> impl Iterator<Item = (usize, u32)> {
        let all = self.0.iter().copied().enumerate();
        all.filter(|&(_, count)| count > 0)
    }

    /// Values in milliseconds with their counts, ascending; `2^coarser` buckets become one.
    pub fn pairs(&self, coarser: u32) -> Vec<(f64, u64)> {
        let mut pairs: Vec<(usize, u64)> = Vec::new();
        for (bucket, count) in self.occupied() {
            let bin = bucket >> coarser;
            match pairs.last_mut() {
                Some((last, sum)) if *last == bin => *sum += u64::from(count),
                _ => pairs.push((bin, u64::from(count))),
            }
        }
        let value = |bin: usize| {
            let (low, high) = (edges(bin << coarser).0, edges(((bin + 1) << coarser) - 1).1);
            four_digits((low + high) / 2.0)
        };
        pairs
            .into_iter()
            .map(|(bin, count)| (value(bin), count))
            .collect()
    }

    /// What [`Counts::pairs`] wrote, or anything else: a file may hold what it likes.
    pub fn from_pairs(pairs: &[(f64, u64)]) -> Self {
        let mut counts = Self::default();
        for &(value, count) in pairs {
            counts.add_to(bucket(value), u32::try_from(count).unwrap_or(u32::MAX));
        }
        counts
    }
}

fn bucket(ms: f64) -> usize {
    // Negative and no number become 0.
    let steps = ((ms * STEPS) as u64).min(MAX);
    let shift = steps.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    (shift << BITS) as usize + (steps >> shift) as usize
}

/// Where the bucket begins and where the next one does, in milliseconds.
pub fn edges(bucket: usize) -> (f64, f64) {
    let shift = (bucket >> BITS).saturating_sub(1);
    let low = (bucket - (shift << BITS)) as f64;
    let width = 2_f64.powi(shift as i32);
    (low * width / STEPS, (low + 1.0) * width / STEPS)
}

/// Fewer digits than the steps, for a file that stays small: 0.05 % at most.
fn four_digits(ms: f64) -> f64 {
    let scale = 10_f64.powi((3 - ms.log10().floor() as i32).clamp(0, 4));
    (ms * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_within_its_bucket_which_is_under_one_percent_wide() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..100_000 {
            let ms = 10_f64.powf(rng.f64() * 9.5 - 3.0);
            let (low, high) = edges(bucket(ms));
            assert!(low <= ms && ms < high, "{low} {ms} {high}");
            assert!(high - low <= ms / 128.0 + 1e-3 + 1e-9, "{low} {ms} {high}");
        }
    }

    #[test]
    fn buckets_follow_each_other_without_a_hole() {
        (0..3000).for_each(|b| assert_eq!(edges(b).1, edges(b + 1).0, "{b}"));
    }

    #[test]
    fn what_is_no_time_is_counted_at_the_ends() {
        for (ms, expected) in [
            (f64::NAN, 0),
            (-1.0, 0),
            (0.0, 0),
            (f64::INFINITY, bucket(3_600_000.0)),
        ] {
            assert_eq!(bucket(ms), expected, "{ms}");
        }
    }

    #[test]
    fn pairs_are_read_as_they_were_written_at_any_resolution() {
        let mut rng = fastrand::Rng::with_seed(2);
        let mut counts = Counts::default();
        (0..5000).for_each(|_| counts.add(rng.f64().powi(4) * 20_000.0));
        for coarser in 0..4 {
            let pairs = counts.pairs(coarser);
            assert!(pairs.is_sorted_by(|a, b| a.0 < b.0));
            assert_eq!(pairs.iter().map(|p| p.1).sum::<u64>(), 5000);
            assert_eq!(Counts::from_pairs(&pairs).pairs(coarser), pairs, "{coarser}");
        }
        let huge = Counts::from_pairs(&[(1e300, u64::MAX), (f64::NAN, 3), (1e300, 7)]);
        assert_eq!(huge.occupied().count(), 2);
    }
}
