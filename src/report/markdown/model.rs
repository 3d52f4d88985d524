//! Everything about one model.

use std::fmt::Write as _;

use super::limits::Limits;
use super::{against, facts, failure, fold, history, latency, links};
use crate::report::escape::{cell_code, clip, code, fence, prose};
use crate::report::{CheckOutcome, ModelReport, Report, Stage, Status, call, words};

/// The only model of a report: its details stand open.
pub fn single(model: &ModelReport, report: &Report, limits: &Limits, out: &mut String) {
    cause(model, report, limits, out);
    let good: Vec<_> = history::stand_in(model, report).into_iter().collect();
    history::last_good(&good, report, limits, out);
    render(model, Some(words::total(report)), limits, out);
}

/// One of several models, for a folded part of its own; folds inside folds are hard to read on a phone, so
/// checks and stages follow one another.
pub fn details(model: &ModelReport, report: &Report, limits: &Limits) -> String {
    let mut out = String::new();
    cause(model, report, limits, &mut out);
    render(model, None, limits, &mut out);
    out
}

/// Cause and fix, before everything else.
fn cause(model: &ModelReport, report: &Report, limits: &Limits, out: &mut String) {
    if let Some(failure) = &model.failure {
        failure::render(failure, Some(report), limits, out);
    }
}

fn render(model: &ModelReport, total: Option<String>, limits: &Limits, out: &mut String) {
    let ended = words::has_ended(model.status);
    warnings(model, limits, out);
    if ended || model.url.is_some() {
        facts::render(model, out);
    } else if let Some(cost) = words::cost(model) {
        let _ = writeln!(out, "Cost: {}\n", prose(&cost));
    }
    against::differences(model, limits, out);
    facts::changes(model, limits, out);
    latency::render(model, limits, out);
    checks(model, limits, out);
    snippets(model, limits, out);
    if ended {
        stages(model, total, limits, out);
    }
    if let Some(links) = links(model, limits) {
        let _ = writeln!(out, "{links}\n");
    }
}

fn warnings(model: &ModelReport, limits: &Limits, out: &mut String) {
    for warning in model.warnings.iter().take(limits.items) {
        let _ = writeln!(out, "> ⚠️ {}\n", prose(&clip(warning, limits.prose)));
    }
}

/// Folded, open when one failed.
fn checks(model: &ModelReport, limits: &Limits, out: &mut String) {
    if model.checks.is_empty() {
        return;
    }
    let failed = model.checks.iter().any(|c| !c.passed);
    // Failed ones first, so that shortening never hides one.
    let mut all: Vec<&CheckOutcome> = model.checks.iter().collect();
    all.sort_by_key(|c| c.passed);
    let mut content = String::new();
    let shown = if limits.passed_checks {
        limits.items
    } else {
        limits.items.min(all.iter().filter(|c| !c.passed).count())
    };
    for check in all.iter().take(shown) {
        line(check, limits, &mut content);
    }
    facts::more(all.len(), shown, &mut content);
    for check in all.iter().filter(|c| !c.passed).take(limits.items) {
        let said = model.failure.as_ref().and_then(|failure| failure.fix.as_ref());
        evidence(check, said, limits, &mut content);
    }
    let emoji = if failed { "❌" } else { "✅" };
    let summary = format!("{emoji} <b>Smoke checks</b>: {}", words::checks(model));
    fold(&summary, failed, &content, out);
}

fn line(check: &CheckOutcome, limits: &Limits, out: &mut String) {
    let emoji = if check.passed { "✅" } else { "❌" };
    let _ = writeln!(
        out,
        "- {emoji} {} ({}): {}",
        code(&clip(&check.name, 100)),
        words::spent(check.duration),
        prose(&clip(&check.detail, limits.prose))
    );
}

/// `said` stands above already.
fn evidence(check: &CheckOutcome, said: Option<&String>, limits: &Limits, out: &mut String) {
    for (what, text) in [("Sent", &check.sent), ("Received", &check.received)] {
        if let Some(text) = text {
            let _ = writeln!(
                out,
                "\n{what} by {}:\n\n{}",
                code(&clip(&check.name, 100)),
                fence("text", &clip(text, limits.excerpt))
            );
        }
    }
    if let Some(hint) = check.hint.as_ref().filter(|hint| said != Some(hint)) {
        let _ = writeln!(out, "\n**Look at:** {}\n", prose(&clip(hint, limits.prose)));
    }
}

fn snippets(model: &ModelReport, limits: &Limits, out: &mut String) {
    let snippets = call::snippets(model);
    if snippets.is_empty() || !limits.snippets {
        return;
    }
    let mut content = String::new();
    for snippet in &snippets {
        let _ = writeln!(content, "{}", fence(snippet.language, &snippet.code));
    }
    if model.private {
        let _ = writeln!(content, "{}", prose(call::PRIVATE_NOTE));
    }
    let titles: Vec<&str> = snippets.iter().map(|s| s.title).collect();
    let summary = format!("📞 <b>How to call it</b>: {}", titles.join(", "));
    fold(&summary, false, &content, out);
}

/// Then what would be done is all that there is to read.
fn only_planned(stage: &Stage) -> bool {
    stage.name == "plan" && stage.status == Status::Skipped
}

fn stages(model: &ModelReport, total: Option<String>, limits: &Limits, out: &mut String) {
    if model.stages.is_empty() {
        return;
    }
    let mut content = "| Stage | | Time | |\n| :-- | :-- | --: | :-- |\n".to_owned();
    for stage in model.stages.iter().take(limits.items) {
        let _ = writeln!(
            content,
            "| {} | {} {} | {} | {} |",
            prose(&clip(words::stage(&stage.name), 60)),
            words::emoji(stage.status),
            words::status(stage.status),
            words::spent(stage.duration),
            prose(&clip(&stage.detail, limits.prose.min(300)))
        );
    }
    if let Some(image) = &model.image {
        let _ = writeln!(content, "\nImage: {}", cell_code(&clip(image, 300)));
    }
    let total = total.map(|t| format!(": {t} in all")).unwrap_or_default();
    fold(
        &format!("⏱️ <b>Stages</b>{total}"),
        model.status == Status::Deleted || model.stages.iter().any(only_planned),
        &content,
        out,
    );
}
