//! A distribution of errors.

use serde::Serialize;

/// Errors in milliseconds, signed: what the client measured less what the server sent.
#[derive(Default)]
pub struct Errors {
    absolute: Vec<f64>,
    sum: f64,
}

/// Percentiles of the absolute error, and the mean with its sign.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub count: u64,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    pub mean: f64,
}

impl Errors {
    pub fn add(&mut self, error: f64) {
        self.absolute.push(error.abs());
        self.sum += error;
    }

    /// `None` when there are none.
    pub fn spread(mut self) -> Option<Spread> {
        self.absolute.sort_unstable_by(f64::total_cmp);
        let max = *self.absolute.last()?;
        let count = self.absolute.len();
        // Nearest rank: a value that was measured.
        let at = |percent: usize| self.absolute[(count * percent).div_ceil(100) - 1];
        Some(Spread {
            count: count as u64,
            p50: at(50),
            p99: at(99),
            max,
            mean: self.sum / count as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_absolute_error_and_the_mean_is_signed() {
        let mut errors = Errors::default();
        for step in 1..=100 {
            errors.add(if step % 2 == 0 { 1.0 } else { -1.0 } * f64::from(step));
        }
        let spread = errors.spread().unwrap();
        assert_eq!(
            (spread.count, spread.p50, spread.p99, spread.max),
            (100, 50.0, 99.0, 100.0)
        );
        assert_eq!(spread.mean, 0.5);
        assert_eq!(Errors::default().spread(), None);
    }

    #[test]
    fn one_error_is_every_percentile() {
        let mut errors = Errors::default();
        errors.add(-0.25);
        let spread = errors.spread().unwrap();
        assert_eq!(
            (spread.p50, spread.p99, spread.max, spread.mean),
            (0.25, 0.25, 0.25, -0.25)
        );
    }
}
