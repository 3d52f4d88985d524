//! What is sent: chat completion requests, with just the fields that are used.

use serde::{Deserialize, Serialize};

/// A chat completion request.
#[derive(Clone, Debug, Serialize)]
pub struct ChatRequest {
    /// Name that the server serves the model under.
    pub model: String,
    pub messages: Vec<Message>,
    pub max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// vLLM's: go on past the end-of-sequence token, so that each answer has `max_tokens` tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_eos: Option<bool>,
    /// vLLM's: no stop before this many tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_tokens: Option<u32>,
    /// Set by [`super::Endpoint::chat_stream`]; leave it unset.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
}

impl Message {
    pub fn user(content: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            content: content.into(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct StreamOptions {
    pub include_usage: bool,
}

impl ChatRequest {
    /// One user message, answered with at most `max_tokens` tokens.
    pub fn user(model: &str, prompt: &str, max_tokens: u32) -> Self {
        Self {
            model: model.to_owned(),
            messages: vec![Message::user(prompt)],
            max_tokens,
            temperature: None,
            ignore_eos: None,
            min_tokens: None,
            stream: false,
            stream_options: None,
        }
    }

    /// Puts a system message first.
    #[must_use]
    pub fn with_system(mut self, system: Option<&str>) -> Self {
        if let Some(system) = system {
            self.messages.insert(
                0,
                Message {
                    role: Role::System,
                    content: system.to_owned(),
                },
            );
        }
        self
    }

    #[must_use]
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// The same request, streamed and with a usage chunk at its end.
    #[must_use]
    pub fn streamed(&self) -> Self {
        Self {
            stream: true,
            stream_options: Some(StreamOptions { include_usage: true }),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_sent() {
        let request = ChatRequest::user("m", "hi", 5);
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5}"#
        );
        let streamed = request
            .with_system(Some("be brief"))
            .with_temperature(0.0)
            .streamed();
        assert_eq!(
            serde_json::to_string(&streamed).unwrap(),
            r#"{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}],"max_tokens":5,"temperature":0.0,"stream":true,"stream_options":{"include_usage":true}}"#
        );
    }
}
