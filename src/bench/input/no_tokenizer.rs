//! What takes the place of [`super::tokenizer`] in a build without the feature `tokenizers`.

use std::path::Path;

/// No value of this type exists.
pub enum Tokenizer {}

impl Tokenizer {
    /// Refuses.
    ///
    /// # Errors
    /// Always, for the user.
    pub fn load(path: &Path) -> Result<Self, String> {
        Err(format!(
            "could not use the tokenizer {}: this build of llm-deploy has no tokenizers, and the server does not count \
             tokens itself. In llm-deploy's sources, `cargo install --locked --path .` builds it with them",
            path.display()
        ))
    }

    pub fn count(&self, _text: &str) -> Option<usize> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_tokenizers_says_how_to_get_one_with_them() {
        let Err(why) = Tokenizer::load(Path::new("tokenizer.json")) else {
            panic!("there is no tokenizer")
        };
        assert!(
            why.contains("tokenizer.json") && why.contains("cargo install"),
            "{why}"
        );
    }
}
