//! What the requests ask: fixed prompts, synthetic text of a given length, or a dataset.
//!
//! Everything that takes time is done before the measurement; a prompt is then put together from pieces.

mod count;
mod dataset;
mod prefix;
mod synthetic;
#[cfg(test)]
mod tests;
#[cfg_attr(not(feature = "tokenizers"), path = "no_tokenizer.rs")]
mod tokenizer;
mod words;

use std::time::Duration;

use super::{Options, result::InputShape};
use crate::{
    config::{
        Latency,
        latency::{Input, PrefixCache},
    },
    endpoint::{Endpoint, Message},
};
use count::Counter;
use prefix::Prefix;
use synthetic::Synthetic;

/// Longest that counting tokens beforehand may take.
const PREPARE: Duration = Duration::from_secs(180);

/// The prompts of a run. The same number gives the same prompt, given the same seed.
pub struct Prompts {
    entries: Vec<Entry>,
    prefix: Option<Prefix>,
    /// Between the unique beginning and what follows.
    gap: &'static str,
    /// Of every prompt, when it is known for certain.
    input_tokens: Option<u64>,
    /// Where the entry doesn't say.
    output_tokens: u32,
    shape: InputShape,
    notes: Vec<String>,
}

/// What one request asks, but for its beginning.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    messages: Vec<Message>,
    output_tokens: Option<u32>,
}

/// Fewer distinct beginnings than this may run out within a measurement.
const MANY: u64 = 1_000_000;

/// One request's.
#[derive(Clone, Debug)]
pub struct Prompt {
    pub messages: Vec<Message>,
    /// As counted beforehand, when somebody could.
    pub input_tokens: Option<u64>,
    pub output_tokens: u32,
}

impl Prompts {
    /// Reads the dataset, or finds out how to make text of the wanted length. `latency.timeout` is for each question to
    /// the server.
    ///
    /// # Errors
    /// For the user: the dataset or the tokenizer can't be read, or the length can't be had.
    pub async fn prepare(
        endpoint: &Endpoint,
        model: &str,
        latency: &Latency,
        options: &Options,
        seed: u64,
    ) -> Result<Self, String> {
        let (tokenizer, timeout) = (options.tokenizer.as_ref(), latency.timeout);
        let (kind, gap) = match &latency.input {
            Input::Prompts(_) => ("prompts", "\n\n"),
            Input::Synthetic { .. } => ("synthetic", " "),
            Input::Dataset(_) => ("dataset", "\n\n"),
        };
        let mut prompts = Self {
            entries: Vec::new(),
            prefix: (latency.prefix_cache == PrefixCache::Bust).then(|| Prefix::common(seed)),
            gap,
            input_tokens: None,
            output_tokens: latency.max_tokens,
            shape: InputShape {
                kind: kind.to_owned(),
                counted_by: "none".to_owned(),
                output_tokens: Some(latency.max_tokens),
                prefix_cache: latency.prefix_cache,
                ..InputShape::default()
            },
            notes: Vec::new(),
        };
        match &latency.input {
            Input::Prompts(texts) => prompts.entries = texts.iter().map(Entry::of).collect(),
            Input::Synthetic { input_tokens } => {
                let wanted = *input_tokens;
                check_context(endpoint, model, wanted, latency.max_tokens, timeout).await?;
                let mut counter = Counter::find(endpoint, model, tokenizer, timeout).await?;
                let bust = prompts.prefix.is_some();
                let made = in_time(endpoint, synthetic::make(&mut counter, wanted, bust, seed)).await?;
                prompts.take(made, wanted, counter.name());
            }
            Input::Dataset(path) => {
                let mut sample = dataset::read(path.clone(), options.files.clone(), seed).await?;
                if sample.has_answers() {
                    let counter = Counter::find(endpoint, model, tokenizer, timeout).await?;
                    in_time(endpoint, sample.count_answers(&counter)).await?;
                }
                prompts.notes.append(&mut sample.notes);
                prompts.entries = sample.into_entries();
                prompts.shape.output_tokens = prompts.common_length();
            }
        }
        if prompts.entries.is_empty() {
            return Err("there is no prompt to send: give at least one".to_owned());
        }
        prompts.note_prefix(latency.seed);
        Ok(prompts)
    }

    /// The prompt of request `number`.
    pub fn get(&self, number: u64) -> Prompt {
        let index = number % self.entries.len().max(1) as u64;
        let entry = self.entries.get(index as usize);
        let mut messages = entry.map(|entry| entry.messages.clone()).unwrap_or_default();
        if let (Some(prefix), Some(first)) = (&self.prefix, messages.first_mut()) {
            let mut text = String::with_capacity(first.content.len() + 64);
            prefix.write(number, &mut text);
            if !first.content.is_empty() {
                text.push_str(self.gap);
                text.push_str(&first.content);
            }
            first.content = text;
        }
        let wanted = entry.and_then(|entry| entry.output_tokens);
        Prompt {
            messages,
            input_tokens: self.input_tokens,
            output_tokens: wanted.unwrap_or(self.output_tokens),
        }
    }

