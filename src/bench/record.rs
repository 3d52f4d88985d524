//! What became of one request, for whoever wants each of them.

use serde::{Deserialize, Serialize};

/// One request: a line of `bench --raw FILE`. Times in milliseconds; offsets in seconds from the level's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Index of the level in the result.
    pub level: usize,
    /// Number of the request, unique in the run; its `X-Request-Id` ends in it.
    pub number: u64,
    /// Whether it is in the figures: neither warm-up nor ramp-up.
    pub measured: bool,
    /// Open loop: when it was due.
    pub due_at: Option<f64>,
    /// When it was handed to its connection.
    pub sent_at: f64,
    /// From when it was due (open loop) or sent (closed loop).
    pub ttft_ms: Option<f64>,
    pub e2e_ms: Option<f64>,
    /// Between one chunk with text and the next.
    pub gaps_ms: Vec<f64>,
    pub input_tokens: Option<u64>,
    pub output_tokens: u64,
    pub chunks: u64,
    /// Whether it met every time objective; `None` without objectives.
    pub good: Option<bool>,
    pub error_kind: Option<String>,
    /// Hostile text.
    pub error: Option<String>,
}
