//! The latency tables: objectives, figures for each load with what changed against a baseline, a curve.

use std::fmt::Write as _;

use super::limits::Limits;
use super::{against, fold};
use crate::bench::result::{Comparison, Level};
use crate::report::escape::{cell_code, clip, fence, prose};
use crate::report::{ModelReport, charts, words};

pub fn render(model: &ModelReport, limits: &Limits, out: &mut String) {
    if model.latency.is_empty() {
        if let Some(cold) = words::cold_start(model) {
            let _ = writeln!(out, "{cold}\n");
        }
        return;
    }
    out.push_str("#### Latency\n\n");
    let levels: Vec<&Level> = model.latency.iter().take(limits.items).collect();
    let comparison = model.comparison.as_ref();
    objectives(&levels, limits, out);
    if let Some(comparison) = comparison {
        against::verdict(comparison, limits, out);
    }
    figures(&levels, comparison, out);
    for level in &levels {
        details(level, limits, out);
    }
    if let Some(cold) = words::cold_start(model) {
        let _ = writeln!(out, "- {cold}");
    }
    let _ = writeln!(out, "\n{}", words::latency_note(&model.latency));
    for note in words::notes(&model.latency).iter().take(limits.items) {
        let _ = writeln!(out, "{}", prose(&clip(note, limits.prose)));
    }
    out.push('\n');
    if let Some(comparison) = comparison {
        against::details(comparison, limits, out);
    }
    if limits.shortened {
        return;
    }
    server(&levels, limits, out);
    if let Some(chart) = charts::mermaid::chart(&model.latency) {
        // In mail it is shown as its source, so that it is folded.
        fold("📈 <b>Latency by load</b>", false, &fence("mermaid", &chart), out);
    }
}

/// What was asked of the figures, before the figures.
fn objectives(levels: &[&Level], limits: &Limits, out: &mut String) {
    let judged: Vec<&&Level> = levels.iter().filter(|l| !l.objectives.is_empty()).collect();
    if judged.is_empty() {
        return;
    }
    out.push_str("| Objective | Measured | Limit | Margin |\n| :-- | --: | --: | --: |\n");
    for level in judged {
        let _ = writeln!(out, "| **{}** | | | |", words::load_name(level.load));
        for outcome in level.objectives.iter().take(limits.items) {
            let shown = words::outcome(outcome);
            let mark = if shown.met { "✅" } else { "❌" };
            let _ = writeln!(
                out,
                "| {mark} {} | {} | {}\u{a0}{} | {} |",
                cell_code(&shown.key),
                narrow(&shown.measured),
                shown.bound,
                narrow(&shown.limit),
                shown.margin.trim_end_matches(" to spare")
            );
        }
    }
    out.push('\n');
}

fn figures(levels: &[&Level], comparison: Option<&Comparison>, out: &mut String) {
    out.push_str("| Requests | p50 | p95 | p99 |\n| :-- | --: | --: | --: |\n");
    for level in levels {
        rows(level, comparison, out);
    }
    out.push('\n');
}

/// A row that names the load, and one for each metric: four narrow columns fit a phone.
fn rows(result: &Level, comparison: Option<&Comparison>, out: &mut String) {
    let metrics = words::metrics(result);
    let empty = if metrics.is_empty() {
        ": nothing measured"
    } else {
        ""
    };
    let _ = writeln!(out, "| **{}**{empty} | | | |", words::load_name(result.load));
    for metric in metrics {
        let _ = write!(out, "| {}", metric.name);
        for (value, percentile) in metric.values.iter().zip([50.0, 95.0, 99.0]) {
            let mark = against::mark(comparison, result.load, metric.name, percentile);
            let _ = write!(out, " | {}{mark}", narrow(value));
        }
        out.push_str(" |\n");
    }
}

/// A number and its unit stay on one line.
pub fn narrow(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

fn details(level: &Level, limits: &Limits, out: &mut String) {
    let load = prose(&clip(&words::load(level), limits.prose));
    let _ = writeln!(out, "- {}: {load}", words::load_name(level.load));
    if let Some(goodput) = words::goodput(level) {
        let _ = writeln!(out, "  - {goodput}");
    }
    for sample in level.error_samples.iter().take(3) {
        let _ = writeln!(
            out,
            "  - failed with: {}",
            prose(&clip(sample, limits.prose.min(300)))
        );
    }
}

/// The server's own figures, folded: they say where the time goes.
fn server(levels: &[&Level], limits: &Limits, out: &mut String) {
    let mut content = String::new();
    for level in levels {
        let Some(server) = &level.server else { continue };
        let shown = words::server(server).unwrap_or_else(|| "no figures".to_owned());
        let _ = writeln!(content, "- {}: {shown}", words::load_name(level.load));
        for note in server.notes.iter().take(3) {
            let _ = writeln!(content, "  - {}", prose(&clip(note, limits.prose.min(300))));
        }
    }
    if !content.is_empty() {
        fold("🔬 <b>The server's own figures</b>", false, &content, out);
    }
}
