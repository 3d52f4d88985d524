//! A streamed chat completion as events with the time at which their bytes arrived.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    answer::Chunk,
    call::Call,
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

/// An event, and when the bytes that completed it came, before any parsing: of a [`ChatStream`] when the read returned,
/// of a lane when the thread was woken for it (see [`super::lane`]).
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
        if data.trim_ascii() == b"[DONE]" {
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

/// The events of one answer out of its bytes, within limits.
pub struct Events {
    request: String,
    parser: Parser,
    bytes: usize,
}

impl Events {
    pub fn new(request: String) -> Self {
        Self {
            request,
            parser: Parser::default(),
            bytes: 0,
        }
    }

    /// # Errors
    /// When the answer gets too long.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes += bytes.len();
        if self.bytes > MAX_STREAM {
            return Err(self.too_large(MAX_STREAM));
        }
        let fed = self.parser.feed(bytes);
        fed.map_err(|malformed| self.error(malformed))
    }

    /// The next complete event.
    pub fn next_event(&mut self) -> Option<Result<Event, Error>> {
        let event = self.parser.next_event()?;
        Some(event.map_err(|malformed| self.error(malformed)))
    }

    /// Whether `[DONE]` came.
    pub fn is_done(&self) -> bool {
        self.parser.is_done()
    }

    /// The bytes ended before `[DONE]`.
    pub fn cut_short(&self) -> Error {
        Error::CutShort {
            request: self.request.clone(),
        }
    }

    /// The connection failed under the answer.
    pub fn broken(&self, reason: String) -> Error {
        Error::Broken {
            request: self.request.clone(),
            reason,
        }
    }

    fn too_large(&self, limit: usize) -> Error {
        Error::TooLarge {
            request: self.request.clone(),
            limit,
        }
    }

    fn error(&self, malformed: Malformed) -> Error {
        let request = self.request.clone();
        match malformed {
            Malformed::TooLong => self.too_large(super::sse::MAX_LINE),
            Malformed::NotAChunk { reason, start } => Error::Unexpected {
                request,
                reason,
                start,
            },
            Malformed::ServerError(message) => Error::InStream { request, message },
        }
    }
}

/// A streamed answer under way.
pub struct ChatStream {
    pub(super) response: reqwest::Response,
    pub(super) sent: Instant,
    pub(super) call: Call,
    pub(super) events: Events,
    pub(super) read_at: Instant,
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
        while !self.ended {
            match self.events.next_event() {
                Some(Ok(event)) => {
                    return Some(Ok(Arrived {
                        at: self.read_at,
                        event,
                    }));
                }
                Some(Err(error)) => return self.fail(error),
                None if self.events.is_done() => self.drain().await,
                None => {
                    if let Err(error) = self.read().await {
                        return self.fail(error);
                    }
                }
            }
        }
        None
    }

    fn fail(&mut self, error: Error) -> Option<Result<Arrived, Error>> {
        self.ended = true;
        Some(Err(error))
    }

    async fn read(&mut self) -> Result<(), Error> {
        let read = tokio::time::timeout_at(self.call.deadline, self.response.chunk()).await;
        self.read_at = Instant::now();
        match read {
            Ok(Ok(Some(bytes))) => self.events.feed(&bytes),
            Ok(Ok(None)) => Err(self.events.cut_short()),
            Ok(Err(e)) => Err(self.events.broken(error::reason(e))),
            Err(_) => Err(self.call.timed_out("no complete answer")),
        }
    }

    /// Reads what is left, at most for [`DRAIN`]: only a body that was read to its end gives its connection
    /// back to the pool.
    async fn drain(&mut self) {
        self.ended = true;
        let rest = async { while matches!(self.response.chunk().await, Ok(Some(_))) {} };
        let _ = tokio::time::timeout(DRAIN, rest).await;
    }
}
