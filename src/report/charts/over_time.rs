//! Time to first token as the measurement went on: a server that slows down, or warms up, shows here.

use super::{Chart, name, plot};
use crate::bench::result::{Level, Slice};

pub fn chart(level: &Level) -> Option<Chart> {
    let line = |pick: fn(&Slice) -> Option<f64>| -> Vec<(f64, f64)> {
        let points = level.over_time.iter().filter_map(|s| Some((s.at, pick(s)?)));
        points.filter(|(_, ms)| ms.is_finite()).collect()
    };
    let lines = vec![line(|s| s.ttft_p50), line(|s| s.ttft_p95)];
    if lines[0].len() < 3 {
        return None;
    }
    let highest = lines.iter().flatten().map(|(_, ms)| *ms).fold(0.0, f64::max);
    let from = level.over_time.first()?.at;
    let to = level.over_time.last()?.at;
    let seconds = |s: f64| format!("{} s", plot::trimmed(s));
    let title = format!("Time to first token over time, {}", name(level));
    let (first, last) = (lines[0].first()?.1, lines[0].last()?.1);
    let label = format!(
        "{title}: the median is {} at first and {} at last",
        plot::short_time(first.round()),
        plot::short_time(last.round())
    );
    Some(Chart {
        legend: vec![
            ("p50".to_owned(), plot::COLOURS[0]),
            ("p95".to_owned(), plot::COLOURS[1]),
        ],
        svg: plot::plot(
            &label,
            plot::Axis {
                from,
                to,
                marks: plot::marks(from, to, 4.0, seconds),
            },
            plot::upward(highest, plot::short_time),
            &lines,
            &plot::Style::Line,
        )?,
        title,
    })
}
