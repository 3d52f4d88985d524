//! The JSON of a request: parsed and typed as the real server's schema does.

use serde_json::{Map, Value};

use super::errors::Problem;

/// A request's JSON object.
pub struct Fields(Map<String, Value>);

impl Fields {
    /// # Errors
    /// When the body is not a JSON object sent as `application/json`.
    pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, Problem> {
        let media = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        if !media.trim().eq_ignore_ascii_case("application/json") {
            return Err(Problem::validation(
                "Unsupported Media Type: Only 'application/json' is allowed",
                None,
            ));
        }
        if body.is_empty() {
            return Err(Problem::schema("missing", "body", "Field required", "None"));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(other) => Err(Problem::schema(
                "model_attributes_type",
                "body",
                "Input should be a valid dictionary or object to extract fields from",
                &shown(&other),
            )),
            Err(error) => Err(bad_json(body, &error)),
        }
    }

    /// The field unless it is absent or null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let whole = match value {
            Value::Number(number) => number.as_i64().or_else(|| {
                number
                    .as_f64()
                    .filter(|f| f.fract() == 0.0 && f.abs() < 9e15)
                    .map(|f| f as i64)
            }),
            Value::String(text) => text.trim().parse().ok(),
            Value::Bool(flag) => Some(i64::from(*flag)),
            _ => None,
        };
        whole
            .map(Some)
            .ok_or_else(|| wrong_type("int", "a valid integer", name, value))
    }

    pub fn float(&self, name: &str) -> Result<Option<f64>, Problem> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_f64(),
        };
        number
            .map(Some)
            .ok_or_else(|| wrong_type("float", "a valid number", name, value))
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let flag = match value {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) if number.as_i64() == Some(0) => Some(false),
            Value::Number(number) if number.as_i64() == Some(1) => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        flag.map(Some)
            .ok_or_else(|| wrong_type("bool", "a valid boolean", name, value))
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type("string", "a valid string", name, other)),
        }
    }

    /// The list, whose absence is an error.
    pub fn list(&self, name: &str) -> Result<&[Value], Problem> {
        match self.0.get(name) {
            None => Err(Problem::schema(
                "missing",
                &format!("body.{name}"),
                "Field required",
                &format!("<dict of {} items>", self.count()),
            )),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(wrong_type("list", "a valid list", name, other)),
        }
    }
}

fn wrong_type(kind: &str, wanted: &str, name: &str, value: &Value) -> Problem {
    let (kind, message) = match (kind, value) {
        ("int", Value::Number(_)) => (
            "int_from_float".to_owned(),
            "Input should be a valid integer, got a number with a fractional part".to_owned(),
        ),
        ("int" | "float" | "bool", Value::String(_)) => (
            format!("{kind}_parsing"),
            format!(
                "Input should be {wanted}, unable to parse string as {}",
                wanted_noun(wanted)
            ),
        ),
        _ => (format!("{kind}_type"), format!("Input should be {wanted}")),
    };
    Problem::schema(&kind, &format!("body.{name}"), &message, &shown(value))
}

fn wanted_noun(wanted: &str) -> String {
    let noun = wanted.trim_start_matches("a valid ");
    let article = if noun.starts_with('i') { "an" } else { "a" };
    format!("{article} {noun}")
}

/// A value as vLLM puts it into an error: lists and objects by size, so that no prompt gets into it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.chars().take(100).collect(),
        Value::Array(items) => format!("<list of {} items>", items.len()),
        Value::Object(fields) => format!("<dict of {} items>", fields.len()),
        number => number.to_string(),
    }
}

/// Python's words for the commonest breakages, at the position where Python's parser stops.
fn bad_json(body: &[u8], error: &serde_json::Error) -> Problem {
    let position = if error.is_eof() {
        body.len()
    } else {
        let before: usize = body
            .split(|b| *b == b'\n')
            .take(error.line().saturating_sub(1))
            .map(|l| l.len() + 1)
            .sum();
        (before + error.column()).saturating_sub(1).min(body.len())
    };
    let so_far = body.get(..position).unwrap_or_default();
    let last = so_far.iter().rev().find(|byte| !byte.is_ascii_whitespace());
    let reason = match last {
        Some(b',' | b'{') => "Expecting property name enclosed in double quotes",
        Some(b':') | None => "Expecting value",
        Some(b'"') => "Expecting \\',\\' delimiter",
        _ => "Expecting value",
    };
    Problem::validation(
        &format!(
            "{{'type': 'json_invalid', 'loc': 'body.{position}', 'msg': 'JSON decode error', 'input': \
             '<dict of 0 items>', 'ctx': {{'error': '{reason}'}}}}"
        ),
        Some(&format!("body.{position}")),
    )
}
