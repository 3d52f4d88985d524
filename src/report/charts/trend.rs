//! Time to first token from run to run. Runs stand side by side, whenever they were; those that measured nothing have
//! no point.

use super::{Chart, plot};
use crate::report::{
    Status,
    record::{Figures, Record},
};

/// Runs that a trend shows, the latest.
const RUNS: usize = 30;
/// Fewer measured runs are no trend.
const LEAST: usize = 2;
/// Dates that fit under the axis.
const DATED: usize = 4;

/// The latest runs.
pub fn latest(records: &[Record]) -> &[Record] {
    records
        .get(records.len().saturating_sub(RUNS)..)
        .unwrap_or(records)
}

/// The measured runs with their places among all; `None` when they are too few.
fn measured(records: &[Record]) -> Option<Vec<(usize, Figures)>> {
    let usable = |ms: f64| ms.is_finite() && ms >= 0.0;
    let places = (1..).zip(records);
    let points: Vec<_> = places
        .filter_map(|(place, record)| Some((place, record.ttft_ms?)))
        .filter(|(_, figures)| usable(figures.p50) && usable(figures.p95))
        .collect();
    (points.len() >= LEAST).then_some(points)
}

/// Places of the runs that failed.
pub fn failed(records: &[Record]) -> Vec<usize> {
    let places = (1..).zip(records);
    places
        .filter(|(_, record)| record.status == Status::Failed)
        .map(|(place, _)| place)
        .collect()
}

/// p50 and p95 of each run, and an upright line where one failed. `records` are oldest first.
pub fn chart(records: &[Record]) -> Option<Chart> {
    let records = latest(records);
    let points = measured(records)?;
    let ((_, first), (_, last)) = (points.first()?, points.last()?);
    let line = |pick: fn(&Figures) -> f64| -> Vec<(f64, f64)> {
        let points = points.iter();
        points
            .map(|(place, figures)| (*place as f64, pick(figures)))
            .collect()
    };
    let lines = [line(|f| f.p50), line(|f| f.p95)];
    let highest = lines.iter().flatten().map(|(_, ms)| *ms).fold(0.0, f64::max);
    let count = records.len();
    let dates = (1..).zip(records).step_by(count.div_ceil(DATED).max(1));
    let x = plot::Axis {
        from: 0.85,
        to: count as f64 + 0.15,
        marks: dates
            .map(|(place, record)| (f64::from(place), record.at.format("%d %b").to_string()))
            .collect(),
    };
    let failed: Vec<f64> = failed(records).into_iter().map(|place| place as f64).collect();
    let failures = match failed.len() {
        0 => String::new(),
        n => format!(", and {n} failed"),
    };
    let title = format!("Time to first token over {count} runs");
    let label = format!(
        "{title}: the median was {} at first and is {} now{failures}",
        plot::short_time(first.p50.round()),
        plot::short_time(last.p50.round())
    );
    let y = plot::upward(highest, plot::short_time);
    let svg = plot::plot_with_events(&label, x, y, &lines, &plot::Style::Points, &failed)?;
    let mut legend = vec![
        ("p50".to_owned(), plot::COLOURS[0]),
        ("p95".to_owned(), plot::COLOURS[1]),
    ];
    if !failed.is_empty() {
        legend.push(("failed".to_owned(), plot::EVENT));
    }
    Some(Chart { title, legend, svg })
}

/// The same as GitHub draws it, without the runs that failed: mermaid has no gaps and no marks.
pub fn mermaid(records: &[Record]) -> Option<String> {
    let points = measured(latest(records))?;
    let list = |value: &dyn Fn(&(usize, Figures)) -> String| -> String {
        let all: Vec<String> = points.iter().map(value).collect();
        all.join(", ")
    };
    let highest = points.iter().map(|p| p.1.p95).fold(1.0, f64::max) * 1.1;
    let [p50, p95, ..] = plot::COLOURS;
    Some(format!(
        "%%{{init: {{\"themeVariables\": {{\"xyChart\": {{\"plotColorPalette\": \"{p50}, {p95}\"}}}}}}}}%%\n\
         xychart-beta\n    title \"Time to first token, p50 (blue) and p95 (orange)\"\n    x-axis \"run\" [{}]\n    \
         y-axis \"ms\" 0 --> {highest:.0}\n    line [{}]\n    line [{}]",
        list(&|p| format!("\"{}\"", p.0)),
        list(&|p| format!("{:.0}", p.1.p50)),
        list(&|p| format!("{:.0}", p.1.p95))
    ))
}
