//! Hugging Face: to come.

use super::{Call, Reply, Shared};

/// What the hub holds.
#[derive(Default)]
pub struct Hub {}

/// A model repository.
#[derive(Clone, Debug)]
pub struct Model {
    pub id: String,
    /// 40 hexadecimal digits.
    pub commit: String,
    pub gated: bool,
    /// Path and bytes.
    pub files: Vec<(String, u64)>,
}

impl Hub {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }

    pub fn model(&self, _id: &str) -> Option<Model> {
        None
    }
}
