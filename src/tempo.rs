//! How fast time passes for everything that waits.

use std::time::Duration;

/// A factor on every pause, deadline and timeout of a run; 1 unless a test has no hours to spend. What is reported is
/// nominal: a minute stays a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempo(f64);

impl Default for Tempo {
    fn default() -> Self {
        Self(1.0)
    }
}

impl Tempo {
    /// `factor` is above 0: 0.01 makes a minute pass in 0.6 s.
    pub fn new(factor: f64) -> Self {
        Self(factor.clamp(1e-6, 1.0))
    }

    /// How long `nominal` really takes.
    #[must_use]
    pub fn of(self, nominal: Duration) -> Duration {
        nominal.mul_f64(self.0)
    }

    /// What has passed nominally in `real` time.
    #[must_use]
    pub fn nominal(self, real: Duration) -> Duration {
        real.div_f64(self.0)
    }

    pub async fn sleep(self, nominal: Duration) {
        tokio::time::sleep(self.of(nominal)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_real_unless_a_factor_is_given() {
        let minute = Duration::from_secs(60);
        assert_eq!(Tempo::default().of(minute), minute);
        assert_eq!(Tempo::new(0.01).of(minute), Duration::from_millis(600));
        assert_eq!(Tempo::new(0.01).nominal(Duration::from_millis(600)), minute);
        assert_eq!(Tempo::new(7.0).of(minute), minute, "never slower than it is");
    }
}
