//! GitHub's OpenAPI description, condensed, and the check of a request against it.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::refusal::Refusal;
use crate::Call;

/// One method of the API.
#[derive(Debug, Deserialize)]
pub struct Operation {
    pub id: String,
    pub docs: String,
    /// Schema by name.
    pub query: BTreeMap<String, Value>,
    /// Schema, or null when there is no body.
    pub body: Value,
    /// Names that the answer must have, by status.
    #[cfg_attr(not(test), allow(dead_code))]
    pub answers: BTreeMap<String, Vec<String>>,
}

/// Operations by `METHOD /path`. Empty only if the committed file were no JSON, which a test rules out.
static OPERATIONS: LazyLock<BTreeMap<String, Operation>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../contract/github.json")).unwrap_or_default());

/// The operation that a path belongs to, and the values of its parameters in order.
pub fn find<'a>(method: &Method, path: &'a str) -> Option<(&'static Operation, Vec<&'a str>)> {
    let parts: Vec<&str> = path.split('/').collect();
    let matching = |pattern: &str| -> Option<(usize, Vec<&'a str>)> {
        // A file's path has slashes of its own.
        if let Some(folder) = pattern.strip_suffix("/{path}") {
            let folder: Vec<&str> = folder.split('/').collect();
            let (first, rest) = parts.split_at_checked(folder.len())?;
            let file = path.len() - rest.iter().map(|part| part.len() + 1).sum::<usize>() + 1;
            let (count, mut values) = fitting(&folder, first)?;
            values.push(path.get(file..).filter(|file| !file.is_empty())?);
            return Some((count + 1, values));
        }
        let pattern: Vec<&str> = pattern.split('/').collect();
        if pattern.len() != parts.len() {
            return None;
        }
        fitting(&pattern, &parts)
    };
    OPERATIONS
        .iter()
        .filter_map(|(key, operation)| {
            let (verb, pattern) = key.split_once(' ')?;
            if verb != method.as_str() {
                return None;
            }
            let (variables, values) = matching(pattern.trim_start_matches('/'))?;
            Some((variables, operation, values))
        })
        // `issues/comments/{id}` before `issues/{number}/comments` and the like.
        .min_by_key(|(variables, ..)| *variables)
        .map(|(_, operation, values)| (operation, values))
}

/// The values of a pattern's variables, and their number, when the parts fit it.
fn fitting<'a>(pattern: &[&str], parts: &[&'a str]) -> Option<(usize, Vec<&'a str>)> {
    let mut values = Vec::new();
    for (wanted, given) in pattern.iter().zip(parts) {
        if wanted.starts_with('{') {
            values.push(*given);
        } else if wanted != given {
            return None;
        }
    }
    Some((values.len(), values))
}

/// # Errors
/// 422 with GitHub's words for what is wrong with the query or the body; 400 for a body that is no JSON.
pub fn check(operation: &Operation, call: &Call) -> Result<(), Refusal> {
    for (name, value) in &call.query {
        let Some(schema) = operation.query.get(name) else {
            return Err(Refusal::invalid(
                &format!("\"{name}\" is not a permitted key."),
                &operation.docs,
            ));
        };
        check_query(name, value, schema).map_err(|problem| Refusal::invalid(&problem, &operation.docs))?;
    }
    if operation.body.is_null() {
        return if call.body.is_empty() || call.json == Value::Object(serde_json::Map::new()) {
            Ok(())
        } else {
            Err(Refusal::invalid("This method takes no body.", &operation.docs))
        };
    }
    if call.json.is_null() && !call.body.is_empty() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "Problems parsing JSON",
            &operation.docs,
        ));
    }
    let empty = Value::Object(serde_json::Map::new());
    let body = if call.json.is_null() { &empty } else { &call.json };
    validate(body, &operation.body, "").map_err(|problem| Refusal::invalid(&problem, &operation.docs))
}

fn check_query(name: &str, value: &str, schema: &Value) -> Result<(), String> {
    if schema["type"] == "integer" && value.parse::<u64>().is_err() {
        return Err(format!("For 'parameters/{name}', \"{value}\" is not an integer."));
    }
    match schema["enum"].as_array() {
        Some(allowed) if !allowed.iter().any(|one| one == value) => Err(not_a_member(name, value, allowed)),
        _ => Ok(()),
    }
}

fn not_a_member(place: &str, value: &str, allowed: &[Value]) -> String {
    let list = Value::Array(allowed.to_vec());
    format!("For 'properties/{place}', {value} is not a member of {list}.")
}

fn validate(value: &Value, schema: &Value, place: &str) -> Result<(), String> {
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(options) = schema[key].as_array() {
            let fits = options
                .iter()
                .any(|option| validate(value, option, place).is_ok());
            // An object schema beside `anyOf` only says which fields go together.
            if schema.get("properties").is_none() {
                return if fits {
                    Ok(())
                } else {
                    Err(format!(
                        "For 'properties/{place}', no subschema in \"{key}\" matched."
                    ))
                };
            }
        }
    }
    if let Some(kind) = schema["type"].as_str()
        && !is_of(value, kind)
    {
        let shown = if value.is_null() {
            "nil".to_owned()
        } else {
            value.to_string()
        };
        let article = if kind.starts_with(['a', 'e', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        return Err(format!(
            "For 'properties/{place}', {shown} is not {article} {kind}."
        ));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Err(not_a_member(
            place,
            value.as_str().unwrap_or("the value"),
            allowed,
        ));
    }
    match value {
        Value::Object(fields) => object(fields, schema, place),
        Value::Array(items) if schema.get("items").is_some() => items
            .iter()
            .try_for_each(|item| validate(item, &schema["items"], place)),
        _ => Ok(()),
    }
}

fn object(fields: &serde_json::Map<String, Value>, schema: &Value, place: &str) -> Result<(), String> {
    let required = schema["required"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for name in required.iter().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("\"{name}\" wasn't supplied."));
        }
    }
    let Some(properties) = schema["properties"].as_object() else {
        return Ok(());
    };
    for (name, value) in fields {
        let Some(property) = properties.get(name) else {
            return Err(format!("\"{name}\" is not a permitted key."));
        };
        let place = if place.is_empty() {
            name.clone()
        } else {
            format!("{place}/properties/{name}")
        };
        validate(value, property, &place)?;
    }
    Ok(())
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_file_is_there() {
        assert_eq!(OPERATIONS.len(), 25);
        let (operation, values) = find(&Method::GET, "repos/o/r/issues/comments/7").unwrap();
        assert_eq!(
            (operation.id.as_str(), values),
            ("issues/get-comment", vec!["o", "r", "7"])
        );
        let (operation, values) = find(&Method::GET, "repos/o/r/contents/infra/llm-deploy.yaml").unwrap();
        assert_eq!(
            (operation.id.as_str(), values),
            ("repos/get-content", vec!["o", "r", "infra/llm-deploy.yaml"])
        );
        assert!(find(&Method::GET, "repos/o/r/contents/").is_none());
        assert!(find(&Method::PUT, "repos/o/r").is_none());
    }
}
