//! Desired against live, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::target::label;
use crate::google::run::types::Service;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted path in Cloud Run's own names, `template.containers[0].args`.
    pub path: String,
    pub from: String,
    pub to: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mut from, mut to) = (self.from.clone(), self.to.clone());
        if self.path.ends_with(".args") {
            let unlike = |text: &str, other: &str| {
                let words = text
                    .split(' ')
                    .filter(|word| !other.split(' ').any(|o| o == *word));
                words.collect::<Vec<_>>().join(" ")
            };
            let (gone, come) = (unlike(&from, &to), unlike(&to, &from));
            // Neither when only their order is another.
            if !(gone.is_empty() && come.is_empty()) {
                let or_none = |words: String| if words.is_empty() { "–".to_owned() } else { words };
                (from, to) = (or_none(gone), or_none(come));
            }
        }
        write!(f, "{}: {from} → {to}", self.path)
    }
}

/// Fields that are never compared here: the revision's name follows from the change, and traffic has rules of its own.
const APART: [&str; 2] = ["template.revision", "traffic"];
/// Labels that say when and by what a service was last changed; they are no reason to change it.
const BOOKKEEPING: [&str; 3] = [label::COMMIT, label::RUN, label::EXPIRES];

/// Every difference. A field that the desired service leaves out is the server's to fill, except that a switch
/// that is on, or a list that has entries, was put there by somebody and goes away.
pub fn changes(desired: &Service, live: &Service) -> Vec<Change> {
    let mut out = Vec::new();
    // Serialising typed structs of strings, numbers and maps can't fail; a failure would show as one change.
    let value = |service: &Service| serde_json::to_value(service).unwrap_or(Value::Null);
    let mut live = live.clone();
    strip_output(&mut live);
    compare("", &value(desired), &value(&live), &mut out);
    out
}

/// The top-level fields that changed, as an update mask.
pub fn update_mask(changes: &[Change]) -> Vec<&'static str> {
    const FIELDS: [&str; 6] = [
        "labels",
        "launchStage",
        "ingress",
        "invokerIamDisabled",
        "scaling",
        "template",
    ];
    let touches = |field: &str| {
        changes.iter().any(|c| {
            c.path
                .strip_prefix(field)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    FIELDS.into_iter().filter(|field| touches(field)).collect()
}

fn strip_output(live: &mut Service) {
    let Service {
        labels,
        ingress,
        launch_stage,
        invoker_iam_disabled,
        scaling,
        template,
        ..
    } = std::mem::take(live);
    *live = Service {
        labels,
        ingress,
        launch_stage,
        invoker_iam_disabled,
        scaling,
        template,
        ..Service::default()
    };
}

/// Environment variables, whose order means nothing and is the server's.
fn is_environment(path: &str) -> bool {
    path.ends_with("].env")
}

fn compare(path: &str, desired: &Value, live: &Value, out: &mut Vec<Change>) {
    if APART.contains(&path) || BOOKKEEPING.iter().any(|name| path == format!("labels.{name}")) {
        return;
    }
    match (desired, live) {
        (want, have) if is_environment(path) => compare_environment(path, want, have, out),
        (Value::Object(want), Value::Object(have)) => {
            for (key, value) in want {
                compare(
                    &join(path, key),
                    value,
                    have.get(key).unwrap_or(&Value::Null),
                    out,
                );
            }
            for (key, value) in have
                .iter()
                .filter(|(key, value)| !want.contains_key(*key) && is_set(value))
            {
                compare(&join(path, key), &Value::Null, value, out);
            }
        }
        (Value::Array(want), Value::Array(have))
            if want.len() == have.len() && want.iter().all(Value::is_object) =>
        {
            for (index, (want, have)) in want.iter().zip(have).enumerate() {
                compare(&format!("{path}[{index}]"), want, have, out);
            }
        }
        // Proto JSON leaves out zero, false and empty.
        (want, Value::Null) if is_zero(want) => {}
        (want, have) if want == have => {}
        (want, have) => out.push(Change {
            path: path.to_owned(),
            from: shown(have),
            to: shown(want),
        }),
    }
}

/// By name. What a live variable holds is never told: somebody may have put a secret there by hand, and changes
/// are shown in comments.
fn compare_environment(path: &str, desired: &Value, live: &Value, out: &mut Vec<Change>) {
    let (want, have) = (by_name(desired), by_name(live));
    let names: BTreeSet<&str> = want.keys().chain(have.keys()).copied().collect();
    for name in names {
        let (want, have) = (want.get(name), have.get(name));
        let mut changes = Vec::new();
        let value = |entry: Option<&&Value>| entry.map_or(Value::Null, |entry| (*entry).clone());
        compare("", &value(want), &value(have), &mut changes);
        if !changes.is_empty() {
            out.push(Change {
                path: join(path, name),
                from: if have.is_some() {
                    "(a value that is not shown)"
                } else {
                    "(none)"
                }
                .to_owned(),
                to: want.map_or_else(|| "(none)".to_owned(), |entry| shown_variable(entry)),
            });
        }
    }
}

fn by_name(list: &Value) -> BTreeMap<&str, &Value> {
    let entries = list.as_array().into_iter().flatten();
    entries
        .map(|entry| (entry["name"].as_str().unwrap_or_default(), entry))
        .collect()
}

fn shown_variable(entry: &Value) -> String {
    shown(
        entry
            .get("value")
            .or_else(|| entry.get("valueSource"))
            .unwrap_or(&Value::Null),
    )
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn is_set(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_array().is_some_and(|items| !items.is_empty())
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_zero),
        _ => false,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