    /// How the prompts were made. Whether the server takes a fixed length is not known here.
    pub fn shape(&self) -> InputShape {
        self.shape.clone()
    }

    /// What must be known about the prompts, as plain sentences.
    pub fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn take(&mut self, made: Synthetic, wanted: u32, counted_by: &str) {
        self.shape.counted_by = counted_by.to_owned();
        self.shape.input_tokens = Some(wanted);
        let is_certain = made.spread == 0 && (counted_by == "server" || made.offset.is_some());
        self.input_tokens = (is_certain && counted_by != "estimate").then_some(u64::from(wanted));
        let how = match (counted_by, made.offset) {
            ("server", None | Some(0)) => {
                "as the server's /tokenize counts them, chat template included".to_owned()
            }
            ("server", Some(offset)) => format!(
                "chat template included: the server's usage differs from its /tokenize by {offset:+} tokens, and \
                 usage is what was gone by"
            ),
            ("tokenizer", Some(_)) => {
                "by the given tokenizer, with the chat template's share taken from the \
                                       server's usage"
                    .to_owned()
            }
            ("tokenizer", None) => {
                "of text by the given tokenizer; the chat template's tokens come on top, since \
                                    the server told no usage"
                    .to_owned()
            }
            (_, Some(_)) => "by estimate: one token a word, set right once by the server's usage".to_owned(),
            (_, None) => "by estimate: one token a word, and the chat template comes on top".to_owned(),
        };
        self.notes
            .push(format!("prompts have {wanted} input tokens {how}"));
        if made.spread > 0 {
            self.notes.push(format!(
                "the prompts' length varies by ±{} tokens, for this tokenizer doesn't add up word by word",
                made.spread
            ));
        }
        self.notes.push(format!(
            "the prompts are {} different texts in turn, made beforehand",
            made.bodies.len()
        ));
        self.entries = made.bodies.iter().map(Entry::of).collect();
        self.prefix = made.prefix;
    }

    fn common_length(&self) -> Option<u32> {
        let mut lengths = self
            .entries
            .iter()
            .map(|e| e.output_tokens.unwrap_or(self.output_tokens));
        let first = lengths.next()?;
        lengths.all(|length| length == first).then_some(first)
    }

    /// `seed` is the one that was asked for, not drawn.
    fn note_prefix(&mut self, seed: Option<u64>) {
        let note = match &self.prefix {
            Some(prefix) if prefix.distinct() < MANY => format!(
                "only {} prompts begin unlike each other: the server's prefix cache may have helped the others",
                prefix.distinct()
            ),
            Some(_) => {
                "no prompt begins like another, so that the server's prefix cache doesn't help".to_owned()
            }
            None => {
                "prompts are sent as they are: the server's prefix cache may have seen them before".to_owned()
            }
        };
        self.notes.push(note);
        if let (Some(_), Some(seed)) = (&self.prefix, seed) {
            self.notes.push(format!(
                "an earlier run with seed {seed} sent the same prompts: if there was one, the server's prefix cache may \
                 still hold them"
            ));
        }
    }
}

impl Entry {
    fn of(text: impl Into<String>) -> Self {
        Self {
            messages: vec![Message::user(text)],
            output_tokens: None,
        }
    }
}

async fn in_time<T>(endpoint: &Endpoint, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let limit = endpoint.tempo().of(PREPARE);
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(format!(
            "the prompts were not ready after {} s, for counting tokens takes the server too long: try again, or give \
             prompts whose length need not be known",
            PREPARE.as_secs()
        ))
    })
}

/// # Errors
/// When the model's context can't hold so many tokens. Nothing is said when the server doesn't tell its length.
async fn check_context(
    endpoint: &Endpoint,
    model: &str,
    input: u32,
    output: u32,
    timeout: Duration,
) -> Result<(), String> {
    if input > synthetic::MOST_TOKENS {
        return Err(format!(
            "prompts of {input} input tokens can't be made: {} is the most",
            synthetic::MOST_TOKENS
        ));
    }
    // A server that doesn't answer this is found out by what is asked of it next.
    let models = endpoint.models(timeout).await.ok();
    let served = models.and_then(|models| models.data.into_iter().find(|served| served.id == model));
    let needed = u64::from(input) + u64::from(output);
    match served.and_then(|served| served.max_model_len) {
        Some(most) if needed > most => Err(format!(
            "{input} input tokens and {output} output tokens are {needed}, but the model's context holds {most} \
             (max_model_len): ask for fewer, or serve the model with a longer context"
        )),
        _ => Ok(()),
    }
}
