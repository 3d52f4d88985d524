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

/// Longest context, in tokens, that a catalogued model's config.json allows (`max_position_embeddings`).
pub fn context_length(id: &str) -> Option<usize> {
    match id {
        "Qwen/Qwen3-0.6B" | "Qwen/Qwen3-8B" | "Qwen/Qwen3-32B" => Some(40_960),
        "Qwen/Qwen3.5-4B" => Some(262_144),
        "google/gemma-3-4b-it" | "meta-llama/Llama-3.1-8B-Instruct" => Some(131_072),
        _ => None,
    }
}
