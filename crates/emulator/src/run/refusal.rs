//! A refused request, in Google's form.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Reply;

/// Why a request is refused; becomes Google's error body.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: StatusCode,
    /// Name of the `google.rpc.Code`, such as `NOT_FOUND`.
    pub status: &'static str,
    pub message: String,
    pub details: Vec<Value>,
}

/// A field that breaks a rule, with Google's name of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub field: String,
    pub description: String,
}

impl Violation {
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
        }
    }
}

impl Refusal {
    fn of(code: StatusCode, status: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            status,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// 400 with a `BadRequest` detail per violation; the message is the first one.
    pub fn violations(violations: &[Violation]) -> Self {
        let message = violations.first().map_or_else(String::new, |v| {
            if v.field.is_empty() {
                v.description.clone()
            } else {
                format!("{}: {}", v.field, v.description)
            }
        });
        let fields: Vec<Value> = violations
            .iter()
            .map(|v| json!({"field": v.field, "description": v.description}))
            .collect();
        let mut refusal = Self::invalid(message);
        refusal.details =
            vec![json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields})];
        refusal
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
    }

    pub fn precondition(message: impl Into<String>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "FAILED_PRECONDITION", message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::of(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::of(StatusCode::CONFLICT, "ALREADY_EXISTS", message)
    }

    pub fn aborted(message: impl Into<String>) -> Self {
        Self::of(StatusCode::CONFLICT, "ABORTED", message)
    }

    pub fn denied(message: impl Into<String>) -> Self {
        Self::of(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message)
    }

    pub fn reply(self) -> Reply {
        Reply::google_error(self.code, self.status, &self.message, self.details)
    }
}
