//! Artifact Registry.

use super::{Call, Reply, Shared};

/// What the service holds.
#[derive(Default)]
pub struct Registry {}

impl Registry {
    pub async fn handle(_emulator: &Shared, call: &Call) -> Reply {
        Reply::not_implemented(call)
    }

    /// What a `docker push` does: stores an image under a tag.
    ///
    /// # Errors
    /// The registry's words when there is no such repository.
    pub fn push(
        &self,
        _location: &str,
        _repository: &str,
        _package: &str,
        _tag: &str,
        _digest: &str,
        _bytes: u64,
    ) -> Result<(), String> {
        Ok(())
    }

    /// Whether `host/project/repository/package@sha256:…` (or `:tag`) is there.
    pub fn has(&self, _image: &str) -> bool {
        false
    }
}
