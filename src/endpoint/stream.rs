//! A streamed chat completion as events with the time at which their bytes arrived.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    answer::Chunk,
    error::{self, Error, shorten},
    sse::Decoder,
};

/// Most bytes of one stream; at 300 bytes a token that is over 200,000 tokens.
pub const MAX_STREAM: usize = 64 << 20;

/// How long the end of the connection is waited for once `[DONE]` is there, so that it can be used again.
const DRAIN: Duration = Duration::from_millis(500);

/// An event of the stream.
#[derive(Clone, Debug)]
pub enum Event {
    Chunk(Chunk),
    /// `data: [DONE]`.
    Done,
}

/// An event, and when the read that completed it returned (before any parsing).
#[derive(Clone, Debug)]
pub struct Arrived {
    pub at: Instant,
    pub event: Event,
}

/// What is wrong with the bytes of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    TooLong,
    /// The event is no JSON object of a chunk.
    NotAChunk {
        reason: String,
        start: String,
    },
    /// The event is the server's error object.
    ServerError(String),
}

/// Turns bytes in any split into events. Pure: knows neither network nor clock.
#[derive(Default)]
pub struct Parser {
    decoder: Decoder,
    pending: VecDeque<Vec<u8>>,
    done: bool,
}

impl Parser {
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.decoder
            .feed(bytes, &mut self.pending)
            .map_err(|_| Malformed::TooLong)
    }

    /// The next complete event. Nothing counts after `[DONE]`.
    pub fn next_event(&mut self) -> Option<Result<Event, Malformed>> {
        if self.done {
            return None;
        }
        let data = self.pending.pop_front()?;
        if data == b"[DONE]" {
            self.done = true;
            return Some(Ok(Event::Done));
        }
        Some(parse(&data).map(Event::Chunk))
    }

    pub fn is_done(&self) -> bool {
        self.done
    }
}

fn parse(data: &[u8]) -> Result<Chunk, Malformed> {
    // Most events are chunks; only one that lacks choices can be an error object.
    let malformed = match serde_json::from_slice::<Chunk>(data) {
        Ok(chunk) if !chunk.choices.is_empty() || chunk.usage.is_some() => return Ok(chunk),
        Ok(_) => "neither choices nor usage".to_owned(),
        Err(error) => error.to_string(),
    };
    let value = serde_json::from_slice::<Value>(data).ok();
    if let Some(message) = value.as_ref().and_then(error::json_message) {
        return Err(Malformed::ServerError(shorten(&message, error::QUOTE)));
    }
    match value {
        // Some servers send a first event with empty choices (content filters); it says nothing.
        Some(Value::Object(object)) if object.get("choices").is_some_and(Value::is_array) => Ok(Chunk {
            choices: Vec::new(),
            usage: None,
        }),
        _ => Err(Malformed::NotAChunk {
            reason: malformed,
            start: shorten(&String::from_utf8_lossy(data), error::QUOTE),
        }),
    }
}

/// A streamed answer under way.
pub struct ChatStream {
    pub(super) request: String,
    pub(super) response: reqwest::Response,
    pub(super) sent: Instant,
    pub(super) timeout: Duration,
    pub(super) deadline: tokio::time::Instant,
    pub(super) parser: Parser,
    pub(super) read_at: Instant,
    pub(super) bytes: usize,
    pub(super) ended: bool,
}

impl ChatStream {
    /// When the request was handed to the connection; credentials were at hand by then.
    pub fn sent(&self) -> Instant {
        self.sent
    }

    /// The next event; `None` after `[DONE]`. An error is the last thing that is returned. An end without
    /// `[DONE]` is [`Error::CutShort`].
    pub async fn next(&mut self) -> Option<Result<Arrived, Error>> {
        loop {
            match self.parser.next_event() {
                Some(Ok(event)) => {
                    return Some(Ok(Arrived {
                        at: self.read_at,
                        event,
                    }));
                }
                Some(Err(malformed)) => return self.fail(malformed),
                None if self.ended => return None,
                None if self.parser.is_done() => {
                    self.drain().await;
                    return None;
                }
                None => {}
            }
            if let Err(error) = self.read().await {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let request = self.request.clone();
        let read = tokio::time::timeout_at(self.deadline, self.response.chunk()).await;
        self.read_at = Instant::now();
        let bytes = match read {
            Ok(Ok(Some(bytes))) => bytes,
            Ok(Ok(None)) => return Err(Error::CutShort { request }),
            Ok(Err(e)) => {
                let reason = error::reason(e);
                return Err(Error::Broken { request, reason });
            }
            Err(_) => {
                let (after, seen) = (self.timeout, "no complete answer");
                return Err(Error::Timeout { request, after, seen });
            }
        };
        self.bytes += bytes.len();
        let fits = self.bytes <= MAX_STREAM && self.parser.feed(&bytes).is_ok();
        fits.then_some(()).ok_or(Error::TooLarge {
            request,
            limit: if self.bytes > MAX_STREAM {
                MAX_STREAM
            } else {
                super::sse::MAX_LINE
            },
        })
    }

    fn fail(&mut self, malformed: Malformed) -> Option<Result<Arrived, Error>> {
        self.ended = true;
        let request = self.request.clone();
        self.parser = Parser::default();
        Some(Err(match malformed {
            Malformed::TooLong => Error::TooLarge {
                request,
                limit: super::sse::MAX_LINE,
            },
            Malformed::NotAChunk { reason, start } => Error::Unexpected {
                request,
                reason,
                start,
            },
            Malformed::ServerError(message) => Error::InStream { request, message },
        }))
    }

    /// Reads what is left, at most for [`DRAIN`]: only a body that was read to its end gives its connection
    /// back to the pool.
    async fn drain(&mut self) {
        self.ended = true;
        let rest = async { while matches!(self.response.chunk().await, Ok(Some(_))) {} };
        let _ = tokio::time::timeout(DRAIN, rest).await;
    }
}
