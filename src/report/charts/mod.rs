//! Charts of a measurement: inline SVG for pages, mermaid for comments. Pure.

mod by_load;
mod distribution;
pub mod mermaid;
mod over_time;
mod plot;
#[cfg(test)]
mod tests;
pub mod trend;

use super::words;
use crate::bench::result::Level;

/// Loads that one chart tells apart by colour.
const SERIES: usize = 4;

/// A chart on its own: nothing outside of it is needed to show it.
pub struct Chart {
    pub title: String,
    /// Name and colour of each line.
    pub legend: Vec<(String, &'static str)>,
    /// An `<svg>` element.
    pub svg: String,
}

/// Every chart that these loads have figures for.
pub fn all(levels: &[Level]) -> Vec<Chart> {
    let shown = spread(levels);
    let mut charts: Vec<Option<Chart>> = vec![
        distribution::chart("ttft", "Time to first token", &shown),
        distribution::chart("itl", "Gap between tokens", &shown),
    ];
    charts.extend(by_load::charts(levels));
    charts.extend(shown.iter().map(|level| over_time::chart(level)));
    charts.into_iter().flatten().collect()
}

/// At most [`SERIES`] loads, from the first to the last.
fn spread(levels: &[Level]) -> Vec<&Level> {
    let count = levels.len().min(SERIES);
    let at = |i: usize| i * (levels.len() - 1) / (count - 1).max(1);
    (0..count).filter_map(|i| levels.get(at(i))).collect()
}

fn name(level: &Level) -> String {
    words::load_name(level.load)
}
