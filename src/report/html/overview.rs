//! Several models in one table, a row each.

use crate::report::{ModelReport, Report, escape::line, record, words};

pub struct Row {
    pub model: String,
    pub emoji: &'static str,
    pub status: &'static str,
    /// Stage that failed.
    pub stage: Option<String>,
    pub ttft: String,
    pub tokens: String,
    pub cost: String,
}

/// Nothing for a single model, whose own part says it all.
pub fn of(report: &Report) -> Vec<Row> {
    match report.models.as_slice() {
        [_] => Vec::new(),
        models => models.iter().map(row).collect(),
    }
}

fn row(model: &ModelReport) -> Row {
    let level = record::lowest(&model.latency);
    let none = || "–".to_owned();
    let rate = level.and_then(|l| l.tokens_per_second);
    let cost = model.hourly_cost_usd.filter(|usd| usd.is_finite());
    Row {
        model: line(&model.model),
        emoji: words::emoji(model.status),
        status: words::status(model.status),
        stage: model.failure.as_ref().map(|f| line(words::stage(&f.stage))),
        ttft: level
            .and_then(|l| l.ttft_ms)
            .map_or_else(none, |d| words::milliseconds(d.p95)),
        tokens: rate.map_or_else(none, |d| words::rate(d.p50)),
        cost: cost.map_or_else(none, |usd| format!("${usd:.2}")),
    }
}
