//! A cumulative histogram with given buckets, and its quantiles as Prometheus' `histogram_quantile` has them.

/// So many values up to each bound; bounds ascend and the last is infinite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    pub buckets: Vec<(f64, u64)>,
    pub sum: f64,
    pub count: u64,
}

/// A quantile, or that it lies beyond the highest finite bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantile {
    At(f64),
    Above(f64),
}

impl Quantile {
    /// The value; of one beyond the last bound that bound, as Prometheus answers.
    pub fn value(self) -> f64 {
        match self {
            Self::At(value) | Self::Above(value) => value,
        }
    }
}

impl Histogram {
    /// Whether it is one: bounds ascend to infinity, counts ascend to the total, and the sum is a number.
    pub fn is_sound(&self) -> bool {
        self.buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1)
            && self.buckets.len() > 1
            && self.buckets.last() == Some(&(f64::INFINITY, self.count))
            && self.sum.is_finite()
            && self.sum >= 0.0
    }

    /// What was added since `before`; `None` when something went backwards or the buckets are others.
    pub fn since(&self, before: &Self) -> Option<Self> {
        if self.buckets.len() != before.buckets.len() {
            return None;
        }
        let buckets = self.buckets.iter().zip(&before.buckets).map(|(now, then)| {
            let added = now.1.checked_sub(then.1)?;
            (now.0 == then.0).then_some((now.0, added))
        });
        let added = Self {
            buckets: buckets.collect::<Option<_>>()?,
            sum: self.sum - before.sum,
            count: self.count.checked_sub(before.count)?,
        };
        added.is_sound().then_some(added)
    }

    /// Both together; `None` when their buckets differ.
    pub fn plus(&self, other: &Self) -> Option<Self> {
        if self.buckets.len() != other.buckets.len() {
            return None;
        }
        let buckets = self.buckets.iter().zip(&other.buckets);
        let buckets = buckets.map(|(a, b)| Some((a.0, a.1.checked_add(b.1)?)).filter(|_| a.0 == b.0));
        Some(Self {
            buckets: buckets.collect::<Option<_>>()?,
            sum: self.sum + other.sum,
            count: self.count.checked_add(other.count)?,
        })
    }

    /// `None` when it is empty.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// Interpolated between the bounds of the bucket in which the rank falls; the lowest bucket starts at 0.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        if self.count == 0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * self.count as f64;
        let at = self
            .buckets
            .iter()
            .position(|(_, within)| *within as f64 >= rank)?;
        let (upper, within) = self.buckets[at];
        let (lower, below) = at.checked_sub(1).map_or((0.0, 0), |before| self.buckets[before]);
        if upper.is_infinite() {
            return Some(Quantile::Above(lower));
        }
        if at == 0 && upper <= 0.0 {
            return Some(Quantile::At(upper));
        }
        let inside = (within - below) as f64;
        let share = if inside > 0.0 {
            (rank - below as f64) / inside
        } else {
            1.0
        };
        Some(Quantile::At(lower + (upper - lower) * share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[(f64, u64)], sum: f64) -> Histogram {
        Histogram {
            buckets: counts.to_vec(),
            sum,
            count: counts.last().unwrap().1,
        }
    }

    #[test]
    fn quantiles_are_interpolated_as_prometheus_does() {
        let inf = f64::INFINITY;
        let h = of(&[(0.1, 0), (0.2, 10), (0.4, 30), (inf, 40)], 10.0);
        let at = |q| h.quantile(q).unwrap();
        assert_eq!(at(0.25), Quantile::At(0.2));
        assert!((at(0.5).value() - 0.3).abs() < 1e-12, "half of the second bucket");
        assert_eq!(at(0.75), Quantile::At(0.4));
        assert_eq!(
            at(0.99),
            Quantile::Above(0.4),
            "the last bucket has no upper bound"
        );
        let first = of(&[(0.8, 4), (inf, 4)], 1.0);
        assert_eq!(
            first.quantile(0.5),
            Some(Quantile::At(0.4)),
            "the lowest starts at 0"
        );
        assert_eq!(of(&[(1.0, 0), (inf, 0)], 0.0).quantile(0.5), None);
    }

    #[test]
    fn a_difference_needs_the_same_buckets_and_nothing_that_went_back() {
        let inf = f64::INFINITY;
        let before = of(&[(1.0, 2), (inf, 3)], 2.5);
        let after = of(&[(1.0, 5), (inf, 7)], 9.0);
        assert_eq!(after.since(&before), Some(of(&[(1.0, 3), (inf, 4)], 6.5)));
        assert_eq!(before.since(&after), None);
        assert_eq!(after.since(&of(&[(2.0, 2), (inf, 3)], 2.5)), None);
        assert_eq!(
            after.since(&of(&[(1.0, 5), (inf, 6)], 9.5)),
            None,
            "a smaller sum"
        );
        assert_eq!(
            after.plus(&before),
            Some(of(&[(1.0, 7), (inf, 10)], 11.5)),
            "engines are added up"
        );
    }

    #[test]
    fn what_is_no_histogram_is_found_out() {
        let inf = f64::INFINITY;
        assert!(of(&[(1.0, 2), (inf, 3)], 2.5).is_sound());
        assert!(!of(&[(1.0, 4), (inf, 3)], 2.5).is_sound(), "counts fall");
        assert!(
            !of(&[(1.0, 1), (1.0, 2), (inf, 3)], 2.5).is_sound(),
            "bounds repeat"
        );
        assert!(!of(&[(1.0, 2), (2.0, 3)], 2.5).is_sound(), "no infinite bound");
        assert!(!of(&[(1.0, 2), (inf, 3)], f64::NAN).is_sound());
    }
}
