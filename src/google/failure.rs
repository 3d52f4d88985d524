//! What went wrong with one sending, and whether it is worth another.

use std::time::Duration;

use reqwest::header::HeaderMap;

use super::{
    answer::Answer,
    error::Error,
    request::{Repeat, Request},
};
use crate::http;

/// Why no answer came.
pub(super) enum Unanswered {
    Refused(Error),
    TooLong,
    Connection(reqwest::Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sending again gives the same.
    Final,
    /// Nothing was done: sending again is safe.
    Refused,
    /// Unknown whether anything was done.
    Ambiguous,
}

/// What one sending came to when it came to nothing.
pub(super) struct Failure {
    pub error: Error,
    pub retry_after: Option<Duration>,
    kind: Kind,
}

impl Failure {
    pub fn answered(request: &Request<'_>, status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut answer = Answer::parse(status, &String::from_utf8_lossy(body));
        let unnamed = status == 403 && answer.permission.is_none() && answer.reason.is_none();
        if let Some(permission) = request.needs.filter(|_| unnamed) {
            answer.permission = Some(permission.to_owned());
        }
        if answer.request_id.is_none() {
            let id = headers
                .get("x-request-id")
                .or_else(|| headers.get("x-guploader-uploadid"));
            answer.request_id = id.and_then(|v| v.to_str().ok()).map(http::shorten);
        }
        Self {
            kind: match status {
                429 => Kind::Refused,
                s if http::is_transient(s) => Kind::Ambiguous,
                _ => Kind::Final,
            },
            retry_after: http::retry_after(headers, chrono::Utc::now()),
            error: Error::Api {
                what: request.what.clone(),
                answer: Box::new(answer),
            },
        }
    }

    /// An answer that breaks off is not the whole one; any other that isn't understood would come again.
    pub fn misread(request: &Request<'_>, host: String, error: &serde_json::Error) -> Self {
        Self {
            error: Error::Decode {
                what: request.what.clone(),
                host,
                reason: error.to_string(),
            },
            retry_after: None,
            kind: if error.is_data() {
                Kind::Final
            } else {
                Kind::Ambiguous
            },
        }
    }

    pub fn unanswered(request: &Request<'_>, host: String, error: Unanswered) -> Self {
        let (sent, reason) = match error {
            Unanswered::Refused(error) => {
                return Self {
                    error,
                    retry_after: None,
                    kind: Kind::Final,
                };
            }
            Unanswered::TooLong => (true, "the answer is too long".to_owned()),
            Unanswered::Connection(error) => (!error.is_connect(), http::explain(error)),
        };
        Self {
            error: Error::Transport {
                what: request.what.clone(),
                host,
                reason,
                ambiguous: sent,
            },
            retry_after: None,
            kind: if sent { Kind::Ambiguous } else { Kind::Refused },
        }
    }

    pub fn may_repeat(&self, repeat: Repeat) -> bool {
        match self.kind {
            Kind::Final => false,
            Kind::Refused => true,
            Kind::Ambiguous => repeat == Repeat::Always,
        }
    }
}
