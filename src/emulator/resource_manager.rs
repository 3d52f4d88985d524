//! Resource Manager.

use super::{Call, Reply, Shared};

/// What the service holds.
#[derive(Default)]
pub struct Projects {}

impl Projects {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }
}
