//! The latency table, one block of rows per concurrency.

use std::fmt::Write as _;

use super::limits::Limits;
use crate::bench::result::Level;
use crate::report::escape::{clip, prose};
use crate::report::{ModelReport, words};

pub fn render(model: &ModelReport, limits: &Limits, out: &mut String) {
    if model.latency.is_empty() {
        if let Some(cold) = words::cold_start(model) {
            let _ = writeln!(out, "{cold}\n");
        }
        return;
    }
    out.push_str("#### Latency\n\n| Requests | p50 | p95 | p99 |\n| :-- | --: | --: | --: |\n");
    for result in model.latency.iter().take(limits.items) {
        rows(result, out);
    }
    out.push('\n');
    for result in model.latency.iter().take(limits.items) {
        let _ = writeln!(
            out,
            "- {}: {}",
            words::load_name(result.load),
            words::load(result)
        );
        for sample in result.error_samples.iter().take(3) {
            let _ = writeln!(
                out,
                "  - failed with: {}",
                prose(&clip(sample, limits.prose.min(300)))
            );
        }
    }
    if let Some(cold) = words::cold_start(model) {
        let _ = writeln!(out, "- {cold}");
    }
    let _ = writeln!(out, "\n{}", words::latency_note(&model.latency));
    for note in words::notes(&model.latency) {
        let _ = writeln!(out, "{}", prose(&clip(&note, limits.prose)));
    }
    out.push('\n');
}

/// A row that names the load, and one for each metric: four narrow columns fit a phone.
fn rows(result: &Level, out: &mut String) {
    let metrics = words::metrics(result);
    let empty = if metrics.is_empty() {
        ": nothing measured"
    } else {
        ""
    };
    let _ = writeln!(out, "| **{}**{empty} | | | |", words::load_name(result.load));
    for metric in metrics {
        // A number and its unit stay on one line.
        let [p50, p95, p99] = metric.values.map(|v| v.replace(' ', "\u{a0}"));
        let _ = writeln!(out, "| {} | {p50} | {p95} | {p99} |", metric.name);
    }
}
