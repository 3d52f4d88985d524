//! Several models: one table with a row each, details folded.

use std::fmt::Write as _;

use super::limits::Limits;
use super::{fold, history, latency::narrow, model, progress};
use crate::bench::result::{Distribution, Level};
use crate::report::escape::{cell_code, clip, html, link, prose};
use crate::report::record::lowest;
use crate::report::{ModelReport, Report, Status, words};

pub fn render(models: &[ModelReport], report: &Report, limits: &Limits, out: &mut String) {
    // What failed comes first in the details, and stays when they are shortened.
    let mut order: Vec<&ModelReport> = models.iter().collect();
    order.sort_by_key(|m| m.status != Status::Failed);
    failures(&order, limits, out);
    let good: Vec<_> = models
        .iter()
        .filter_map(|m| history::stand_in(m, report))
        .collect();
    // The text that GitHub mails is plain.
    if !words::has_ended(report.status) && !models.iter().any(has_begun) {
        for model in models.iter().take(limits.items) {
            let _ = writeln!(out, "- {}", name(model, report).replace("<br>", " · "));
        }
        out.push('\n');
        history::last_good(&good, report, limits, out);
        return;
    }
    let rows: Vec<&ModelReport> = if models.len() > limits.rows {
        order.clone()
    } else {
        models.iter().collect()
    };
    let columns = columns(models, report);
    let _ = writeln!(
        out,
        "| Model |{}",
        columns
            .iter()
            .map(|c| format!(" {} |", c.title))
            .collect::<String>()
    );
    let _ = writeln!(
        out,
        "| :-- |{}",
        columns
            .iter()
            .map(|c| format!(" {} |", c.align))
            .collect::<String>()
    );
    for model in rows.iter().take(limits.rows) {
        let cells: String = columns
            .iter()
            .map(|c| format!(" {} |", (c.cell)(model)))
            .collect();
        let _ = writeln!(out, "| {} |{cells}", name(model, report));
    }
    out.push('\n');
    if models.len() > limits.rows {
        let _ = writeln!(out, "… and {} more models.\n", models.len() - limits.rows);
    }
    if models.iter().any(|m| !m.latency.is_empty()) {
        out.push_str("Latency at the lowest concurrency, p50; all of it is in each model's details.\n\n");
    }
    history::last_good(&good, report, limits, out);
    for one in order.iter().take(limits.details) {
        let summary = format!(
            "{} <b><code>{}</code></b>: {}",
            words::emoji(one.status),
            html(&clip(&one.model, 120)),
            words::status(one.status)
        );
        let details = model::details(one, report, limits);
        if !details.trim().is_empty() {
            let open = one.status == Status::Failed && models.len() <= 3;
            fold(&summary, open, &details, out);
        }
    }
}

fn failures(models: &[&ModelReport], limits: &Limits, out: &mut String) {
    let failed = models.iter().filter_map(|m| Some((m, m.failure.as_ref()?)));
    let mut any = false;
    for (model, failure) in failed.take(limits.items) {
        any = true;
        // Of a cause with many lines the details have all.
        let cause = Some(&failure.cause).filter(|cause| !cause.trim().contains('\n'));
        let sentence = |text: &String| match clip(text.trim(), limits.prose.min(300)) {
            text if text.is_empty() => String::new(),
            text => format!(" {}.", prose(text.trim_end_matches('.'))),
        };
        let why: String = cause.into_iter().chain(&failure.fix).map(sentence).collect();
        let _ = writeln!(
            out,
            "- ❌ {}: **{}.**{why}",
            cell_code(&clip(&model.model, 120)),
            prose(&words::capital(
                clip(&failure.title, limits.prose.min(300)).trim_end_matches('.')
            ))
        );
    }
    if any {
        out.push('\n');
    }
}

/// Whether there is more to tell than that it is planned.
fn has_begun(model: &ModelReport) -> bool {
    let mut stages = model.stages.iter();
    words::has_ended(model.status) || stages.any(|s| s.name != "plan" && s.status != Status::Queued)
}

struct Column {
    title: &'static str,
    align: &'static str,
    cell: fn(&ModelReport) -> String,
}

/// Those that have something to tell: the fewer, the better on a phone.
fn columns(models: &[ModelReport], report: &Report) -> Vec<Column> {
    let any = |has: fn(&ModelReport) -> bool| models.iter().any(has);
    let goes_on = !words::has_ended(report.status);
    let left = |title, cell| Column {
        title,
        align: ":--",
        cell,
    };
    let right = |title, cell| Column {
        title,
        align: "--:",
        cell,
    };
    let measured = any(|m| !m.latency.is_empty());
    [
        (measured, right("TTFT", |m| time(m, |l| l.ttft_ms))),
        (measured, right("ITL", |m| time(m, |l| l.itl_ms))),
        (
            any(|m| m.comparison.is_some()),
            left("Against the baseline", against),
        ),
        (
            any(|m| m.hourly_cost_usd.is_some()) && !goes_on,
            right("Cost an hour", cost),
        ),
    ]
    .into_iter()
    .filter_map(|(wanted, column)| wanted.then_some(column))
    .collect()
}

/// Status and model, below them the service, linked to its endpoint, and what it is at.
fn name(model: &ModelReport, report: &Report) -> String {
    let service = cell_code(&clip(&model.service, 60));
    let endpoint = match model.url.as_deref() {
        Some(url) => link(&service, url),
        None => service,
    };
    let now = progress::now(model, report).map_or_else(String::new, |now| format!("<br>{now}"));
    format!(
        "{} {}<br>{endpoint}{now}",
        words::emoji(model.status),
        cell_code(&clip(&model.model, 80))
    )
}

fn time(model: &ModelReport, get: fn(&Level) -> Option<Distribution>) -> String {
    let figure = lowest(&model.latency).and_then(get);
    figure.map_or_else(|| "–".to_owned(), |d| narrow(&words::milliseconds(d.p50)))
}

/// One verdict below the other. What did not change is told only where nothing did.
fn against(model: &ModelReport) -> String {
    let Some(comparison) = &model.comparison else {
        return "–".to_owned();
    };
    let tally = words::tally(comparison);
    let real: Vec<&str> = tally
        .split(" · ")
        .filter(|part| part.ends_with("worse") || part.ends_with("better"))
        .collect();
    if real.is_empty() {
        tally.replace(" · ", "<br>")
    } else {
        real.join("<br>")
    }
}

/// While an instance runs, and when nobody calls.
fn cost(model: &ModelReport) -> String {
    let dollars = |usd: Option<f64>| {
        usd.filter(|c| c.is_finite())
            .map(|usd| cell_code(&format!("${usd:.2}")))
    };
    match (dollars(model.hourly_cost_usd), dollars(model.idle_cost_usd)) {
        (Some(running), Some(idle)) => format!("{running}<br>idle\u{a0}{idle}"),
        (Some(running), None) => running,
        _ => "–".to_owned(),
    }
}
