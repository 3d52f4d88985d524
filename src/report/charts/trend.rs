//! Time to first token over the latest scheduled tests, with the runs that failed.

use super::plot;
use crate::report::record::Record;

/// Runs that a trend shows, the latest.
pub const RUNS: usize = 30;
/// Fewer measured runs are no trend.
const LEAST: usize = 3;

/// The latest runs.
pub fn latest(records: &[Record]) -> &[Record] {
    records
        .get(records.len().saturating_sub(RUNS)..)
        .unwrap_or(records)
}

/// The measured runs: place among all, p50, p95.
fn measured(records: &[Record]) -> Vec<(usize, f64, f64)> {
    let places = (1..).zip(records);
    places
        .filter_map(|(place, record)| {
            let figures = record.ttft_ms.filter(|_| record.is_good())?;
            let usable = |ms: f64| ms.is_finite() && ms >= 0.0;
            (usable(figures.p50) && usable(figures.p95)).then_some((place, figures.p50, figures.p95))
        })
        .collect()
}

/// Places of the runs that failed.
pub fn failed(records: &[Record]) -> Vec<usize> {
    let places = (1..).zip(records);
    places
        .filter(|(_, record)| record.status == crate::report::Status::Failed)
        .map(|(place, _)| place)
        .collect()
}

/// What the chart shows, in words.
fn label(records: &[Record], points: &[(usize, f64, f64)]) -> String {
    let lowest = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let highest = points.iter().map(|p| p.1).fold(0.0, f64::max);
    let failures = match failed(records).len() {
        0 => "none failed".to_owned(),
        n => format!("{n} failed"),
    };
    format!(
        "Time to first token over the latest {} tests: the median lies between {} and {}, {failures}",
        records.len(),
        plot::short_time(lowest.round()),
        plot::short_time(highest.round())
    )
}

/// An `<svg>` element: p50 and p95 of each run, oldest first, and an upright line where a run failed. `None` when
/// there is too little to show.
pub fn trend(records: &[Record]) -> Option<String> {
    let records = latest(records);
    let points = measured(records);
    if points.len() < LEAST {
        return None;
    }
    let highest = points.iter().map(|p| p.2).fold(1.0, f64::max);
    let (from, to) = (0.5, records.len() as f64 + 0.5);
    let line = |value: fn(&(usize, f64, f64)) -> f64| -> Vec<(f64, f64)> {
        points.iter().map(|p| (p.0 as f64, value(p))).collect()
    };
    let marks = plot::marks(1.0, records.len() as f64, 6.0, plot::trimmed);
    let x = plot::Axis {
        from,
        to,
        // A run has a whole number.
        marks: marks.into_iter().filter(|(at, _)| at.fract() == 0.0).collect(),
    };
    let failed: Vec<f64> = failed(records).into_iter().map(|place| place as f64).collect();
    plot::plot_with_events(
        &label(records, &points),
        x,
        plot::upward(highest, plot::short_time),
        &[line(|p| p.1), line(|p| p.2)],
        &plot::Style::Points,
        &failed,
    )
}

/// The same as GitHub draws it, without the runs that failed: mermaid has no gaps and no marks.
pub fn mermaid(records: &[Record]) -> Option<String> {
    let points = measured(latest(records));
    if points.len() < LEAST {
        return None;
    }
    let list = |value: fn(&(usize, f64, f64)) -> String| -> String {
        let all: Vec<String> = points.iter().map(value).collect();
        all.join(", ")
    };
    let highest = points.iter().map(|p| p.2).fold(1.0, f64::max) * 1.1;
    let [p50, p95, ..] = plot::COLOURS;
    Some(format!(
        "%%{{init: {{\"themeVariables\": {{\"xyChart\": {{\"plotColorPalette\": \"{p50}, {p95}\"}}}}}}}}%%\n\
         xychart-beta\n    title \"Time to first token, p50 (blue) and p95 (orange)\"\n    x-axis \"run\" [{}]\n    \
         y-axis \"ms\" 0 --> {highest:.0}\n    line [{}]\n    line [{}]",
        list(|p| format!("\"{}\"", p.0)),
        list(|p| format!("{:.0}", p.1)),
        list(|p| format!("{:.0}", p.2))
    ))
}
