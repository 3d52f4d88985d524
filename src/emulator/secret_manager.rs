//! Secret Manager.

use super::{Call, Reply, Shared};

/// What the service holds.
#[derive(Default)]
pub struct Secrets {}

impl Secrets {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }

    pub fn seeded() -> Self {
        Self::default()
    }

    /// Value of an enabled version, by the secret's short name; `latest` works.
    pub fn value(&self, _secret: &str, _version: &str) -> Option<Vec<u8>> {
        None
    }
}
