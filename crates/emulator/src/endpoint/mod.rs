//! The built-in OpenAI-compatible server: it answers as vLLM 0.32 does, without a model.
//!
//! Statuses, headers, error bodies, key order and event sequences follow recorded answers of the real server
//! (`tests/fixtures/vllm`). The text is stand-in text and says so; what is real is everything around it:
//! validation, token accounting, stop rules, queueing behind `--max-num-seqs`, the stated pace, and metrics of
//! the requests served.
//!
//! Knowingly missing: `/v1/responses`, `/v1/messages`, `/openapi.json`, `/docs`, CORS preflights, LoRA routes
//! (all 404), tool calls even with a parser, images, beam search, `logprobs` on `/v1/completions` (refused),
//! regular expressions that aren't plain text and grammars in `structured_outputs` (refused), uvicorn's body
//! on a request line or header that is no HTTP (hyper answers 400 with an empty one).

mod answer;
mod chat;
mod command_line;
mod completions;
mod errors;
pub mod flag_names;
mod flags;
mod generate;
mod instance;
mod metrics;
mod pace;
mod request;
mod sampling;
mod server;
mod text;
mod tokenizer;
mod tokens_api;

#[cfg(test)]
mod replay;

use std::{collections::BTreeMap, fmt};

use tokio_util::sync::CancellationToken;

use crate::Speed;

/// What a revision's container would have been given.
#[derive(Clone, Debug, Default)]
pub struct StandIn {
    pub speed: Speed,
    /// How long it pretends to load a model, and to get ready after that.
    pub start: Start,
    /// The container's arguments: `vllm serve`'s flags, with or without the leading words and the model.
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
}

/// Pretended times of a start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    pub load: std::time::Duration,
    pub init: std::time::Duration,
}

/// The server would not start with these arguments; the log has the reason in vLLM's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the process would have exited with: 2 for a command line that argparse refuses, else 1.
    pub exit_code: i32,
    /// The last line of the reason.
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

/// Answers requests until `stop` is cancelled; streams under way are cut then.
///
/// # Errors
/// When vLLM would refuse `stand_in.args`, at once, or the listener fails.
pub async fn serve(
    stand_in: StandIn,
    listener: tokio::net::TcpListener,
    log: impl Fn(String) + Send + Sync + 'static,
    stop: CancellationToken,
) -> Result<(), Refused> {
    server::serve(stand_in, listener, std::sync::Arc::new(log), stop).await
}
