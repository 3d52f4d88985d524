//! The tree against the JSON Schema: every unknown key, wrong type and wrong value at once, with its place.
//!
//! Patterns are left to the readers in `values`, whose messages know what was meant.

use serde_json::Value;
use serde_yaml::Value as Yaml;

use super::{
    mistake::{Mark, Mistake, printable, quoted},
    positions::Positions,
    suggest::Keys,
    tree::{Kind, MAX_MISTAKES, Node, Scalar},
    values::Wrong,
};

/// Longest dotted path that is remembered; real ones are far shorter.
const MAX_PATH: usize = 1000;

/// What the check found.
pub struct Checked {
    /// The file's values without those that are wrong.
    pub value: Yaml,
    pub positions: Positions,
    pub mistakes: Vec<Mistake>,
}

/// Checks `root` against `schema`, a JSON Schema as `schemars` writes them.
pub fn check(root: &Node, schema: &Value) -> Checked {
    let mut checker = Checker {
        schema,
        keys: Keys::of(schema),
        positions: Positions::default(),
        mistakes: Vec::new(),
    };
    let value = checker.value(root, schema, "").unwrap_or(Yaml::Null);
    Checked {
        value,
        positions: checker.positions,
        mistakes: checker.mistakes,
    }
}

/// Joins a key to a dotted path.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

struct Checker<'a> {
    schema: &'a Value,
    keys: Keys,
    positions: Positions,
    mistakes: Vec<Mistake>,
}

impl<'a> Checker<'a> {
    fn value(&mut self, node: &Node, schema: &'a Value, path: &str) -> Option<Yaml> {
        if self.mistakes.len() >= MAX_MISTAKES {
            return None;
        }
        if path.len() < MAX_PATH {
            self.positions.values.entry(path.to_owned()).or_insert(node.mark);
        }
        if matches!(node.kind, Kind::Refused) {
            return None;
        }
        let branches = branches(self.schema, schema);
        let Some(schema) = branches.iter().copied().find(|s| accepts(s, node)) else {
            self.wrong_type(node, &branches, path);
            return None;
        };
        match &node.kind {
            Kind::Map(_) => Some(self.map(node, schema, path)),
            Kind::List(items) => self.list(node, items, schema, path),
            Kind::Scalar(scalar) => self.scalar(scalar, node.mark, schema, path),
            Kind::Refused => None,
        }
    }

    fn wrong_type(&mut self, node: &Node, branches: &[&Value], path: &str) {
        let expected: Vec<&str> = branches
            .iter()
            .flat_map(|s| types(s))
            .filter(|t| *t != "null")
            .collect();
        let got = if may_hold_secret(path) {
            "something else".to_owned()
        } else {
            describe(node)
        };
        let message = format!(
            "`{}`: expected {}, got {got}",
            shown_path(path),
            alternatives(&expected)
        );
        let help = match &node.kind {
            _ if may_hold_secret(path) => None,
            _ if path == "project" => Some("`gcloud projects list` shows the project's id".to_owned()),
            Kind::Scalar(s) if !s.plain && !expected.contains(&"string") && unquoted(&s.text) => {
                Some(format!("write {} without quotes", printable(&s.text, 40)))
            }
            Kind::Scalar(s) if s.plain && branches.iter().any(|s| is_time(s)) => {
                let text = printable(&s.text, 40);
                Some(format!("add a unit: `{text}ms` or `{text}s`"))
            }
            Kind::Scalar(s) if s.plain && expected == ["string"] => {
                Some(format!("put it in quotes: \"{}\"", printable(&s.text, 40)))
            }
            Kind::Scalar(_) if expected == ["array"] => {
                Some("write a list: each item on a line with `- `".to_owned())
            }
            _ => None,
        };
        self.report(Mistake::at(node.mark, path, message).maybe_help(help), path);
    }

