//! Clean-up policies: what may be set, and what they delete.
//! <https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy>

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Package, Repository, Version};

/// # Errors
/// What is wrong with one of the policies, in words.
pub fn check(policies: &Value) -> Result<(), String> {
    for (key, policy) in policies.as_object().into_iter().flatten() {
        let wrong = |what: &str| Err(format!("Invalid cleanup policy \"{key}\": {what}"));
        if key.is_empty() || key.len() >= 128 {
            return wrong("the id must have between 1 and 127 characters.");
        }
        if policy["id"].as_str().is_some_and(|id| id != key) {
            return wrong("the id differs from the key it has in the map.");
        }
        let condition = policy["condition"].is_object();
        let recent = policy["mostRecentVersions"].is_object();
        match policy["action"].as_str() {
            Some("KEEP") => {}
            Some("DELETE") if recent => return wrong("mostRecentVersions goes with the action KEEP only."),
            Some("DELETE") => {}
            _ => return wrong("the action must be DELETE or KEEP."),
        }
        if condition == recent {
            return wrong("exactly one of condition and mostRecentVersions must be set.");
        }
        if recent && policy["mostRecentVersions"]["keepCount"].as_i64().unwrap_or(0) < 1 {
            return wrong("keepCount must be at least 1.");
        }
        let prefixes = policy["condition"]["tagPrefixes"].as_array();
        if prefixes.is_some_and(|p| !p.is_empty()) && policy["condition"]["tagState"] != "TAGGED" {
            return wrong("tagPrefixes need the tagState TAGGED.");
        }
    }
    Ok(())
}

/// Deletes what a DELETE policy names and no KEEP policy does; returns the digests. A dry run deletes nothing.
pub fn run(repository: &mut Repository, now: DateTime<Utc>) -> Vec<String> {
    if repository.resource["cleanupPolicyDryRun"] == true {
        return Vec::new();
    }
    let policies = repository.resource["cleanupPolicies"].clone();
    let policies: Vec<&Value> = policies
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, p)| p)
        .collect();
    let mut gone = Vec::new();
    for (name, package) in &mut repository.packages {
        let named = |action: &str| -> BTreeSet<String> {
            let of_action = policies.iter().filter(|p| p["action"] == action);
            of_action.flat_map(|p| selected(p, name, package, now)).collect()
        };
        let (delete, keep) = (named("DELETE"), named("KEEP"));
        for digest in delete.difference(&keep) {
            package.remove(digest);
            gone.push(digest.clone());
        }
    }
    gone
}

fn selected(policy: &Value, name: &str, package: &Package, now: DateTime<Utc>) -> Vec<String> {
    let recent = &policy["mostRecentVersions"];
    if recent.is_object() {
        if !any_prefix(&recent["packageNamePrefixes"], name) {
            return Vec::new();
        }
        let mut versions: Vec<(&String, &Version)> = package.versions.iter().collect();
        versions.sort_by_key(|(_, v)| std::cmp::Reverse(v.created));
        let count = recent["keepCount"].as_u64().and_then(|n| usize::try_from(n).ok());
        let newest = versions.into_iter().take(count.unwrap_or(0));
        return newest.map(|(digest, _)| digest.clone()).collect();
    }
    let fitting = package
        .versions
        .iter()
        .filter(|(digest, version)| fits(&policy["condition"], name, package, digest, version, now));
    fitting.map(|(digest, _)| digest.clone()).collect()
}

fn fits(
    condition: &Value,
    name: &str,
    package: &Package,
    digest: &str,
    version: &Version,
    now: DateTime<Utc>,
) -> bool {
    let tags = package.tags_of(digest);
    let state = match condition["tagState"].as_str() {
        Some("TAGGED") => !tags.is_empty(),
        Some("UNTAGGED") => tags.is_empty(),
        _ => true,
    };
    let age = now - version.created;
    let prefixes = &condition["tagPrefixes"];
    let tag = prefixes.is_null() || tags.iter().any(|t| any_prefix(prefixes, t));
    state
        && tag
        && any_prefix(&condition["packageNamePrefixes"], name)
        && any_prefix(&condition["versionNamePrefixes"], digest)
        && duration(&condition["olderThan"]).is_none_or(|d| age > d)
        && duration(&condition["newerThan"]).is_none_or(|d| age < d)
}

/// An empty list of prefixes fits everything.
fn any_prefix(prefixes: &Value, text: &str) -> bool {
    let mut prefixes = prefixes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .peekable();
    prefixes.peek().is_none() || prefixes.any(|p| text.starts_with(p))
}

fn duration(value: &Value) -> Option<TimeDelta> {
    let seconds: f64 = value.as_str()?.strip_suffix('s')?.parse().ok()?;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "whole milliseconds of a duration below 10,000 years"
    )]
    Some(TimeDelta::milliseconds((seconds * 1000.0) as i64))
}
