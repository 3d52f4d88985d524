//! The preview against production: what it does differently, and whether it is faster or slower.

use std::fmt::Write as _;

use super::limits::Limits;
use super::{cell, fold, latency::narrow};
use crate::bench::result::{Change, Comparison, LoadShape, Verdict};
use crate::config::latency::Timing;
use crate::report::escape::{clip, prose};
use crate::report::{ModelReport, words};

/// Flags, image and resources that are not production's.
pub fn differences(model: &ModelReport, limits: &Limits, out: &mut String) {
    let Some(differences) = &model.differences else {
        return;
    };
    if differences.is_empty() {
        out.push_str("**Same as production**: flags, image and resources.\n\n");
        return;
    }
    out.push_str("| Unlike production | Production | This preview |\n| :-- | :-- | :-- |\n");
    let value = |text: &str| cell((!text.is_empty()).then_some(text), 100);
    for difference in differences.iter().take(limits.items) {
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            value(&difference.what),
            value(&difference.production),
            value(&difference.preview)
        );
    }
    out.push('\n');
    if differences.len() > limits.items {
        let _ = writeln!(out, "… and {} more.\n", differences.len() - limits.items);
    }
}

/// The verdict in a line, and each figure that really changed.
pub fn verdict(comparison: &Comparison, limits: &Limits, out: &mut String) {
    let baseline = prose(&clip(&comparison.baseline, 120));
    let _ = writeln!(out, "**Against {baseline}:** {}\n", words::tally(comparison));
    let mut real: Vec<&Change> = comparison.changes.iter().filter(|c| is_real(c)).collect();
    real.sort_by_key(|c| c.verdict != Verdict::Worse);
    for change in real.iter().take(limits.items) {
        let shown = words::compared(change);
        let _ = writeln!(
            out,
            "- {} {} at {} is {}: {} instead of {}, {}",
            shown.emoji,
            shown.figure,
            shown.load,
            shown.verdict,
            narrow(&shown.after),
            narrow(&shown.before),
            narrow(&shown.change)
        );
    }
    if !real.is_empty() {
        out.push('\n');
    }
}

fn is_real(change: &Change) -> bool {
    matches!(change.verdict, Verdict::Better | Verdict::Worse)
}

/// What a cell of the latency table says besides its value, on a line of its own: `🔴 +10.6 %`.
pub fn mark(comparison: Option<&Comparison>, load: LoadShape, metric: &str, percentile: f64) -> String {
    let timing = [Timing::Ttft, Timing::Itl, Timing::Tpot, Timing::E2e]
        .into_iter()
        .find(|t| words::timing(*t) == metric);
    let found = comparison.and_then(|comparison| {
        comparison.changes.iter().find(|c| {
            is_real(c)
                && c.load == load
                && Some(c.timing) == timing
                && (c.percentile - percentile).abs() < 0.01
        })
    });
    found.map_or_else(String::new, |change| {
        let shown = words::compared(change);
        format!("<br>{} {}", shown.emoji, narrow(&shown.change)).replace(' ', "\u{a0}")
    })
}

/// Every figure that was compared, folded.
pub fn details(comparison: &Comparison, limits: &Limits, out: &mut String) {
    let mut content = String::new();
    if !comparison.changes.is_empty() {
        content.push_str("| | Before | Now | Change |\n| :-- | --: | --: | :-- |\n");
    }
    for change in comparison.changes.iter().take(limits.items) {
        let shown = words::compared(change);
        let _ = writeln!(
            content,
            "| {}, {} | {} | {} | {} {}: {} ({}) |",
            shown.figure,
            shown.load,
            narrow(&shown.before),
            narrow(&shown.after),
            shown.emoji,
            shown.verdict,
            narrow(&shown.change),
            narrow(&shown.interval)
        );
    }
    for note in comparison.notes.iter().take(limits.items) {
        let _ = writeln!(content, "\n{}", prose(&clip(note, limits.prose)));
    }
    if content.is_empty() {
        return;
    }
    let figures = words::plural(comparison.changes.len() as u64, "figure");
    fold(
        &format!("⚖️ <b>What was compared</b>: {figures}"),
        false,
        &content,
        out,
    );
}
