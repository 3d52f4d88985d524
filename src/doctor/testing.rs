//! What the tests of this module share.

use super::{Check, Verdict};
pub use crate::plan::testing::config;

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
