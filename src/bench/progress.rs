//! How far a measurement is.

use std::fmt;

use super::result::LoadShape;

/// How far the measurement at one load is; told about ten times a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BenchProgress {
    pub load: LoadShape,
    /// Requests that have ended, failed ones among them.
    pub done: u64,
    /// `None` when the load is measured for a time.
    pub total: Option<u64>,
    /// Warm-up and ramp-up included.
    pub in_flight: u64,
    pub errors: u64,
    /// Of the last answers, the median.
    pub ttft_ms: Option<f64>,
}

impl fmt::Display for BenchProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.load, self.done)?;
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        write!(
            f,
            " requests, {} in flight, {} errors",
            self.in_flight, self.errors
        )?;
        if let Some(ms) = self.ttft_ms {
            write!(f, ", first token after {ms:.0} ms")?;
        }
        Ok(())
    }
}