    fn map(&mut self, node: &Node, schema: &'a Value, path: &str) -> Yaml {
        let Kind::Map(entries) = &node.kind else {
            return Yaml::Null;
        };
        let mut out = serde_yaml::Mapping::new();
        if let Some(most) = schema["maxProperties"]
            .as_u64()
            .filter(|most| (entries.len() as u64) > *most)
        {
            let message = format!(
                "expected at most {most} entries{}, got {}",
                in_path(path),
                entries.len()
            );
            self.report(Mistake::at(node.mark, path, message), path);
            return Yaml::Null;
        }
        for entry in entries {
            let child = join(path, &entry.key);
            let property = &schema["properties"][entry.key.as_str()];
            let additional = &schema["additionalProperties"];
            let schema = if property.is_null() { additional } else { property };
            if self.mistakes.len() >= MAX_MISTAKES {
                break;
            }
            if schema == &Value::Bool(false) {
                let (detail, help) = self.keys.explain(path, &entry.key);
                let message = format!("unknown key {}{detail}", quoted(&entry.key));
                self.report(
                    Mistake::at(entry.key_mark, &child, message).maybe_help(help),
                    &child,
                );
                continue;
            }
            if child.len() < MAX_PATH {
                self.positions.keys.insert(child.clone(), entry.key_mark.line);
            }
            if let Some(value) = self.value(&entry.value, schema, &child) {
                out.insert(Yaml::String(entry.key.clone()), value);
            }
        }
        for required in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !entries.iter().any(|e| e.key == required) {
                let message = format!("{} is missing{}", quoted(required), in_path(path));
                self.report(Mistake::at(node.mark, &join(path, required), message), path);
            }
        }
        Yaml::Mapping(out)
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &'a Value, path: &str) -> Option<Yaml> {
        let count = items.len() as u64;
        let (min, max) = (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
        if min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max) {
            let expected = bounds(min.map(|m| m as f64), max.map(|m| m as f64));
            let message = format!("`{}`: expected {expected} items, got {count}", shown_path(path));
            self.report(Mistake::at(node.mark, path, message), path);
            return None;
        }
        let mut out = Vec::new();
        let maps = branches(self.schema, &schema["items"])
            .iter()
            .any(|s| types(s).contains(&"object"));
        for (index, item) in items.iter().enumerate() {
            match self.value(item, &schema["items"], &format!("{path}[{index}]")) {
                Some(value) => out.push(value),
                // Keeps the others' indices.
                None if maps => out.push(Yaml::Mapping(serde_yaml::Mapping::new())),
                None => return None,
            }
        }
        Some(Yaml::Sequence(out))
    }

    fn scalar(&mut self, scalar: &Scalar, mark: Mark, schema: &'a Value, path: &str) -> Option<Yaml> {
        let value = scalar.value();
        if value.is_null() {
            return Some(value);
        }
        if let Some(wrong) = refusal(scalar, schema) {
            let message = format!("`{}`: {}", shown_path(path), wrong.message);
            self.report(Mistake::at(mark, path, message).maybe_help(wrong.help), path);
            return None;
        }
        // What is text by the schema is taken as written: `1.10` stays `1.10`.
        let text = types(schema).contains(&"string");
        Some(if text {
            Yaml::String(scalar.text.clone())
        } else {
            value
        })
    }

    fn report(&mut self, mistake: Mistake, path: &str) {
        if self.mistakes.len() >= MAX_MISTAKES {
            return;
        }
        let hidden = may_hold_secret(path);
        self.mistakes
            .push(if hidden { mistake.secret() } else { mistake });
    }
}

/// Whether a wrong value at this path may be a secret: variables, secrets, keys and tokens.
fn may_hold_secret(path: &str) -> bool {
    let path = format!(".{}", path.to_ascii_lowercase().replace('_', "-"));
    [".env.", ".secrets.", "hf-token", "api-key", "password"]
        .iter()
        .any(|part| path.contains(part))
}

/// A path for messages; the root has a name too.
pub fn shown_path(path: &str) -> String {
    if path.is_empty() {
        "the file".to_owned()
    } else {
        printable(path, 100)
    }
}

fn in_path(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" in `{}`", shown_path(path))
    }
}

