//! What each request of a run looks like.

use std::time::Duration;

use crate::{
    bench::input::{Prompt, Prompts},
    endpoint::{
        ChatRequest, Error,
        lane::{Lanes, Outgoing},
    },
};

/// Output tokens of the request that precedes the measurement.
const PROBE_TOKENS: u32 = 4;
/// Numbers of the requests before any level.
const PROBES: [u64; 2] = [0, 1];
/// Each level's numbers begin at a multiple of this: whatever was sent before, request 7 of a level is the same.
const LEVEL: u64 = 1_000_000_000;

pub struct Workload {
    pub lanes: Lanes,
    pub model: String,
    pub prompts: Prompts,
    /// Deadline of each request.
    pub timeout: Duration,
    pub seed: u64,
    /// Whether vLLM's `ignore_eos` and `min_tokens` are sent.
    pub fixed_length: bool,
}

impl Workload {
    /// Number in the run of request `number` of a level (an index from 0).
    pub fn number(level: usize, number: u64) -> u64 {
        (level as u64 + 1) * LEVEL + number
    }

    pub fn outgoing(&self, number: u64, prompt: Prompt) -> Outgoing {
        let tokens = prompt.output_tokens;
        Outgoing {
            request: ChatRequest {
                messages: prompt.messages,
                ignore_eos: self.fixed_length.then_some(true),
                min_tokens: self.fixed_length.then_some(tokens),
                ..ChatRequest::user(&self.model, "", tokens).with_temperature(0.0)
            },
            id: format!("bench-{:016x}-{number}", self.seed),
        }
    }

    /// One request that is not measured: it finds out whether the server takes vLLM's fields for a fixed output
    /// length. A server that refuses them is measured without, and the note that is returned says so.
    pub async fn settle_length(&mut self) -> Option<String> {
        let error = match self.probe(PROBES[0]).await {
            Err(
                error @ Error::Refused {
                    status: 400 | 422, ..
                },
            ) => error,
            _ => return None,
        };
        self.fixed_length = false;
        if self.probe(PROBES[1]).await.is_err() {
            // Refused for another reason, which the measured requests will show.
            self.fixed_length = true;
            return None;
        }
        Some(format!(
            "the server refused `ignore_eos` and `min_tokens` ({error}): measured without, so output lengths may vary"
        ))
    }

    async fn probe(&self, number: u64) -> Result<(), Error> {
        let mut prompt = self.prompts.get(number);
        prompt.output_tokens = prompt.output_tokens.min(PROBE_TOKENS);
        let outgoing = self.outgoing(number, prompt);
        let mut lane = self.lanes.lane();
        lane.stream(&outgoing, self.timeout, |_| ()).await.map(|_| ())
    }
}
