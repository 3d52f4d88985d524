//! Earlier results of the same model: a table, and a chart when there are enough.

use crate::report::{
    ModelReport, Report,
    charts::{Chart, trend},
    escape::{clip, line, safe_url},
    record::Record,
    words,
};

/// Rows that show at once; the rest is folded.
const SHOWN: usize = 10;

/// For the template. Newest first.
pub struct History {
    pub chart: Option<Chart>,
    pub rows: Vec<Row>,
    pub more: Vec<Row>,
}

pub struct Row {
    pub when: String,
    pub commit: String,
    pub url: Option<String>,
    pub emoji: &'static str,
    pub status: &'static str,
    /// Why it failed.
    pub cause: Option<String>,
    pub ttft: String,
    pub ttft_p95: String,
    pub tokens: String,
}

/// `None` when this is the first result.
pub fn of(report: &Report, model: &ModelReport) -> Option<History> {
    let mut records = earlier(report, model);
    if records.is_empty() {
        return None;
    }
    let this = Record::of(report, model);
    // A run that was begun anew may find what it wrote before.
    if !records.iter().any(|r| r.at == this.at && r.commit == this.commit) {
        records.push(this);
    }
    let mut rows: Vec<Row> = records.iter().rev().map(row).collect();
    let more = rows.split_off(rows.len().min(SHOWN));
    Some(History {
        chart: trend::chart(&records),
        rows,
        more,
    })
}

/// Of production its history, of a preview what its comment remembers; oldest first.
fn earlier(report: &Report, model: &ModelReport) -> Vec<Record> {
    if !model.trend.is_empty() {
        return model.trend.clone();
    }
    let own = |record: &&Record| record.service == model.service;
    report.memory.records.iter().filter(own).rev().cloned().collect()
}

fn row(record: &Record) -> Row {
    let time = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| clip(&words::milliseconds(ms), 16));
    let ttft = record.ttft_ms;
    Row {
        when: record.at.format("%Y-%m-%d %H:%M").to_string(),
        commit: words::short_commit(&line(&record.commit)),
        url: record.run_url.as_deref().and_then(safe_url),
        emoji: words::emoji(record.status),
        status: words::status(record.status),
        cause: record.cause.as_ref().map(|cause| clip(&line(cause), 200)),
        ttft: time(ttft.map(|t| t.p50)),
        ttft_p95: time(ttft.map(|t| t.p95)),
        tokens: record
            .tokens_per_second
            .map_or_else(|| "–".to_owned(), |rate| clip(&words::rate(rate), 16)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_newest_stands_first_and_this_run_above_all() {
        let report = samples::pages().remove(0).1;
        let history = of(&report, &report.models[0]).unwrap();
        assert_eq!(history.rows[0].when, "2026-11-24 09:00");
        assert_eq!(history.rows.len(), SHOWN);
        let chart = history.chart.unwrap();
        assert!(
            chart.title.starts_with("Time to first token over 1"),
            "{}",
            chart.title
        );
    }

    #[test]
    fn another_models_results_in_the_same_comment_are_not_this_ones() {
        let mut report = samples::preview();
        assert!(of(&report, &report.models[0]).is_none());
        let mut other = Record::of(&report, &report.models[0]);
        other.at -= chrono::Duration::hours(1);
        other.service = "other".to_owned();
        report.memory.records = vec![other.clone()];
        assert!(of(&report, &report.models[0]).is_none());
        other.service.clone_from(&report.models[0].service);
        report.memory.records.push(other);
        assert_eq!(of(&report, &report.models[0]).unwrap().rows.len(), 2);
    }
}
