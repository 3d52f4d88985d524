//! Checks query parameters: names, types, enum values, field masks.

use serde_json::Value;

use super::{Document, Field, Method, Violation, fields, messages};

pub fn check(document: &Document, method: &Method, query: &[(String, String)]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (n, (name, value)) in query.iter().enumerate() {
        let Some(field) = method.query.get(name) else {
            found.extend(standard(document, name, value));
            continue;
        };
        if !field.repeated && query[..n].iter().any(|(other, _)| other == name) {
            found.push(messages::repeated_parameter(name));
        }
        found.extend(parameter(document, method, field, name, value));
    }
    let missing = |name: &&String| !query.iter().any(|(q, _)| q == *name);
    let required = method
        .query
        .iter()
        .filter(|(_, f)| f.required)
        .map(|(name, _)| name);
    found.extend(
        required
            .filter(missing)
            .map(|name| messages::missing_parameter(name)),
    );
    found
}

fn standard(document: &Document, name: &str, value: &str) -> Option<Violation> {
    if !document.standard.iter().any(|s| s == name) {
        return Some(messages::unknown_parameter(name));
    }
    let known = match name {
        "alt" => matches!(value, "json" | "media"),
        "prettyPrint" => matches!(value, "true" | "false"),
        _ => true,
    };
    (!known).then(|| messages::wrong_value(name, "TYPE_ENUM", &Value::from(value)))
}

fn parameter(
    document: &Document,
    method: &Method,
    field: &Field,
    name: &str,
    value: &str,
) -> Option<Violation> {
    let field_name = messages::snake(name);
    let format = field.format.as_deref().unwrap_or("");
    let good = match (field.r#type.as_deref().unwrap_or("string"), format) {
        ("boolean", _) => matches!(value, "true" | "false"),
        ("integer", "uint32") => value.parse::<u32>().is_ok(),
        ("integer", _) => value.parse::<i32>().is_ok(),
        ("number", _) => value.parse::<f64>().is_ok(),
        ("string", "int64") => value.parse::<i64>().is_ok(),
        ("string", "google-datetime") if chrono::DateTime::parse_from_rfc3339(value).is_err() => {
            return Some(messages::wrong_timestamp(&field_name));
        }
        ("string", "google-duration") if !fields::is_duration(value) => {
            return Some(messages::wrong_duration(&field_name));
        }
        ("string", "google-fieldmask") => return mask(document, method, &field_name, value),
        _ => field.r#enum.is_empty() || field.r#enum.iter().any(|e| e == value),
    };
    (!good).then(|| messages::wrong_value(&field_name, fields::kind(field), &Value::from(value)))
}

/// Each path of the mask must name a field of the request's message.
fn mask(document: &Document, method: &Method, field: &str, value: &str) -> Option<Violation> {
    let root = document.messages.get(method.request.as_ref()?)?;
    let bad = value
        .split(',')
        .find(|path| *path != "*" && !is_path(document, root, path))?;
    Some(messages::unknown_mask_path(field, bad))
}

fn is_path(document: &Document, root: &Field, path: &str) -> bool {
    let mut at = root;
    for name in path.split('.') {
        // A mask may go into a map, by key.
        if at.additional_properties.is_some() {
            return true;
        }
        let Some(next) = at.properties.get(name) else {
            return false;
        };
        at = next
            .reference
            .as_ref()
            .and_then(|r| document.messages.get(r))
            .unwrap_or(next);
    }
    true
}
