//! Refusals with vLLM's statuses and bodies.

use serde_json::{Value, json};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: u16,
    kind: &'static str,
    message: String,
    param: Option<String>,
}

impl Problem {
    /// Found by the server's own checks.
    pub fn bad_request(message: impl Into<String>, param: Option<&str>) -> Self {
        Self {
            status: 400,
            kind: "BadRequestError",
            message: message.into(),
            param: param.map(str::to_owned),
        }
    }

    /// A parameter out of its range: `MESSAGE. (parameter=NAME, value=VALUE)`.
    pub fn parameter(message: &str, name: &str, value: &str) -> Self {
        Self::bad_request(format!("{message} (parameter={name}, value={value})"), Some(name))
    }

    /// Found by the schema: one entry in pydantic's form.
    pub fn schema(kind: &str, location: &str, message: &str, input: &str) -> Self {
        Self::validation(
            &format!("{{'type': '{kind}', 'loc': '{location}', 'msg': '{message}', 'input': '{input}'}}"),
            Some(location),
        )
    }

    pub fn validation(detail: &str, param: Option<&str>) -> Self {
        Self {
            status: 400,
            kind: "Bad Request",
            message: format!("1 validation error:\n  {detail}"),
            param: param.map(str::to_owned),
        }
    }

    pub fn unknown_model(model: &str, served: &[String]) -> Self {
        Self {
            status: 404,
            kind: "NotFoundError",
            message: format!(
                "The model `{model}` does not exist. Valid aliases: {}.",
                served.join(", ")
            ),
            param: Some("model".to_owned()),
        }
    }

    pub fn body(&self) -> Value {
        json!({"error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.status,
        }})
    }
}
