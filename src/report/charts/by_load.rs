//! Latency against load: where the curve bends, the server is full. Loads stand side by side, however far apart they are.

use super::{Chart, plot};
use crate::bench::result::{Distribution, Level, LoadShape};

/// Loads whose names fit under the axis.
const NAMED: usize = 7;

pub fn charts(levels: &[Level]) -> Vec<Option<Chart>> {
    let (closed, open) = by_size(levels.iter());
    let one = |levels: &[&Level], against: &str| {
        [
            chart(levels, "Time to first token", against, |l| l.ttft_ms),
            chart(levels, "Gap between tokens", against, |l| l.itl_ms),
        ]
    };
    let mut charts = Vec::from(one(&closed, "requests at a time"));
    charts.extend(one(&open, "requests a second"));
    charts
}

/// Closed and open loops, each by its size: they may have been measured in any order.
pub fn by_size<'a>(levels: impl Iterator<Item = &'a Level>) -> (Vec<&'a Level>, Vec<&'a Level>) {
    let mut levels: Vec<&Level> = levels.collect();
    levels.sort_by(|a, b| a.load.by_size(&b.load));
    levels
        .into_iter()
        .partition(|level| level.concurrency().is_some())
}

/// The load as a number: at a time, or a second.
pub fn size(level: &Level) -> String {
    match level.load {
        LoadShape::Closed { concurrency } => concurrency.to_string(),
        LoadShape::Open { rate, .. } => plot::trimmed(rate),
    }
}

fn chart(
    levels: &[&Level],
    title: &str,
    against: &str,
    get: fn(&Level) -> Option<Distribution>,
) -> Option<Chart> {
    let measured: Vec<(&&Level, Distribution)> = levels.iter().filter_map(|l| Some((l, get(l)?))).collect();
    if measured.len() < 2 {
        return None;
    }
    let line = |pick: fn(&Distribution) -> f64| -> Vec<(f64, f64)> {
        let points = measured.iter().enumerate();
        points.map(|(at, (_, d))| (at as f64, pick(d))).collect()
    };
    let lines = vec![line(|d| d.p50), line(|d| d.p95)];
    let highest = lines.iter().flatten().map(|(_, ms)| *ms).fold(0.0, f64::max);
    let every = measured.len().div_ceil(NAMED);
    let marks = measured.iter().enumerate().step_by(every);
    let x = plot::Axis {
        from: -0.15,
        to: measured.len() as f64 - 0.85,
        marks: marks.map(|(at, (level, _))| (at as f64, size(level))).collect(),
    };
    let told: Vec<String> = measured
        .iter()
        .map(|(level, d)| format!("{} at {}", plot::short_time(d.p50.round()), size(level)))
        .collect();
    let title = format!("{title} by {against}");
    Some(Chart {
        legend: vec![
            ("p50".to_owned(), plot::COLOURS[0]),
            ("p95".to_owned(), plot::COLOURS[1]),
        ],
        svg: plot::plot(
            &format!("{title}, median: {}", told.join(", ")),
            x,
            plot::upward(highest, plot::short_time),
            &lines,
            &plot::Style::Points,
        )?,
        title,
    })
}
