//! Percentiles of resampled groups, without a merge for each resample.

use super::{counts::Counts, rank};

/// For each value that occurs, how many values of each group do not exceed it.
pub struct Table {
    /// Buckets of [`Counts`], ascending.
    buckets: Vec<usize>,
    groups: usize,
    /// By bucket, then by group.
    at_most: Vec<u32>,
}

impl Table {
    /// Of the groups that have values.
    pub fn new<'a>(groups: impl Iterator<Item = &'a Counts>) -> Self {
        let groups: Vec<&Counts> = groups.filter(|counts| !counts.is_empty()).collect();
        let mut buckets: Vec<usize> = groups
            .iter()
            .flat_map(|counts| counts.occupied().map(|(bucket, _)| bucket))
            .collect();
        buckets.sort_unstable();
        buckets.dedup();
        let mut columns: Vec<_> = groups
            .iter()
            .map(|counts| (counts.occupied().peekable(), 0_u32))
            .collect();
        let mut at_most = Vec::with_capacity(buckets.len() * groups.len());
        for bucket in &buckets {
            for (rest, sum) in &mut columns {
                if let Some((_, count)) = rest.next_if(|(next, _)| next == bucket) {
                    *sum = sum.saturating_add(count);
                }
                at_most.push(*sum);
            }
        }
        Self {
            buckets,
            groups: groups.len(),
            at_most,
        }
    }

    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The bucket with the percentile when each group counts as often as `weights` says; `None` without values.
    pub fn percentile(&self, weights: &[u32], percentile: f64) -> Option<usize> {
        let total = self.weighed(self.buckets.len().checked_sub(1)?, weights);
        if total == 0 {
            return None;
        }
        let rank = rank(percentile, total);
        let (mut low, mut high) = (0, self.buckets.len() - 1);
        while low < high {
            let middle = low.midpoint(high);
            if self.weighed(middle, weights) < rank {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.buckets.get(low).copied()
    }

    /// How many values do not exceed that of the row.
    fn weighed(&self, row: usize, weights: &[u32]) -> u64 {
        let start = row * self.groups;
        let row = self.at_most.get(start..start + self.groups).unwrap_or_default();
        let products = row.iter().zip(weights);
        products
            .map(|(&count, &weight)| u64::from(count) * u64::from(weight))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighted_percentiles_are_those_of_the_repeated_values() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..200 {
            let groups: Vec<Vec<(f64, u64)>> = (0..rng.usize(1..20))
                .map(|_| {
                    (0..rng.usize(0..9))
                        .map(|_| (rng.f64() * 100.0, rng.u64(1..4)))
                        .collect()
                })
                .collect();
            let counts: Vec<Counts> = groups.iter().map(|group| Counts::from_pairs(group)).collect();
            let table = Table::new(counts.iter());
            let filled: Vec<&Counts> = counts.iter().filter(|counts| !counts.is_empty()).collect();
            assert_eq!(table.groups(), filled.len());
            let weights: Vec<u32> = filled.iter().map(|_| rng.u32(0..3)).collect();
            let mut values: Vec<usize> = Vec::new();
            for (counts, weight) in filled.iter().zip(&weights) {
                for (bucket, count) in counts.occupied() {
                    values.extend(std::iter::repeat_n(bucket, (count * weight) as usize));
                }
            }
            values.sort_unstable();
            for percentile in [50.0, 90.0, 99.9] {
                let rank = (values.len() as f64 * percentile / 100.0).ceil() as usize;
                let expected = rank.checked_sub(1).map(|rank| values[rank]);
                assert_eq!(table.percentile(&weights, percentile), expected);
            }
        }
    }
}
