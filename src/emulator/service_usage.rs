//! Service Usage.

use super::{Call, Reply, Shared};

/// What the service holds.
#[derive(Default)]
pub struct Services {}

impl Services {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }
}
