//! What comes back: model list, completion, stream chunk. Unknown fields are ignored, absent ones tolerated.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// `GET /v1/models`.
#[derive(Debug, Deserialize)]
pub struct Models {
    pub data: Vec<Served>,
}

/// A model that the server serves.
#[derive(Debug, Deserialize)]
pub struct Served {
    pub id: String,
    /// vLLM's: context length in tokens.
    pub max_model_len: Option<u64>,
}

/// Tokens as the server counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Usage {
    #[serde(default, deserialize_with = "count")]
    pub prompt_tokens: u64,
    #[serde(default, deserialize_with = "count")]
    pub completion_tokens: u64,
}

/// What is no count (null, a negative number, a fraction) is 0, none: it shall not cost the answer.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Value::deserialize(deserializer).map(|value| value.as_u64().unwrap_or(0))
}

/// A chat completion that was not streamed.
#[derive(Debug, Deserialize)]
pub struct Completion {
    #[serde(default)]
    pub choices: Vec<Choice>,
    pub usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
pub struct Choice {
    #[serde(default)]
    pub message: Text,
    pub finish_reason: Option<String>,
}

/// Text of a message or of a delta. vLLM has sent reasoning as `reasoning_content` before and sends it as
/// `reasoning` now; some releases send both with the same text.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Text {
    content: Option<String>,
    reasoning: Option<String>,
    reasoning_content: Option<String>,
}

impl Text {
    pub fn content(&self) -> &str {
        self.content.as_deref().unwrap_or("")
    }

    pub fn reasoning(&self) -> &str {
        let new = self.reasoning.as_deref().filter(|t| !t.is_empty());
        new.or(self.reasoning_content.as_deref()).unwrap_or("")
    }

    /// Whether there is any text of either kind.
    pub fn is_empty(&self) -> bool {
        self.content().is_empty() && self.reasoning().is_empty()
    }
}

/// One event of a streamed chat completion.
#[derive(Clone, Debug, Deserialize)]
pub struct Chunk {
    /// Empty in the usage chunk; one or several otherwise.
    #[serde(default)]
    pub choices: Vec<Delta>,
    /// In the last chunk, or in each with `continuous_usage_stats`.
    pub usage: Option<Usage>,
}

/// What one choice got in a chunk.
#[derive(Clone, Debug, Deserialize)]
pub struct Delta {
    #[serde(default)]
    pub index: u32,
    #[serde(default, rename = "delta")]
    pub text: Text,
    pub finish_reason: Option<String>,
}

impl Chunk {
    /// Whether the first choice got text: the role alone, or a token whose bytes the server holds back until
    /// a character is complete, is none.
    pub fn has_text(&self) -> bool {
        self.choices.iter().any(|c| c.index == 0 && !c.text.is_empty())
    }
}
