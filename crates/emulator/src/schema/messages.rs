//! Google's words for what is wrong with a request.

use serde_json::Value;

use super::Violation;

const INVALID: &str = "Invalid JSON payload received.";

fn at(field: &str, description: String) -> Violation {
    Violation {
        field: field.to_owned(),
        description,
    }
}

pub fn unknown_field(parent: &str, name: &str) -> Violation {
    let place = place(parent);
    at(
        parent,
        format!("{INVALID} Unknown name \"{name}\"{place}: Cannot find field."),
    )
}

pub fn unknown_parameter(name: &str) -> Violation {
    at(
        "",
        format!(
            "{INVALID} Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could not be found in request message."
        ),
    )
}

pub fn unknown_mask_path(field: &str, path: &str) -> Violation {
    at(
        field,
        format!(
            "Invalid value at '{field}' (type.googleapis.com/google.protobuf.FieldMask), Field '{path}' could not be found in request message."
        ),
    )
}

pub fn repeated_parameter(name: &str) -> Violation {
    not_repeating("", &snake(name))
}

pub fn missing_parameter(name: &str) -> Violation {
    at(name, format!("Required parameter: {name}"))
}

/// `kind` is a protocol buffer type: `TYPE_INT32`, `type.googleapis.com/google.protobuf.Duration`.
pub fn wrong_value(field: &str, kind: &str, value: &Value) -> Violation {
    at(field, format!("Invalid value at '{field}' ({kind}), {value}"))
}

pub fn wrong_duration(field: &str) -> Violation {
    let name = last(field);
    at(
        field,
        format!(
            "Invalid value at '{field}' (type.googleapis.com/google.protobuf.Duration), Field '{name}', Illegal duration format; duration must end with 's'"
        ),
    )
}

pub fn wrong_timestamp(field: &str) -> Violation {
    let name = last(field);
    at(
        field,
        format!(
            "Invalid value at '{field}' (type.googleapis.com/google.protobuf.Timestamp), Field '{name}', Invalid time format: Failed to parse input"
        ),
    )
}

pub fn wrong_base64(field: &str) -> Violation {
    at(
        field,
        format!("Invalid value at '{field}' (TYPE_BYTES), Base64 decoding failed"),
    )
}

pub fn not_repeating(parent: &str, name: &str) -> Violation {
    let place = place(parent);
    at(
        parent,
        format!("{INVALID} Unknown name \"{name}\"{place}: Proto field is not repeating, cannot start list."),
    )
}

pub fn output_only(field: &str) -> Violation {
    at(
        field,
        format!("Invalid value at '{field}': the field is output only and can't be set"),
    )
}

pub fn null(field: &str) -> Violation {
    at(
        field,
        format!("Invalid value at '{field}': null; leave the field out"),
    )
}

pub fn root_not_message() -> Violation {
    at(
        "",
        format!("{INVALID} Unknown name \"\": Root element must be a message."),
    )
}

pub fn not_json() -> Violation {
    at("", format!("{INVALID} Unexpected token."))
}

pub fn unexpected_body() -> Violation {
    at("", format!("{INVALID} Unexpected body: the method takes none."))
}

pub fn content_type(actual: &str) -> Violation {
    at(
        "",
        format!("{INVALID} Content type \"{actual}\" is not application/json."),
    )
}

fn place(parent: &str) -> String {
    match parent {
        "" => String::new(),
        parent => format!(" at '{parent}'"),
    }
}

fn last(field: &str) -> &str {
    field.rsplit('.').next().unwrap_or(field)
}

/// What Google calls a request's root: nothing for `…Request` messages, else the message's own name
/// (`GoogleCloudRunV2Service` is `service`).
pub fn root_name(message: &str) -> String {
    if message.ends_with("Request") {
        return String::new();
    }
    let short = ["GoogleCloudRunV2", "GoogleDevtoolsCloudbuildV1", "GoogleIamV1"]
        .iter()
        .find_map(|p| message.strip_prefix(p))
        .unwrap_or(message);
    snake(short).trim_start_matches('_').to_owned()
}

/// `maxInstanceCount` as `max_instance_count`.
pub fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
