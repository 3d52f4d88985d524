//! Cloud Monitoring.

use super::{Call, Reply, Shared};

/// What the service holds.
#[derive(Default)]
pub struct Metrics {}

impl Metrics {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }
}
