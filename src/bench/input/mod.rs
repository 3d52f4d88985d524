//! What the requests ask: fixed prompts, synthetic text of a given length, or a dataset.

use std::{path::Path, time::Duration};

use super::result::InputShape;
use crate::{
    config::{Latency, latency::Input},
    endpoint::{Endpoint, Message},
};

/// The prompts of a run. The same number gives the same prompt, given the same seed.
pub struct Prompts {
    prompts: Vec<String>,
    output_tokens: u32,
}

/// One request's.
#[derive(Clone, Debug)]
pub struct Prompt {
    pub messages: Vec<Message>,
    /// As counted beforehand, when somebody could.
    pub input_tokens: Option<u64>,
    pub output_tokens: u32,
}

impl Prompts {
    /// Reads the dataset, or finds out how to make text of the wanted length.
    ///
    /// # Errors
    /// For the user: the dataset or the tokenizer can't be read, or the length can't be had.
    #[allow(clippy::unused_async, reason = "asks the server for token counts")]
    pub async fn prepare(
        endpoint: &Endpoint,
        model: &str,
        latency: &Latency,
        seed: u64,
        tokenizer: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let _ = (endpoint, model, seed, tokenizer, timeout);
        let prompts = match &latency.input {
            Input::Prompts(prompts) => prompts.clone(),
            Input::Synthetic { .. } | Input::Dataset(_) => return Err("not there yet".to_owned()),
        };
        Ok(Self {
            prompts,
            output_tokens: latency.max_tokens,
        })
    }

    /// The prompt of request `number`.
    pub fn get(&self, number: u64) -> Prompt {
        let index = number as usize % self.prompts.len().max(1);
        let text = self.prompts.get(index).map_or("", String::as_str);
        Prompt {
            messages: vec![Message::user(format!("[{number:012x}] {text}"))],
            input_tokens: None,
            output_tokens: self.output_tokens,
        }
    }

    pub fn shape(&self) -> InputShape {
        InputShape::default()
    }

    /// What must be known about the prompts, as plain sentences.
    pub fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}
