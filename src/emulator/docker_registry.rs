//! The Docker registry API of Artifact Registry.

use super::{Call, Reply, Shared};

pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
    Reply::not_implemented(call)
}
