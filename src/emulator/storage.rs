//! Cloud Storage.

use super::{Call, Reply, Shared};

/// What the service holds.
#[derive(Default)]
pub struct Storage {}

impl Storage {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }

    /// The whole object, as it is now.
    pub fn get(&self, _bucket: &str, _object: &str) -> Option<bytes::Bytes> {
        None
    }

    /// Adds to the end of an object, which is created when absent; false when the bucket isn't there.
    pub fn append(&self, _bucket: &str, _object: &str, _data: &[u8]) -> bool {
        false
    }

    pub fn bucket_exists(&self, _bucket: &str) -> bool {
        false
    }
}
