//! Cloud Build: to come.

use crate::emulator::{Call, Reply, Shared};

/// What the service holds.
#[derive(Default)]
pub struct Builds {}

impl Builds {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }
}
