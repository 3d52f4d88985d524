//! The latency table, one block of rows per concurrency.

use std::fmt::Write as _;

use super::limits::Limits;
use crate::report::escape::{clip, prose};
use crate::report::{LatencyResult, ModelReport, words};

pub fn render(model: &ModelReport, limits: &Limits, out: &mut String) {
    if model.latency.is_empty() {
        if let Some(cold) = words::cold_start(model) {
            let _ = writeln!(out, "{cold}\n");
        }
        return;
    }
    out.push_str(
        "#### Latency\n\n| Requests at a time | | p50 | p95 | p99 |\n| :-- | :-- | --: | --: | --: |\n",
    );
    for result in model.latency.iter().take(limits.items) {
        rows(result, out);
    }
    out.push('\n');
    for result in model.latency.iter().take(limits.items) {
        let _ = writeln!(out, "- {} at a time: {}", result.concurrency, words::load(result));
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
    let _ = writeln!(out, "\n<sub>{}</sub>\n", words::latency_note(&model.latency));
}

fn rows(result: &LatencyResult, out: &mut String) {
    let metrics = words::metrics(result);
    if metrics.is_empty() {
        let _ = writeln!(
            out,
            "| **{}** | nothing measured | – | – | – |",
            result.concurrency
        );
    }
    for (i, metric) in metrics.iter().enumerate() {
        let label = if i == 0 {
            format!("**{}**", result.concurrency)
        } else {
            String::new()
        };
        let [p50, p95, p99] = &metric.values;
        let _ = writeln!(out, "| {label} | {} | {p50} | {p95} | {p99} |", metric.name);
    }
}
