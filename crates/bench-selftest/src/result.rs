//! What the client adds to the times it measures, against a server that reports what it really sent. Pure.
//!
//! The error of a time is what the client measured less what the server sent: of a TTFT, the way of the request to
//! the server and of the first token back; of a gap, how much longer or shorter it was on arrival. It holds both
//! processes' wake-ups and the loopback interface, so it bounds what the client itself adds. Percentiles are of the
//! absolute error, nearest rank, over every single time; the signed mean tells a bias.

use serde::Serialize;

use crate::error::Spread;

/// Most streams at which the bounds hold, on two cores that the server shares.
pub const BOUND_STREAMS: u32 = 256;
/// Largest median of the absolute error, in milliseconds.
pub const BOUND_P50: f64 = 0.1;
/// Largest 99th percentile of the absolute error, in milliseconds.
pub const BOUND_P99: f64 = 1.0;
/// Most memory of client and server together in the soak, in bytes.
pub const BOUND_SOAK: u64 = 64 << 20;

/// A whole self-test: what `--json FILE` writes. Times in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct SelfTest {
    pub tool_version: String,
    pub cores: usize,
    /// The machine's load over the last minute, before the test; `None` where there is no `/proc/loadavg`.
    pub load_before: Option<f64>,
    pub timing: StatedTiming,
    pub tokens: u32,
    pub levels: Vec<LevelErrors>,
}

/// What the server was told to do.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StatedTiming {
    pub ttft_ms: f64,
    pub gap_ms: f64,
    pub spread_ms: f64,
    pub seed: u64,
}

/// The client's error at one number of streams.
#[derive(Clone, Debug, Serialize)]
pub struct LevelErrors {
    pub streams: u32,
    /// Requests whose times were compared.
    pub compared: u64,
    /// Measured requests that failed, or that the server knows with another number of tokens or not at all.
    pub failed: u64,
    pub output_tokens: u64,
    pub ttft: Option<Spread>,
    pub itl: Option<Spread>,
    /// CPU time of the client per 1,000 tokens, user and system, everything that it does included.
    pub cpu_ms_per_1000_tokens: f64,
    /// The server's, for comparison.
    pub server_cpu_ms_per_1000_tokens: Option<f64>,
    /// Largest resident memory of the client so far, in bytes; what this test itself keeps of each token included.
    pub peak_memory: u64,
    /// By how much the server's own timer was late, 99th percentile. It is in no error.
    pub server_late_p99: Option<f64>,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Within,
    Beyond,
    /// More streams than the bounds are for.
    NoBound,
}

impl LevelErrors {
    /// Every request has to be there for the level to be within the bounds.
    pub fn judge(&self) -> Verdict {
        let within = |spread: &Spread| spread.p50 <= BOUND_P50 && spread.p99 <= BOUND_P99;
        let complete = self.failed == 0 && self.compared > 0;
        if !complete {
            Verdict::Beyond
        } else if self.streams > BOUND_STREAMS {
            Verdict::NoBound
        } else if self.ttft.iter().chain(&self.itl).all(within) {
            Verdict::Within
        } else {
            Verdict::Beyond
        }
    }
}

impl SelfTest {
    pub fn passed(&self) -> bool {
        self.levels.iter().all(|level| level.verdict != Verdict::Beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::render;

    fn level(streams: u32, p50: f64, p99: f64) -> LevelErrors {
        let spread = |p50, p99| Spread {
            count: 9,
            p50,
            p99,
            max: 9.0,
            mean: 0.0,
        };
        LevelErrors {
            streams,
            compared: 9,
            failed: 0,
            output_tokens: 90,
            ttft: Some(spread(0.1, 1.0)),
            itl: Some(spread(p50, p99)),
            cpu_ms_per_1000_tokens: 12.5,
            server_cpu_ms_per_1000_tokens: None,
            peak_memory: 12 << 20,
            server_late_p99: None,
            verdict: Verdict::NoBound,
        }
    }

    #[test]
    fn the_bounds_are_for_256_streams_and_complete_levels() {
        assert_eq!(level(256, 0.1, 1.0).judge(), Verdict::Within);
        assert_eq!(level(256, 0.101, 0.5).judge(), Verdict::Beyond);
        assert_eq!(level(1, 0.05, 1.001).judge(), Verdict::Beyond);
        assert_eq!(level(1000, 3.0, 9.0).judge(), Verdict::NoBound);
        let one_lost = LevelErrors {
            failed: 1,
            ..level(1000, 0.05, 0.5)
        };
        assert_eq!(one_lost.judge(), Verdict::Beyond);
        let nothing = LevelErrors {
            compared: 0,
            ..level(1, 0.05, 0.5)
        };
        assert_eq!(nothing.judge(), Verdict::Beyond);
    }

    #[test]
    fn the_table_has_every_figure_and_marks_what_is_beyond() {
        let mut levels = vec![level(1, 0.0312, 0.4), level(256, 0.2, 1.5), level(1000, 0.9, 4.0)];
        levels[0].itl = None;
        for level in &mut levels {
            level.verdict = level.judge();
        }
        let test = SelfTest {
            tool_version: "0".to_owned(),
            cores: 2,
            load_before: Some(0.25),
            timing: StatedTiming {
                ttft_ms: 50.0,
                gap_ms: 10.0,
                spread_ms: 5.0,
                seed: 0,
            },
            tokens: 64,
            levels,
        };
        assert!(!test.passed());
        insta::assert_snapshot!(render(&test));
    }
}
