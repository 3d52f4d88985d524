//! Configurations for the tests of this module.

use super::{Check, Verdict};
use crate::config::{self, Config, Source};

pub fn config(more: &str) -> Config {
    let text = format!("project: acme-llm\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n{more}\n");
    let source = Source {
        name: "llm-deploy.yaml",
        text: &text,
    };
    config::resolve(Some(source), &[]).unwrap()
}

pub fn verdicts(checks: &[Check]) -> Vec<Verdict> {
    checks.iter().map(|c| c.verdict).collect()
}

/// Mark, subject, detail and fix of each, a line each.
pub fn lines(checks: &[Check]) -> String {
    let line = |check: &Check| {
        let place = check.place.as_ref().map(|p| format!("{}:{}: ", p.file, p.line));
        let fix = check.fix.as_ref().map(|fix| format!(" → {}", fix.text()));
        let (place, fix) = (place.unwrap_or_default(), fix.unwrap_or_default());
        format!(
            "{:?} {place}{}: {}{fix}",
            check.verdict, check.subject, check.detail
        )
    };
    checks.iter().map(line).collect::<Vec<_>>().join("\n")
}
