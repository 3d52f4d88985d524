//! One request's deadline, and its answer read with limits.

use std::{future::Future, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Method, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout_at;

use super::error::{self, Error};
use crate::tempo::Tempo;

/// Most bytes of a refusal that are read; what is beyond is ignored.
pub const MAX_ERROR_BODY: usize = 64 << 10;

/// Longest deadline, whatever is asked for: a sum of instants that is too large would panic.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// One request's name for messages, and its deadline.
pub struct Call {
    pub method: Method,
    pub path: &'static str,
    pub name: String,
    pub timeout: Duration,
    pub deadline: tokio::time::Instant,
}

impl Call {
    pub fn new(method: Method, path: &'static str, timeout: Duration, tempo: Tempo) -> Self {
        Self {
            name: format!("{method} /{path}"),
            method,
            path,
            timeout,
            deadline: tokio::time::Instant::now() + tempo.of(timeout.min(LONGEST)),
        }
    }

    pub fn timed_out(&self, seen: &'static str) -> Error {
        Error::Timeout {
            request: self.name.clone(),
            after: self.timeout,
            seen,
        }
    }
}

/// The body up to `limit` bytes; more is an error.
pub async fn read(call: &Call, mut response: Response, limit: usize) -> Result<Bytes, Error> {
    let mut body = BytesMut::new();
    loop {
        match timeout_at(call.deadline, response.chunk()).await {
            Ok(Ok(None)) => return Ok(body.freeze()),
            Ok(Ok(Some(bytes))) if body.len() + bytes.len() <= limit => body.extend_from_slice(&bytes),
            Ok(Ok(Some(_))) => {
                return Err(Error::TooLarge {
                    request: call.name.clone(),
                    limit,
                });
            }
            Ok(Err(e)) => {
                return Err(Error::Broken {
                    request: call.name.clone(),
                    reason: error::reason(e),
                });
            }
            Err(_) => return Err(call.timed_out("no complete answer")),
        }
    }
}

/// The start of a body whose end doesn't matter; whatever came before a failure.
pub async fn head(call: &Call, mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BODY
        && let Ok(Ok(Some(bytes))) = timeout_at(call.deadline, response.chunk()).await
    {
        body.extend_from_slice(&bytes);
    }
    body.truncate(MAX_ERROR_BODY);
    body
}

/// What a status that is no success means. `head` gives the start of the body, which a redirect doesn't need.
pub async fn refusal(
    call: &Call,
    status: StatusCode,
    headers: &HeaderMap,
    head: impl Future<Output = Vec<u8>>,
) -> Error {
    let location = headers.get(LOCATION).and_then(|v| v.to_str().ok());
    let message = match location {
        // The query of a redirect to a login page is nobody's business.
        Some(to) if status.is_redirection() => {
            let to = to.split(['?', '#']).next().unwrap_or("");
            format!(
                "a redirect to {}; redirects are not followed",
                error::shorten(to, 120)
            )
        }
        _ => error::server_message(&head.await),
    };
    Error::Refused {
        request: call.name.clone(),
        status: status.as_u16(),
        message,
    }
}

/// The content type when it is not that of an event stream.
pub fn other_type(headers: &HeaderMap) -> Option<&str> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let content_type = content_type.unwrap_or("");
    let is_stream = content_type.to_ascii_lowercase().starts_with("text/event-stream");
    (!is_stream).then_some(content_type)
}

/// The error of an answer that is compressed, which was not asked for and can't be read.
pub fn compressed(call: &Call, headers: &HeaderMap) -> Option<Error> {
    let encoding = headers.get(CONTENT_ENCODING)?.to_str().unwrap_or("?");
    (!encoding.eq_ignore_ascii_case("identity")).then(|| Error::Unexpected {
        request: call.name.clone(),
        reason: "compressed, which was not asked for".to_owned(),
        start: format!("content-encoding {}", error::shorten(encoding, 80)),
    })
}

/// An answer of another type, whose body starts with `start`.
pub fn no_stream(call: &Call, content_type: &str, start: &[u8]) -> Error {
    Error::Unexpected {
        request: call.name.clone(),
        reason: format!(
            "content type `{}` instead of an event stream",
            error::shorten(content_type, 80)
        ),
        start: error::shorten(&String::from_utf8_lossy(start), error::QUOTE),
    }
}

pub fn decode<T: DeserializeOwned>(call: &Call, body: &Bytes) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|e| Error::Unexpected {
        request: call.name.clone(),
        reason: error::shorten(&e.to_string(), 120),
        start: error::shorten(
            &String::from_utf8_lossy(&body[..body.len().min(2048)]),
            error::QUOTE,
        ),
    })
}
