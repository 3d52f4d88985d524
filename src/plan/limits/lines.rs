//! The lines that the base branch's file would need. Pure.

use std::collections::BTreeMap;

use super::{Violation, Widen};
use crate::config::{BaseFile, Pattern};

/// What has to be written into the branch's file for everything to be allowed, as a sentence's part with YAML in one line.
/// The limits that the file has already are among them, so that none is lost. `None` when no value would do.
pub fn widening(branch: &str, base: &BaseFile, violations: &[&Violation]) -> Option<String> {
    let limits = &base.limits;
    let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    let mut allow: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let listed = [
        ("gpus", limits.gpus.clone()),
        ("models", limits.models.as_deref().map(patterns)),
    ];
    lists.extend(listed.into_iter().filter_map(|(key, list)| Some((key, list?))));
    let written = [
        ("max-instances", limits.max_instances.map(|most| most.to_string())),
        ("expires", limits.expires.map(super::hours)),
        ("hourly-cost", limits.hourly_cost.map(|cost| cost.to_string())),
    ];
    values.extend(written.into_iter().filter_map(|(key, value)| Some((key, value?))));
    allow.extend(
        limits
            .allow
            .iter()
            .map(|(key, list)| (key.as_str(), list.clone())),
    );
    for one in violations.iter().filter(|one| one.branch == branch) {
        match one.widen.as_ref()? {
            Widen::Entry(key, value) => {
                let own = || match *key {
                    "gpus" => base.allowance.gpus.clone(),
                    _ => Vec::new(),
                };
                push(lists.entry(key).or_insert_with(own), value);
            }
            Widen::Value(key, value) => drop(values.insert(key, value.clone())),
            Widen::Allow(key, value) => push(allow.entry(key).or_default(), value),
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
    let limits = format!("limits: {{ {} }}", parts.join(", "));
    Some(match base.sections() {
        (false, _) => format!("add `preview: {{ {limits} }}`"),
        (true, false) => format!("add, under `preview`, `{limits}`"),
        (true, true) => format!("replace `limits`, under `preview`, by `{limits}`"),
    })
}

fn patterns(models: &[Pattern]) -> Vec<String> {
    models.iter().map(|pattern| pattern.as_str().to_owned()).collect()
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