pub fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether the schema takes a value of this type; one without types takes everything.
fn accepts(schema: &Value, node: &Node) -> bool {
    let types = types(schema);
    let one_of = |names: &[&str]| types.iter().any(|t| names.contains(t));
    types.is_empty()
        || match &node.kind {
            Kind::Map(_) => one_of(&["object"]),
            Kind::List(_) => one_of(&["array"]),
            Kind::Refused => true,
            Kind::Scalar(scalar) => match scalar.value() {
                // An empty value counts as absent, where a value may be absent.
                Yaml::Null => one_of(&["null"]),
                Yaml::Bool(_) => one_of(&["boolean"]),
                Yaml::Number(n) if n.is_f64() => one_of(&["number"]),
                Yaml::Number(_) => one_of(&["number", "integer"]),
                _ => one_of(&["string"]),
            },
        }
}

/// Whether the schema's text is a time with a unit.
fn is_time(schema: &Value) -> bool {
    schema["pattern"].as_str().is_some_and(|p| p.contains("(ms|s"))
}

fn unquoted(text: &str) -> bool {
    let scalar = Scalar {
        text: text.to_owned(),
        plain: true,
    };
    matches!(scalar.value(), Yaml::Number(_) | Yaml::Bool(_))
}

fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Map(_) => "a map".to_owned(),
        Kind::List(_) => "a list".to_owned(),
        Kind::Refused => "nothing".to_owned(),
        Kind::Scalar(scalar) => match scalar.value() {
            Yaml::Null => "nothing".to_owned(),
            Yaml::Bool(_) => format!("the boolean {}", quoted(&scalar.text)),
            Yaml::Number(_) => format!("the number {}", quoted(&scalar.text)),
            _ => format!("the text {}", quoted(&scalar.text)),
        },
    }
}

fn alternatives(types: &[&str]) -> String {
    let names: Vec<&str> = types
        .iter()
        .map(|t| match *t {
            "object" => "a map",
            "array" => "a list",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "`true` or `false`",
            _ => "text",
        })
        .collect();
    names.join(" or ")
}

/// `a`, `b` or `c`, in backticks.
pub fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

fn bounds(min: Option<f64>, max: Option<f64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any number of".to_owned(),
    }
}

/// Why a scalar of the right type is refused: not one of the schema's values, or outside its bounds.
pub fn refusal(scalar: &Scalar, schema: &Value) -> Option<Wrong> {
    let value = scalar.value();
    let limit = |key: &str| schema[key].as_f64();
    if let Some(allowed) = schema["enum"].as_array() {
        let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        if names.contains(&scalar.text.as_str()) {
            return None;
        }
        let wrong = Wrong::from(format!(
            "expected {}, got {}",
            one_of(&names),
            quoted(&scalar.text)
        ));
        return Some(match super::suggest::nearest(&scalar.text, names) {
            Some(near) => wrong.help(format!("did you mean `{near}`?")),
            None => wrong,
        });
    }
    let (number, (min, max), expected) = if types(schema).contains(&"string") {
        let bounds = (limit("minLength"), limit("maxLength"));
        (
            scalar.text.chars().count() as f64,
            bounds,
            format!("text of {} characters", self::bounds(bounds.0, bounds.1)),
        )
    } else {
        let bounds = (limit("minimum"), limit("maximum"));
        (
            value.as_f64()?,
            bounds,
            format!("a number {}", range(bounds.0, bounds.1)),
        )
    };
    let outside = min.is_some_and(|m| number < m) || max.is_some_and(|m| number > m);
    outside.then(|| format!("expected {expected}, got {}", quoted(&scalar.text)).into())
}

/// The schema of the value at a dotted path of keys, `service.cpu`.
pub fn property<'a>(root: &'a Value, path: &str) -> &'a Value {
    let mut schema = root;
    for key in path.split('.') {
        schema = branches(root, schema)
            .into_iter()
            .find(|s| !s["properties"][key].is_null())
            .map_or(&Value::Null, |s| &s["properties"][key]);
    }
    schema
}

/// The alternatives that a schema stands for: `$ref` followed, `anyOf` opened.
fn branches<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
        return branches(root, &root["$defs"][name]);
    }
    match schema["anyOf"].as_array() {
        Some(any) => any.iter().flat_map(|s| branches(root, s)).collect(),
        None => vec![schema],
    }
}

fn range(min: Option<f64>, max: Option<f64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        _ => bounds(min, max),
    }
}
