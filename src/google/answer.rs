//! Google's error bodies.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::denied;
use crate::http::{flatten, shorten};

/// Longest message of Google's that is repeated, characters: quota messages are long and their end matters.
pub(super) const MESSAGE: usize = 2000;

/// Google's error body, as far as it was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// 0 for the error of an operation, which has none.
    pub http_status: u16,
    /// `PERMISSION_DENIED`, `INVALID_ARGUMENT` …
    pub status: Option<String>,
    pub message: String,
    /// `field: description` of each field violation.
    pub violations: Vec<String>,
    /// `ErrorInfo.reason`, such as `SERVICE_DISABLED`.
    pub reason: Option<String>,
    pub activation_url: Option<String>,
    /// The permission that the caller lacks, as a detail names it or the message does.
    pub permission: Option<String>,
    /// `ErrorInfo.metadata.resource`: what it is missing on.
    pub resource: Option<String>,
    /// `ErrorInfo.metadata.service`: the API, such as `run.googleapis.com`.
    pub service: Option<String>,
    pub request_id: Option<String>,
}

impl Answer {
    /// Reads the body of an error response; an HTML or plain one survives shortened.
    pub fn parse(http_status: u16, body: &str) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Rpc,
        }
        let value: Option<Value> = serde_json::from_str(body).ok();
        // Some methods wrap the object in a list.
        let value = value.map(|v| match v {
            Value::Array(mut list) if !list.is_empty() => list.swap_remove(0),
            other => other,
        });
        match value.and_then(|v| Body::deserialize(v).ok()) {
            Some(body) => Self::of(http_status, body.error),
            None => Self {
                http_status,
                message: match shorten(body) {
                    text if text.is_empty() => "empty answer".to_owned(),
                    text => text,
                },
                ..Self::default()
            },
        }
    }

    /// The error of a long-running operation: a `google.rpc.Status`.
    pub fn of_operation(error: &Value) -> Self {
        Rpc::deserialize(error).map_or_else(
            |_| Self {
                message: shorten(&error.to_string()),
                ..Self::default()
            },
            |rpc| Self::of(0, rpc),
        )
    }

    fn of(http_status: u16, rpc: Rpc) -> Self {
        let mut answer = Self {
            http_status,
            status: rpc
                .status
                .or_else(|| (http_status == 0).then(|| code_name(rpc.code)).flatten()),
            message: flatten(&rpc.message, MESSAGE),
            permission: denied::permission(&rpc.message),
            ..Self::default()
        };
        for detail in &rpc.details {
            answer.read_detail(detail);
        }
        answer
    }

    fn read_detail(&mut self, detail: &Value) {
        let text = |key: &str| detail.get(key).and_then(Value::as_str).map(shorten);
        match detail.get("@type").and_then(Value::as_str) {
            Some(t) if t.ends_with("google.rpc.ErrorInfo") => {
                self.reason = text("reason");
                let metadata = |key: &str| detail.get("metadata")?.get(key)?.as_str().map(shorten);
                self.activation_url = metadata("activationUrl");
                self.permission = metadata("permission").or_else(|| self.permission.take());
                self.resource = metadata("resource");
                self.service = metadata("service");
            }
            Some(t) if t.ends_with("google.rpc.RequestInfo") => self.request_id = text("requestId"),
            Some(t) if t.ends_with("google.rpc.BadRequest") => {
                let list = detail.get("fieldViolations").and_then(Value::as_array);
                for violation in list.into_iter().flatten() {
                    let part = |key: &str| Some(flatten(violation.get(key)?.as_str()?, MESSAGE));
                    let description = part("description").unwrap_or_default();
                    self.violations.push(match part("field") {
                        Some(field) if !field.is_empty() => format!("{field}: {description}"),
                        _ => description,
                    });
                }
            }
            _ => {}
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for violation in self.violations.iter().filter(|v| !self.message.contains(*v)) {
            write!(f, "; {violation}")?;
        }
        let mut facts = Vec::new();
        if self.http_status != 0 {
            facts.push(format!("HTTP {}", self.http_status));
        }
        facts.extend(self.status.clone());
        facts.extend(self.reason.clone());
        let said = |p: &&String| self.message.to_lowercase().contains(&p.to_lowercase());
        let unsaid = self.permission.as_ref().filter(|p| !said(p));
        facts.extend(unsaid.map(|p| format!("permission {p}")));
        facts.extend(self.request_id.as_ref().map(|id| format!("request {id}")));
        if !facts.is_empty() {
            write!(f, " ({})", facts.join(", "))?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Rpc {
    code: i64,
    status: Option<String>,
    message: String,
    details: Vec<Value>,
}

/// Names of `google.rpc.Code`.
fn code_name(code: i64) -> Option<String> {
    let name = match code {
        1 => "CANCELLED",
        2 => "UNKNOWN",
        3 => "INVALID_ARGUMENT",
        4 => "DEADLINE_EXCEEDED",
        5 => "NOT_FOUND",
        6 => "ALREADY_EXISTS",
        7 => "PERMISSION_DENIED",
        8 => "RESOURCE_EXHAUSTED",
        9 => "FAILED_PRECONDITION",
        10 => "ABORTED",
        11 => "OUT_OF_RANGE",
        12 => "UNIMPLEMENTED",
        13 => "INTERNAL",
        14 => "UNAVAILABLE",
        15 => "DATA_LOSS",
        16 => "UNAUTHENTICATED",
        _ => return None,
    };
    Some(name.to_owned())
}
