//! What the pull request's comment keeps of earlier runs, in a hidden line of its own.

use super::record::Record;

/// Earlier results of one pull request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Newest first; one for each model and commit.
    pub records: Vec<Record>,
    /// The last good result of each model, which may be older than all of [`Self::records`].
    pub last_good: Vec<Record>,
}

impl Memory {
    /// What a comment's body keeps. Nothing when it has no such line, or one that somebody spoilt.
    pub fn read(_body: &str) -> Self {
        Self::default()
    }
}
