//! The lines that the base branch's file would need. Pure.

use std::collections::BTreeMap;

use super::{Violation, Widen};
use crate::config::{Allowance, Pattern};

/// What `preview.limits` on the branch would have to be for everything to be allowed, as YAML in one line that can be
/// pasted at the top level of the file. `None` when no value would do.
pub fn widening(branch: &str, allowance: &Allowance, violations: &[&Violation]) -> Option<String> {
    let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    let mut allow: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in violations.iter().filter(|one| one.branch == branch) {
        match one.widen.as_ref()? {
            Widen::Entry(key, value) => {
                let listed = match *key {
                    "gpus" => allowance.gpus.clone(),
                    _ => patterns(allowance.models.as_deref()),
                };
                push(lists.entry(key).or_insert(listed), value);
            }
            Widen::Value(key, value) => drop(values.insert(key, value.clone())),
            Widen::Allow(key, value) => {
                let listed = || allowance.allow.get(*key).cloned().unwrap_or_default();
                push(allow.entry(key).or_insert_with(listed), value);
            }
        }
    }
    let list = |(key, values): (&str, Vec<String>)| {
        let values: Vec<String> = values.iter().map(|value| scalar(value)).collect();
        format!("{key}: [{}]", values.join(", "))
    };
    let mut parts: Vec<String> = values
        .into_iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    parts.extend(lists.into_iter().map(list));
    if !allow.is_empty() {
        let inner: Vec<String> = allow.into_iter().map(list).collect();
        parts.push(format!("allow: {{ {} }}", inner.join(", ")));
    }
    (!parts.is_empty()).then(|| format!("preview: {{ limits: {{ {} }} }}", parts.join(", ")))
}

fn patterns(models: Option<&[Pattern]>) -> Vec<String> {
    let models = models.unwrap_or_default().iter();
    models.map(|pattern| pattern.as_str().to_owned()).collect()
}

fn push(list: &mut Vec<String>, value: &str) {
    if !list.iter().any(|there| there == value) {
        list.push(value.to_owned());
    }
}

/// A word as YAML reads it as text; anything else as JSON writes it, which YAML reads as well.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_/.@".contains(c);
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain);
    let special = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    if word && !special.contains(&text.to_lowercase().as_str()) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
