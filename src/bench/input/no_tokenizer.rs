//! What takes the place of `tokenizer.rs` in a build without the feature `tokenizers`. tests/action/lean.sh tests it.

use crate::file::open::Named;

/// No value of this type exists.
pub enum Tokenizer {}

impl Tokenizer {
    /// Refuses.
    ///
    /// # Errors
    /// Always, for the user.
    pub fn load(file: &Named) -> Result<Self, String> {
        Err(format!(
            "could not use the tokenizer {}: this build of llm-deploy has no tokenizers, and the server does not count \
             tokens itself. In llm-deploy's sources, `cargo install --locked --path .` builds it with them",
            file.path.display()
        ))
    }

    pub fn count(&self, _text: &str) -> Option<usize> {
        match *self {}
    }
}
