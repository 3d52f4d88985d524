//! IAM: service accounts and workload identity pools.

use super::{Call, Reply, Shared};

/// What the service holds.
#[derive(Default)]
pub struct Iam {}

impl Iam {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }

    pub fn seeded(_project: &str) -> Self {
        Self::default()
    }
}
