//! Several models: one table with a row each, details folded.

use std::fmt::Write as _;

use super::limits::Limits;
use super::{fold, model};
use crate::bench::result::Distribution;
use crate::report::escape::{cell_code, clip, html, link, prose};
use crate::report::{ModelReport, Status, words};

pub fn render(models: &[ModelReport], limits: &Limits, out: &mut String) {
    // What failed comes first in the details, and stays when they are shortened.
    let mut order: Vec<&ModelReport> = models.iter().collect();
    order.sort_by_key(|m| m.status != Status::Failed);
    failures(&order, limits, out);
    out.push_str("| Model | Endpoint | TTFT p50 | ITL p50 | E2E p50 | Tokens/s |\n| :-- | :-- | --: | --: | --: | --: |\n");
    let rows: Vec<&ModelReport> = if models.len() > limits.rows {
        order.clone()
    } else {
        models.iter().collect()
    };
    for model in rows.iter().take(limits.rows) {
        row(model, out);
    }
    out.push('\n');
    if models.len() > limits.rows {
        let _ = writeln!(out, "… and {} more models.\n", models.len() - limits.rows);
    }
    if models.iter().any(|m| !m.latency.is_empty()) {
        out.push_str("Latency at the lowest concurrency; all of it is in each model's details.\n\n");
    }
    for one in order.iter().take(limits.details) {
        let summary = format!(
            "{} <b><code>{}</code></b>: {}",
            words::emoji(one.status),
            html(&clip(&one.model, 120)),
            words::status(one.status)
        );
        fold(
            &summary,
            one.status == Status::Failed && models.len() <= 3,
            &model::details(one, limits),
            out,
        );
    }
}

fn failures(models: &[&ModelReport], limits: &Limits, out: &mut String) {
    let failed = models.iter().filter_map(|m| Some((m, m.failure.as_ref()?)));
    let mut any = false;
    for (model, failure) in failed.take(limits.items) {
        any = true;
        let fix = failure
            .fix
            .as_ref()
            .map(|f| format!(" {}", prose(&clip(f, 300))))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "- ❌ {}: **{}.**{fix}",
            cell_code(&clip(&model.model, 120)),
            prose(clip(&failure.title, 300).trim_end_matches('.'))
        );
    }
    if any {
        out.push('\n');
    }
}

fn row(model: &ModelReport, out: &mut String) {
    let endpoint = match model.url.as_deref() {
        Some(url) => link(&cell_code(&clip(&model.service, 60)), url),
        None => cell_code(&clip(&model.service, 60)),
    };
    let latency = model
        .latency
        .iter()
        .min_by_key(|l| l.concurrency().unwrap_or(u32::MAX));
    let ms = |p: Option<Distribution>| p.map_or_else(|| "–".to_owned(), |p| words::milliseconds(p.p50));
    let _ = writeln!(
        out,
        "| {} {} | {endpoint} | {} | {} | {} | {} |",
        words::emoji(model.status),
        cell_code(&clip(&model.model, 80)),
        ms(latency.and_then(|l| l.ttft_ms)),
        ms(latency.and_then(|l| l.itl_ms)),
        ms(latency.and_then(|l| l.e2e_ms)),
        latency
            .and_then(|l| l.tokens_per_second)
            .map_or_else(|| "–".to_owned(), |p| words::rate(p.p50)),
    );
}
