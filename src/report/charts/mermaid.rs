//! Load against time to first token as GitHub draws it.

use super::{by_load, plot};
use crate::bench::result::Level;

/// Fewer loads are no curve, more are not readable.
const POINTS: std::ops::RangeInclusive<usize> = 3..=20;

/// The chart's source; `None` when it would not be readable. Of closed and open loops those that there are more of.
pub fn chart(levels: &[Level]) -> Option<String> {
    let (closed, open) = by_load::by_size(levels.iter().filter(|level| level.ttft_ms.is_some()));
    let (levels, against) = if closed.len() >= open.len() {
        (closed, "requests at a time")
    } else {
        (open, "requests a second")
    };
    if !POINTS.contains(&levels.len()) {
        return None;
    }
    let times: Vec<_> = levels.iter().filter_map(|level| level.ttft_ms).collect();
    let list = |values: Vec<f64>| {
        let written: Vec<String> = values.into_iter().map(|ms| format!("{ms:.0}")).collect();
        written.join(", ")
    };
    let highest = times.iter().map(|t| t.p95).fold(1.0, f64::max) * 1.1;
    let sizes: Vec<String> = levels
        .iter()
        .map(|level| format!("\"{}\"", by_load::size(level)))
        .collect();
    let [p50, p95, ..] = plot::COLOURS;
    // In GitHub's own colours the first line can hardly be seen on white.
    Some(format!(
        "%%{{init: {{\"themeVariables\": {{\"xyChart\": {{\"plotColorPalette\": \"{p50}, {p95}\"}}}}}}}}%%\n\
         xychart-beta\n    title \"Time to first token, p50 (blue) and p95 (orange)\"\n    x-axis \"{against}\" [{}]\n    \
         y-axis \"ms\" 0 --> {highest:.0}\n    line [{}]\n    line [{}]",
        sizes.join(", "),
        list(times.iter().map(|t| t.p50).collect()),
        list(times.iter().map(|t| t.p95).collect())
    ))
}
