//! Checks a JSON body against a message, field by field.

use std::collections::HashMap;

use base64::Engine as _;
use serde_json::{Map, Value};

use super::{Field, Violation, messages};

/// What happens to a field that only the service sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputOnly {
    Refused,
    Dropped,
    #[cfg_attr(not(test), allow(dead_code, reason = "answers are checked in tests"))]
    Kept,
}

/// Collects every mistake of one body.
pub struct Checker<'a> {
    messages: &'a HashMap<String, Field>,
    output_only: OutputOnly,
    pub found: Vec<Violation>,
}

impl<'a> Checker<'a> {
    pub fn new(messages: &'a HashMap<String, Field>, output_only: OutputOnly) -> Self {
        Self {
            messages,
            output_only,
            found: Vec::new(),
        }
    }

    /// Checks `value` against the message called `name`.
    pub fn message(&mut self, name: &str, value: &mut Value, path: &str) {
        let messages = self.messages;
        let Some(message) = messages.get(name) else { return };
        match value {
            Value::Object(map) => self.object(message, map, path),
            _ if path.is_empty() => self.found.push(messages::root_not_message()),
            Value::Array(_) => {
                let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
                self.found.push(messages::not_repeating(parent, name));
            }
            other => self
                .found
                .push(messages::wrong_value(path, "TYPE_MESSAGE", other)),
        }
    }

    fn object(&mut self, message: &Field, map: &mut Map<String, Value>, path: &str) {
        if let Some(values) = &message.additional_properties {
            for (key, value) in map.iter_mut() {
                self.value(values, value, &format!("{path}[\"{key}\"]"));
            }
            return;
        }
        let mut dropped = Vec::new();
        for (key, value) in map.iter_mut() {
            match message.properties.get(key) {
                None if key == "@type" && self.output_only == OutputOnly::Kept => {}
                None => self.found.push(messages::unknown_field(path, key)),
                Some(field) => {
                    let child = join(path, key);
                    if field.read_only && !settable(key) && self.output_only == OutputOnly::Dropped {
                        dropped.push(key.clone());
                    } else if field.read_only && !settable(key) && self.output_only == OutputOnly::Refused {
                        self.found.push(messages::output_only(&child));
                    } else {
                        self.value(field, value, &child);
                    }
                }
            }
        }
        for key in dropped {
            map.shift_remove(&key);
        }
    }

    fn value(&mut self, field: &Field, value: &mut Value, path: &str) {
        if let Some(name) = &field.reference {
            if value.is_null() {
                return self.found.push(messages::null(path));
            }
            return self.message(name, value, path);
        }
        match (field.r#type.as_deref().unwrap_or("any"), value) {
            ("any", _) => {}
            (_, Value::Null) => self.found.push(messages::null(path)),
            ("array", Value::Array(items)) => {
                if let Some(item) = &field.items {
                    for (n, value) in items.iter_mut().enumerate() {
                        self.value(item, value, &format!("{path}[{n}]"));
                    }
                }
            }
            ("array", other) => self.found.push(messages::wrong_value(path, "TYPE_ARRAY", other)),
            (_, Value::Array(_)) => {
                let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
                self.found.push(messages::not_repeating(parent, name));
            }
            ("object", Value::Object(map)) => self.object(field, map, path),
            (_, scalar) => {
                let found = scalar_mistake(field, scalar, path);
                self.found.extend(found);
            }
        }
    }
}

/// Fields that a client sends back with what it has read.
fn settable(key: &str) -> bool {
    matches!(key, "name" | "etag")
}

fn join(path: &str, key: &str) -> String {
    let key = messages::snake(key);
    match path {
        "" => key,
        path => format!("{path}.{key}"),
    }
}

fn scalar_mistake(field: &Field, value: &Value, path: &str) -> Option<Violation> {
    let format = field.format.as_deref().unwrap_or("");
    let kind = kind(field);
    let wrong = || Some(messages::wrong_value(path, kind, value));
    match (field.r#type.as_deref()?, value) {
        ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => None,
        ("integer", Value::Number(n)) => match (format, n.as_i64()) {
            ("uint32", Some(n)) if u32::try_from(n).is_ok() => None,
            ("int32" | "", Some(n)) if i32::try_from(n).is_ok() => None,
            _ => wrong(),
        },
        ("string", Value::String(text)) => {
            if !field.r#enum.is_empty() {
                return if field.r#enum.contains(text) {
                    None
                } else {
                    wrong()
                };
            }
            string_mistake(format, text, path, wrong)
        }
        _ => wrong(),
    }
}

fn string_mistake(
    format: &str,
    text: &str,
    path: &str,
    wrong: impl Fn() -> Option<Violation>,
) -> Option<Violation> {
    match format {
        "int64" if text.parse::<i64>().is_err() => wrong(),
        "uint64" if text.parse::<u64>().is_err() => wrong(),
        "google-duration" if !is_duration(text) => Some(messages::wrong_duration(path)),
        "google-datetime" | "date-time" if chrono::DateTime::parse_from_rfc3339(text).is_err() => {
            Some(messages::wrong_timestamp(path))
        }
        "date" if chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_err() => wrong(),
        "byte" if !is_base64(text) => Some(messages::wrong_base64(path)),
        _ => None,
    }
}

/// Name of the protocol buffer type, as Google's messages have it.
pub fn kind(field: &Field) -> &'static str {
    match (
        field.r#type.as_deref().unwrap_or(""),
        field.format.as_deref().unwrap_or(""),
    ) {
        _ if !field.r#enum.is_empty() => "TYPE_ENUM",
        ("boolean", _) => "TYPE_BOOL",
        ("integer", "uint32") => "TYPE_UINT32",
        ("integer", _) => "TYPE_INT32",
        ("number", "float") => "TYPE_FLOAT",
        ("number", _) => "TYPE_DOUBLE",
        ("string", "int64") => "TYPE_INT64",
        ("string", "uint64") => "TYPE_UINT64",
        ("string", "byte") => "TYPE_BYTES",
        ("string", "google-duration") => "type.googleapis.com/google.protobuf.Duration",
        ("string", _) => "TYPE_STRING",
        _ => "TYPE_MESSAGE",
    }
}

/// Seconds with up to nine decimals and an `s`.
pub fn is_duration(text: &str) -> bool {
    let Some(number) = text.strip_suffix('s') else {
        return false;
    };
    let number = number.strip_prefix('-').unwrap_or(number);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(decimals) && decimals.len() <= 9
}

fn is_base64(text: &str) -> bool {
    let engine = |padding| {
        base64::engine::GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            base64::engine::GeneralPurposeConfig::new().with_decode_padding_mode(padding),
        )
    };
    let standard: String = text
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    engine(base64::engine::DecodePaddingMode::Indifferent)
        .decode(standard)
        .is_ok()
}
