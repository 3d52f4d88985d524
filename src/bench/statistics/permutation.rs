//! The permutation test, and its correction for several figures.

use fastrand::Rng;

/// Most permutations of a test: the smallest p-value is about 1 in 5,000, enough for 250 figures at once.
const PERMUTATIONS: u32 = 5000;
/// With so many permutations as extreme as the observation the rest would not change the answer.
const ENOUGH: u32 = 20;

/// The p-value of `statistic` under "both samples are from the same distribution". It gets, for each group of
/// both, 1 when the group is in the first sample and 0 when in the second, and is larger the less alike they are.
///
/// Exact whatever the distribution: under that hypothesis each way to label the groups is as likely as the real
/// one. Stops early as Besag and Clifford ("Sequential Monte Carlo p-values", 1991) show to be valid.
pub fn p_value(first: usize, second: usize, rng: &mut Rng, statistic: impl Fn(&[u32]) -> f64) -> f64 {
    let mut labels: Vec<u32> = (0..first + second)
        .map(|group| u32::from(group < first))
        .collect();
    let observed = statistic(&labels);
    let mut extreme = 0;
    for done in 1..=PERMUTATIONS {
        rng.shuffle(&mut labels);
        // Equal but for rounding counts as equal, which is on the safe side.
        extreme += u32::from(statistic(&labels) >= observed - 1e-12);
        if extreme == ENOUGH {
            return f64::from(extreme) / f64::from(done);
        }
    }
    f64::from(extreme + 1) / f64::from(PERMUTATIONS + 1)
}

/// Holm's correction: with all of these compared to 5 %, the chance that any of them is wrong is at most 5 %.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| at(p_values, a).total_cmp(&at(p_values, b)));
    let mut corrected = vec![1.0; p_values.len()];
    let mut most = 0.0_f64;
    for (place, &index) in order.iter().enumerate() {
        let factor = (p_values.len() - place) as f64;
        most = most.max(at(p_values, index) * factor).min(1.0);
        if let Some(slot) = corrected.get_mut(index) {
            *slot = most;
        }
    }
    corrected
}

fn at(values: &[f64], index: usize) -> f64 {
    values.get(index).copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holms_correction_is_that_of_the_worked_example() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (value, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((value - expected).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert_eq!(holm(&[]), [0.0; 0]);
    }

    /// Difference of means, of which the exact p-value is counted by hand.
    #[test]
    fn the_p_value_is_the_share_of_labellings_at_least_as_extreme() {
        let values = [1.0, 2.0, 3.0, 7.0, 8.0, 9.0];
        let statistic = |labels: &[u32]| {
            let first: f64 = values.iter().zip(labels).map(|(v, &l)| v * f64::from(l)).sum();
            (first - 15.0).abs()
        };
        let p = p_value(3, 3, &mut Rng::with_seed(4), statistic);
        // 2 of 20: the real one and its mirror image.
        assert!((p - 0.1).abs() < 0.06, "{p}");
        let p = p_value(3, 3, &mut Rng::with_seed(5), |_| 0.0);
        assert_eq!(p, 1.0, "what never differs is no difference");
    }

    #[test]
    fn a_clear_difference_has_the_smallest_p_value() {
        let statistic = |labels: &[u32]| f64::from(labels.iter().take(30).sum::<u32>());
        let p = p_value(30, 30, &mut Rng::with_seed(6), statistic);
        assert!(p <= 1.0 / 5001.0, "{p}");
    }
}
