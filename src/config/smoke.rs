//! Smoke tests.

use std::time::Duration;

use regex::RegexBuilder;
use serde_json::Value;

use super::{
    Check, Smoke, defaults,
    layers::{At, Resolver, Section},
    mistake::{printable, quoted},
    raw,
    values::{self, Wrong},
};

const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(3600);
/// Largest compiled expression: a file of hostile ones is read in seconds, and real ones take far less.
const REGEX_BYTES: usize = 1 << 20;

pub(super) fn timeout(text: &str) -> Result<Duration, Wrong> {
    values::duration(text, LEAST, MOST)
}

/// Resolves the smoke tests. A model's own list of checks replaces the one at the file's top level.
pub fn smoke(resolver: &mut Resolver, section: &Section<'_, raw::Smoke>) -> Smoke {
    let deadline = resolver
        .take(section, "timeout", |s| s.timeout.clone(), |text| timeout(&text))
        .unwrap_or(defaults::SMOKE_TIMEOUT);
    let prompt = resolver.take(section, "prompt", |s| s.prompt.clone(), not_blank);
    let max_tokens = resolver.plain(section, "max-tokens", |s| s.max_tokens);
    Smoke {
        timeout: deadline,
        prompt: prompt.unwrap_or_else(|| defaults::SMOKE_PROMPT.to_owned()),
        max_tokens: max_tokens.unwrap_or(defaults::SMOKE_MAX_TOKENS),
        checks: checks(resolver, section, deadline),
    }
}

pub(super) fn not_blank(text: String) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        Err("expected text, got nothing but spaces".into())
    } else {
        Ok(text)
    }
}

fn checks(resolver: &mut Resolver, section: &Section<'_, raw::Smoke>, deadline: Duration) -> Vec<Check> {
    let own = section
        .layers
        .iter()
        .find_map(|(at, layer)| Some((at, layer.checks.as_ref()?)));
    let Some((at, list)) = own else { return Vec::new() };
    let mut checks: Vec<Check> = Vec::new();
    for (index, raw) in list.iter().enumerate() {
        let At::File(prefix) = at else { continue };
        let target = format!("{}.checks[{index}]", section.target);
        let layers = vec![(
            At::File(super::check::join(prefix, &format!("checks[{index}]"))),
            raw,
        )];
        let one = Section {
            target: target.clone(),
            layers,
        };
        let check = check(resolver, &one, index, deadline);
        if checks.iter().any(|c| c.name == check.name) {
            let message = format!("another check is named {}, too", quoted(&check.name));
            resolver.blame_given(
                &[format!("{target}.name"), format!("{target}.prompt")],
                message.into(),
            );
        }
        checks.push(check);
    }
    checks
}

fn check(
    resolver: &mut Resolver,
    section: &Section<'_, raw::Check>,
    index: usize,
    deadline: Duration,
) -> Check {
    let name = resolver.take(section, "name", |c| c.name.clone(), not_blank);
    let prompt = resolver.take(section, "prompt", |c| c.prompt.clone(), not_blank);
    let system = resolver.plain(section, "system", |c| c.system.clone());
    let max_tokens = resolver.plain(section, "max-tokens", |c| c.max_tokens);
    let temperature = resolver.plain(section, "temperature", |c| c.temperature);
    let contains = resolver.plain(section, "contains", |c| c.contains.clone());
    let matches = resolver.take(section, "matches", |c| c.matches.clone(), regex);
    let json_schema = resolver.take(section, "json-schema", |c| c.json_schema.clone(), schema);
    let own_deadline = resolver.take(section, "deadline", |c| c.deadline.clone(), |text| timeout(&text));
    let read = section.layers.iter().any(|(_, c)| c.prompt.is_some());
    let asserts = section
        .layers
        .iter()
        .any(|(_, c)| c.contains.is_some() || c.matches.is_some() || c.json_schema.is_some());
    // Without a prompt there is a mistake already.
    if read && !asserts {
        let wrong =
            Wrong::from("this check asserts nothing").help("add `contains`, `matches` or `json-schema`");
        resolver.blame(&format!("{}.prompt", section.target), wrong);
    }
    Check {
        name: name.unwrap_or_else(|| format!("check {}", index + 1)),
        prompt: prompt.unwrap_or_default(),
        system,
        max_tokens: max_tokens.unwrap_or(defaults::CHECK_MAX_TOKENS),
        temperature: temperature.unwrap_or(defaults::CHECK_TEMPERATURE),
        contains,
        matches,
        json_schema,
        deadline: own_deadline.unwrap_or(deadline),
    }
}

fn regex(text: String) -> Result<String, Wrong> {
    match RegexBuilder::new(&text).size_limit(REGEX_BYTES).build() {
        Ok(_) => Ok(text),
        Err(error) => {
            // The last line of the crate's message says why; the ones before draw the place.
            let text = error.to_string();
            let why = text
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            Err(format!("expected a regular expression: {}", printable(why, 200)).into())
        }
    }
}

fn schema(schema: Value) -> Result<Value, Wrong> {
    if let Err(error) = jsonschema::validator_for(&schema) {
        return Err(format!("expected a JSON Schema: {}", printable(&error.to_string(), 200)).into());
    }
    Ok(schema)
}
