//! Confidence intervals by resampling groups with replacement.

use fastrand::Rng;

use super::table::Table;

/// Resamples of each interval. The ends of a 95 % interval are then the 22nd or so from each side.
pub const RESAMPLES: usize = 1000;
/// Fewest groups for an interval: the range of six values holds their median in 97 of 100 cases, of five in 94.
pub const FEWEST: usize = 6;

/// Weights of a resample: how often each group was drawn.
pub fn draw(weights: &mut [u32], rng: &mut Rng) {
    weights.fill(0);
    for _ in 0..weights.len() {
        let drawn = rng.usize(..weights.len());
        if let Some(weight) = weights.get_mut(drawn) {
            *weight += 1;
        }
    }
}

/// The buckets between which each percentile lies with 95 % confidence. `None` with too few groups.
pub fn intervals<const N: usize>(
    table: &Table,
    percentiles: [f64; N],
    rng: &mut Rng,
) -> Option<[[usize; 2]; N]> {
    let groups = table.groups();
    if groups < FEWEST {
        return None;
    }
    let mut found: [Vec<usize>; N] = std::array::from_fn(|_| Vec::with_capacity(RESAMPLES));
    let mut weights = vec![0; groups];
    for _ in 0..RESAMPLES {
        draw(&mut weights, rng);
        for (found, percentile) in found.iter_mut().zip(percentiles) {
            found.push(table.percentile(&weights, percentile)?);
        }
    }
    let ends = found.map(|mut found| {
        found.sort_unstable();
        middle(&found, groups)
    });
    ends.iter()
        .all(Option::is_some)
        .then(|| ends.map(Option::unwrap_or_default))
}

/// The part of sorted resampled figures that is a 95 % interval. Resampling shows less spread than there is, by
/// the more the fewer groups there are; so the tails that are cut off are smaller than 2.5 %, as far as Student's
/// distribution is wider than the normal one (Hesterberg, "What Teachers Should Know about the Bootstrap", 2015,
/// section 4.2).
pub fn middle<T: Copy>(sorted: &[T], groups: usize) -> Option<[T; 2]> {
    let cut = (tail(groups) * sorted.len() as f64).floor() as usize;
    let low = sorted.get(cut)?;
    let high = sorted.get(sorted.len().checked_sub(cut + 1)?)?;
    Some([*low, *high])
}

/// `Φ(-t·√(n / (n - 1)))` with Student's 97.5 % quantile `t` of n - 1 degrees of freedom.
fn tail(groups: usize) -> f64 {
    let n = groups.max(2) as f64;
    lower_tail(student(n - 1.0) * (n / (n - 1.0)).sqrt())
}

/// Student's 97.5 % quantile, by its expansion around the normal one (Abramowitz and Stegun, 26.7.5).
fn student(freedom: f64) -> f64 {
    let z = 1.959_964_f64;
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * freedom)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * freedom.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * freedom.powi(3))
}

/// The normal distribution's mass beyond `x`, positive (Abramowitz and Stegun, 26.2.17: to 7.5e-8).
fn lower_tail(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x);
    let series = [
        1.330_274_429,
        -1.821_255_978,
        1.781_477_937,
        -0.356_563_782,
        0.319_381_530,
    ];
    let density = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    density * series.iter().fold(0.0, |sum, factor| (sum + factor) * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distributions_are_those_of_the_tables() {
        for (freedom, expected) in [(5.0, 2.5706), (9.0, 2.2622), (19.0, 2.0930), (63.0, 1.9983)] {
            let t = student(freedom);
            assert!((t - expected).abs() < 0.005, "{t} {expected}");
        }
        for (x, expected) in [(1.0, 0.158_655), (1.959_964, 0.025), (3.0, 0.001_350)] {
            let tail = lower_tail(x);
            assert!((tail - expected).abs() < 1e-5, "{tail} {expected}");
        }
    }

    #[test]
    fn fewer_groups_cut_off_less() {
        assert!(tail(64) < 0.025 && tail(64) > 0.021);
        assert!((6..64).all(|groups| tail(groups) < tail(groups + 1)));
    }
}
