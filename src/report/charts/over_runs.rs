//! Time to first token from run to run: what a model's history has, this run's included. Runs stand side by side,
//! whenever they were; those that measured nothing are left out.

use super::{Chart, plot};
use crate::report::record::Record;

/// Dates that fit under the axis.
const DATED: usize = 4;

/// `None` with fewer than two measured runs. `records` are oldest first.
pub fn chart(records: &[Record]) -> Option<Chart> {
    let measured: Vec<_> = records
        .iter()
        .filter_map(|record| Some((record.at, record.ttft_ms?)))
        .filter(|(_, figures)| figures.p50.is_finite() && figures.p95.is_finite())
        .collect();
    let ((_, first), (_, last)) = (measured.first()?, measured.last()?);
    let count = measured.len();
    let line = |pick: fn(&crate::report::record::Figures) -> f64| -> Vec<(f64, f64)> {
        let points = measured.iter().enumerate();
        points
            .map(|(at, (_, figures))| (at as f64, pick(figures)))
            .collect()
    };
    let lines = vec![line(|f| f.p50), line(|f| f.p95)];
    let highest = lines.iter().flatten().map(|(_, ms)| *ms).fold(0.0, f64::max);
    let every = count.div_ceil(DATED).max(1);
    let dates = measured.iter().enumerate().step_by(every);
    let x = plot::Axis {
        from: -0.15,
        to: count as f64 - 0.85,
        marks: dates
            .map(|(at, (when, _))| (at as f64, when.format("%d %b").to_string()))
            .collect(),
    };
    let title = format!("Time to first token over {count} runs");
    let label = format!(
        "{title}: the median was {} at first and is {} now",
        plot::short_time(first.p50.round()),
        plot::short_time(last.p50.round())
    );
    Some(Chart {
        legend: vec![
            ("p50".to_owned(), plot::COLOURS[0]),
            ("p95".to_owned(), plot::COLOURS[1]),
        ],
        svg: plot::plot(
            &label,
            x,
            plot::upward(highest, plot::short_time),
            &lines,
            &plot::Style::Points,
        )?,
        title,
    })
}
