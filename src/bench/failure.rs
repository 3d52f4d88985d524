//! Why a request gave no figures: its kind, in words that stay, and what happened.

use crate::endpoint::{Error, error::shorten};

/// What is wrong with an answer that came to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("the stream ended without `data: [DONE]`")]
    CutShort,
    #[error("the stream ended without any text")]
    NoText,
    #[error("the stream ended without a finish_reason")]
    Unfinished,
    #[error("the server ended the answer early: finish_reason {0}")]
    Aborted(String),
}

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of a fixed set of snake_case words.
    pub kind: &'static str,
    /// Hostile text, shortened.
    pub message: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let kind = match error {
            Error::BadUrl(_) | Error::Client(_) => "client",
            Error::Credentials { .. } => "credentials",
            Error::Unreachable { .. } => "unreachable",
            Error::Timeout { .. } => "timeout",
            Error::Refused { .. } => "refused",
            Error::Broken { .. } => "broken",
            Error::TooLarge { .. } => "too_large",
            Error::Unexpected { .. } => "malformed",
            Error::InStream { .. } => "error_in_stream",
            Error::CutShort { .. } => "cut_short",
        };
        Self {
            kind,
            message: shorten(&error.to_string(), 400),
        }
    }
}

impl From<&Unusable> for Failure {
    fn from(unusable: &Unusable) -> Self {
        let kind = match unusable {
            Unusable::CutShort => "cut_short",
            Unusable::NoText => "no_text",
            Unusable::Unfinished => "unfinished",
            Unusable::Aborted(_) => "aborted",
        };
        Self {
            kind,
            message: format!("POST /v1/chat/completions: {unusable}"),
        }
    }
}
