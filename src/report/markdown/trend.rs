//! How production did in its latest tests: a chart, and the same in words.

use std::fmt::Write as _;

use crate::report::{
    ModelReport, Report, Status,
    charts::trend::{failed, latest, mermaid},
    escape::{cell_code, clip, link, prose},
    record::Record,
    words,
};

/// Failed runs that are listed, the latest.
const LISTED: usize = 5;
/// Models whose trend is shown.
const MODELS: usize = 20;

/// Nothing when no model has a run before this one.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let models = report.models.iter().filter(|model| model.trend.len() > 1);
    for model in models.take(MODELS) {
        one(model, &mut out);
    }
    out
}

fn one(model: &ModelReport, out: &mut String) {
    let records = latest(&model.trend);
    let _ = writeln!(
        out,
        "\n#### Latest {} tests of {}\n",
        records.len(),
        cell_code(&clip(&model.service, 80))
    );
    if let Some(chart) = mermaid(records) {
        let _ = writeln!(out, "```mermaid\n{chart}\n```\n");
    }
    let marks: Vec<&str> = records.iter().map(|record| mark(record)).collect();
    let _ = writeln!(out, "Oldest first: {}\n", marks.join(" "));
    let _ = writeln!(out, "{}\n", sentence(records));
    let places = failed(records);
    for place in places.iter().rev().take(LISTED) {
        if let Some(record) = records.get(place - 1) {
            let _ = writeln!(out, "- Run {place}, {}", failure(record));
        }
    }
    if places.len() > LISTED {
        let _ = writeln!(out, "- … and {} earlier", places.len() - LISTED);
    }
}

const fn mark(record: &Record) -> &'static str {
    match record.status {
        Status::Succeeded => "✅",
        Status::Failed => "❌",
        // The test could not be made.
        _ => "▫️",
    }
}

fn sentence(records: &[Record]) -> String {
    let good = records.iter().filter(|record| record.is_good()).count();
    let mut parts = vec![format!("{good} of {} were good", records.len())];
    let untested = records
        .iter()
        .filter(|record| record.status == Status::Skipped)
        .count();
    if untested > 0 {
        parts.push(format!("{untested} could not be made (▫️)"));
    }
    let medians = || {
        let figures = records.iter().filter(|r| r.is_good()).filter_map(|r| r.ttft_ms);
        figures.map(|figures| figures.p50).filter(|ms| ms.is_finite())
    };
    let (lowest, highest) = medians().fold((f64::INFINITY, 0.0_f64), |(low, high), ms| {
        (low.min(ms), high.max(ms))
    });
    if let Some(last) = medians().next_back() {
        parts.push(format!(
            "the median time to the first token lies between {} and {}, in the latest good one it is {}",
            words::milliseconds(lowest),
            words::milliseconds(highest),
            words::milliseconds(last)
        ));
    }
    parts.join("; ") + "."
}

fn failure(record: &Record) -> String {
    let at = words::time(record.at);
    let at = record.run_url.as_ref().map_or(at.clone(), |url| link(&at, url));
    let cause = record.cause.as_deref().unwrap_or_default();
    if cause.is_empty() {
        return at;
    }
    format!("{at}: {}", prose(&clip(cause, 200)))
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone, Utc};

    use super::*;
    use crate::report::{charts::trend, escape::inspect::inspect, markdown, record::Figures, samples};

    /// Runs day by day: the median in milliseconds, or why it failed.
    fn runs(all: &[Result<f64, &str>]) -> Vec<Record> {
        let mut record = Record::in_run(Utc::now(), "4f1c2a9", None, &samples::model());
        let day = |n: usize| {
            let first = Utc.with_ymd_and_hms(2026, 11, 1, 6, 17, 0).unwrap();
            first + TimeDelta::days(i64::try_from(n).unwrap())
        };
        let mut out = Vec::new();
        for (n, run) in all.iter().enumerate() {
            record.at = day(n);
            record.run_url = Some(format!("https://github.com/acme/models/actions/runs/{n}"));
            record.status = if run.is_ok() {
                Status::Succeeded
            } else {
                Status::Failed
            };
            record.cause = run.err().map(str::to_owned);
            record.ttft_ms = run.ok().map(|p50| Figures {
                p50,
                p95: p50 * 1.5,
                p99: p50 * 2.0,
            });
            out.push(record.clone());
        }
        out
    }

    fn report(trend: Vec<Record>) -> Report {
        let mut report = samples::production();
        report.models[0].trend = trend;
        report
    }

    #[test]
    fn the_summary_shows_the_trend_and_the_comment_does_not() {
        let mut all = vec![Ok(210.0), Ok(220.0), Err("status 503"), Ok(205.0), Ok(240.0)];
        all.extend([Err("no answer"), Ok(231.0)]);
        let mut trend = runs(&all);
        trend[1].status = Status::Skipped;
        let report = report(trend);
        insta::assert_snapshot!(render(&report));
        assert!(markdown::summary(&report).contains("#### Latest 7 tests"));
        assert!(!markdown::comment(&report, "preview").contains("#### Latest"));
    }

    #[test]
    fn the_latest_thirty_runs_are_drawn_with_those_that_failed() {
        let all: Vec<Result<f64, &str>> = (0..40)
            .map(|n| {
                if n % 9 == 0 {
                    Err("down")
                } else {
                    Ok(200.0 + f64::from(n))
                }
            })
            .collect();
        let records = runs(&all);
        let svg = trend::chart(&records).unwrap().svg;
        assert!(svg.starts_with("<svg") && svg.contains("over 30 runs"), "{svg}");
        assert!(svg.contains("3 failed"), "{svg}");
        assert_eq!(svg.matches("#DC2626").count(), 3, "an upright line each: {svg}");
        let chart = mermaid(&records).unwrap();
        let line = chart
            .lines()
            .find(|line| line.trim().starts_with("line"))
            .unwrap();
        assert_eq!(line.matches(',').count(), 26, "27 were measured: {line}");
    }

    #[test]
    fn too_few_runs_are_told_in_words_alone() {
        assert_eq!(render(&report(runs(&[Ok(1.0)]))), "");
        let two = render(&report(runs(&[Ok(1.0), Err("down")])));
        assert!(!two.contains("mermaid") && two.contains("✅ ❌"), "{two}");
        assert!(two.contains("1 of 2 were good"), "{two}");
        assert!(trend::chart(&runs(&[Ok(1.0), Err("down")])).is_none());
        let unusable = runs(&[Ok(f64::NAN), Ok(f64::INFINITY), Ok(-1.0), Ok(0.0)]);
        assert!(trend::chart(&unusable).is_none() && mermaid(&unusable).is_none());
    }

    #[test]
    fn what_the_history_says_does_nothing_in_the_summary() {
        let mut records = runs(&[Ok(1.0), Err(samples::HOSTILE), Err(samples::HOSTILE)]);
        records[1].run_url = Some(format!("javascript:{}", samples::HOSTILE));
        let active = inspect(&render(&report(records)));
        assert!(active.autolinked.is_empty(), "{:?}", active.autolinked);
        assert!(active.html.is_empty() && active.images.is_empty());
        assert_eq!(active.links, ["https://github.com/acme/models/actions/runs/2"]);
    }
}
