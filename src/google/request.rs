//! A request to one of Google's APIs.

use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::Serialize;

use super::error::Error;
use crate::environment::Api;

/// Timeout of a request that doesn't ask for another.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

/// May a request be sent again after it failed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Reads, and writes that end in the same state however often they are sent.
    Always,
    /// Only when Google certainly did nothing: 429, or no connection was made.
    WhenRefused,
}

/// A request, before it has a host and credentials.
pub(crate) struct Request<'a> {
    pub api: Api,
    pub method: Method,
    /// Below the base URL, every segment already encoded by [`segment`].
    pub path: String,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<(&'a str, Bytes)>,
    /// First and last byte that are asked for.
    pub range: Option<(u64, u64)>,
    /// Infinitive with its resource, for errors: ``create the bucket `b` ``.
    pub what: String,
    pub repeat: Repeat,
    pub timeout: Duration,
    /// The permission that it takes, for refusals that don't say.
    pub needs: Option<&'static str>,
}

impl Request<'_> {
    pub fn new(api: Api, method: Method, path: String, what: String) -> Self {
        let repeat = if method == Method::GET {
            Repeat::Always
        } else {
            Repeat::WhenRefused
        };
        Self {
            api,
            method,
            path,
            query: Vec::new(),
            body: None,
            range: None,
            what,
            repeat,
            timeout: TIMEOUT,
            needs: None,
        }
    }

    pub fn get(api: Api, path: String, what: String) -> Self {
        Self::new(api, Method::GET, path, what)
    }

    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|e| Error::Setup(e.to_string()))?;
        self.body = Some(("application/json", bytes.into()));
        Ok(self)
    }

    /// Names the permission of a service whose refusals don't.
    pub fn needs(mut self, permission: &'static str) -> Self {
        self.needs = Some(permission);
        self
    }

    pub fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Always;
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// What RFC 3986 leaves unreserved stays readable.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// One path segment, percent-encoded, its slashes too.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}
