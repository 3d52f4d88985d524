//! The diagnosis for programs. `docs/doctor.md` describes it.

use serde::Serialize;

use super::{Check, Verdict, overall};

/// Grows when something is renamed or goes; new fields and new checks may come without.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    tool_version: &'static str,
    project: &'a str,
    region: &'a str,
    verdict: Verdict,
    checks: &'a [Check],
}

pub fn render(project: &str, region: &str, checks: &[Check]) -> String {
    let document = Document {
        schema_version: SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION"),
        project,
        region,
        verdict: overall(checks),
        checks,
    };
    // Text and numbers only: it can't fail.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}
