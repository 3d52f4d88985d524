//! The model's own tokenizer, for servers that do not count tokens.

use std::io::Read as _;

use crate::{
    endpoint::error::shorten,
    file::open::{self, Named},
};

/// Most bytes of a tokenizer.json; the largest known ones have about 35 MB.
const MAX_TOKENIZER: u64 = 256 << 20;

pub struct Tokenizer(tokenizers::Tokenizer);

impl Tokenizer {
    /// Reads a tokenizer.json, given by its own path or its folder's.
    ///
    /// # Errors
    /// For the user: the file is missing, too large, or no tokenizer.
    pub fn load(Named { path, reach }: &Named) -> Result<Self, String> {
        let path = if path.is_dir() {
            path.join("tokenizer.json")
        } else {
            path.to_owned()
        };
        let failed = |reason: String| {
            format!(
                "the tokenizer {} can't be used: {reason}; give the path of the model's tokenizer.json",
                path.display()
            )
        };
        let file = open::open(&path, reach, MAX_TOKENIZER).map_err(|e| failed(e.to_string()))?;
        let mut bytes = Vec::new();
        file.take(MAX_TOKENIZER)
            .read_to_end(&mut bytes)
            .map_err(|e| failed(e.to_string()))?;
        let mut tokenizer =
            tokenizers::Tokenizer::from_bytes(&bytes).map_err(|e| failed(shorten(&e.to_string(), 200)))?;
        // Both would change the count, and padding is done on a pool of threads.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|e| failed(shorten(&e.to_string(), 200)))?;
        Ok(Self(tokenizer))
    }

    /// Returns the number of tokens in `text`; `None` when the tokenizer cannot encode it.
    pub fn count(&self, text: &str) -> Option<usize> {
        self.0
            .encode_fast(text, false)
            .ok()
            .map(|encoding| encoding.len())
    }
}
