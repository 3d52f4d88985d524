//! Values in groups of consecutive requests, in constant memory.

use fastrand::Rng;

use super::{
    bootstrap::intervals,
    counts::{Counts, edges},
    table::Table,
};
use crate::{
    bench::result::{Intervals, Samples},
    config::latency::Timing,
};

/// Most groups: enough for an interval that is as good as one over all requests.
pub const MOST: usize = 64;
/// Most pairs of value and count of one timing in a file: about 10 bytes each.
const MOST_PAIRS: usize = 5000;
const TIMINGS: [Timing; 4] = [Timing::Ttft, Timing::Itl, Timing::Tpot, Timing::E2e];

/// The values of a level. At first each request is its own group; whenever there would be more than 64 groups,
/// neighbours become one, so groups are 1, 2, 4 … consecutive requests. Consecutive ones share a wave of a closed
/// loop or a burst of an open one: what they have in common is then noise between groups, as it should be, and not
/// mistaken for certainty. At most 3.4 MiB, however many requests there are.
pub struct Groups {
    /// Requests of a group, as a power of two.
    shift: u32,
    timings: [Values; 4],
}

/// The values of one timing.
struct Values {
    groups: Vec<Counts>,
    min: f64,
    max: f64,
}

impl Default for Groups {
    fn default() -> Self {
        let values = || Values {
            groups: Vec::new(),
            min: f64::INFINITY,
            max: 0.0,
        };
        Self {
            shift: 0,
            timings: [values(), values(), values(), values()],
        }
    }
}

impl Groups {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value (milliseconds) of request number `request` of the level, counted from 0.
    pub fn add(&mut self, request: u64, timing: Timing, ms: f64) {
        while request >> self.shift >= MOST as u64 {
            self.shift += 1;
            self.timings.iter_mut().for_each(Values::halve);
        }
        let group = (request >> self.shift) as usize;
        let [ttft, itl, tpot, e2e] = &mut self.timings;
        let values = match timing {
            Timing::Ttft => ttft,
            Timing::Itl => itl,
            Timing::Tpot => tpot,
            Timing::E2e => e2e,
        };
        values.add(group, ms);
    }

    /// 95 % confidence intervals of the percentiles, to 0.8 %. An upper end that is the largest value is open: with
    /// fewer than 72 requests nothing bounds their 95th percentile from above, with fewer than 367 their 99th.
    /// `None` with fewer than 6 groups.
    pub fn intervals(&self, timing: Timing, seed: u64) -> Option<Intervals> {
        let place = TIMINGS.iter().position(|t| *t == timing)?;
        let values = self.timings.get(place)?;
        let table = Table::new(values.groups.iter());
        let percentiles = [50.0, 90.0, 95.0, 99.0];
        let found = intervals(&table, percentiles, &mut Rng::with_seed(seed ^ place as u64))?;
        let [p50, p90, p95, p99] = found.map(|[low, high]| {
            let at = |ms: f64| ms.clamp(values.min, values.max);
            [at(edges(low).0), at(edges(high).1)]
        });
        Some(Intervals { p50, p90, p95, p99 })
    }

    /// For the file. With many different values the resolution goes down until they are few enough.
    pub fn into_samples(self) -> Samples {
        let groups = TIMINGS
            .into_iter()
            .zip(self.timings)
            .filter(|(_, values)| values.groups.iter().any(|group| !group.is_empty()))
            .map(|(timing, values)| (timing, values.pairs()))
            .collect();
        Samples {
            requests_per_group: 1 << self.shift,
            groups,
        }
    }
}

impl Values {
    fn add(&mut self, group: usize, ms: f64) {
        if group >= self.groups.len() {
            self.groups.resize_with(group + 1, Counts::default);
        }
        if let Some(counts) = self.groups.get_mut(group) {
            counts.add(ms);
        }
        self.min = self.min.min(ms);
        self.max = self.max.max(ms);
    }

    fn halve(&mut self) {
        self.groups = merge_neighbours(&self.groups, 2);
    }

    fn pairs(&self) -> Vec<Vec<(f64, u64)>> {
        let at = |coarser| -> Vec<Vec<_>> { self.groups.iter().map(|group| group.pairs(coarser)).collect() };
        let mut pairs = at(0);
        // With 2^4 buckets in one it is 12.5 % wide: no file is worth less.
        for coarser in 1..=4 {
            if pairs.iter().map(Vec::len).sum::<usize>() <= MOST_PAIRS {
                break;
            }
            pairs = at(coarser);
        }
        pairs
    }
}

/// Makes one group of each `size` neighbours.
pub fn merge_neighbours(groups: &[Counts], size: usize) -> Vec<Counts> {
    let merge = |part: &[Counts]| {
        let mut all = Counts::default();
        part.iter().for_each(|counts| all.merge(counts));
        all
    };
    groups.chunks(size.max(1)).map(merge).collect()
}
