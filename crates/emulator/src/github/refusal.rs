//! Refusals in GitHub's form.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// Why a request is refused.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    message: String,
    errors: Vec<Value>,
    docs: String,
}

impl Refusal {
    pub fn new(status: StatusCode, message: &str, docs: &str) -> Self {
        Self {
            status,
            message: message.to_owned(),
            errors: Vec::new(),
            docs: docs.to_owned(),
        }
    }

    pub fn not_found(docs: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found", docs)
    }

    /// 422 for a body or query that the description doesn't allow.
    pub fn invalid(problem: &str, docs: &str) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            &format!("Invalid request.\n\n{problem}"),
            docs,
        )
    }

    /// 422 for a value that breaks a rule beyond the description.
    pub fn validation(resource: &str, field: &str, problem: &str, docs: &str) -> Self {
        let mut refusal = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed", docs);
        refusal.errors.push(json!({
            "resource": resource, "code": "unprocessable", "field": field, "message": problem,
        }));
        refusal
    }

    pub fn with_error(mut self, error: Value) -> Self {
        self.errors.push(error);
        self
    }

    pub fn parts(self) -> (StatusCode, Value) {
        let mut body = json!({ "message": self.message });
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors);
        }
        body["documentation_url"] = Value::String(self.docs);
        body["status"] = Value::String(self.status.as_u16().to_string());
        (self.status, body)
    }
}
