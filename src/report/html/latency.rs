//! What `templates/latency.html` shows: figures, objectives, charts and the comparison of a measurement.

use crate::bench::result::{Comparison, Level};
use crate::report::{
    charts::{self, Chart},
    escape::{clip, line},
    words,
};

/// A measurement for the template.
pub struct Latency {
    /// By load.
    pub objectives: Vec<(String, Vec<words::Outcome>)>,
    pub loads: Vec<Load>,
    pub charts: Vec<Chart>,
    pub comparison: Option<Compared>,
    pub note: String,
    pub notes: Vec<String>,
}

pub struct Load {
    pub name: String,
    pub load: String,
    pub metrics: Vec<(&'static str, Vec<words::Cell>)>,
    /// Goodput, the server's own figures, and what qualifies those.
    pub lines: Vec<String>,
    pub errors: Vec<String>,
}

pub struct Compared {
    pub baseline: String,
    pub changes: Vec<words::Compared>,
    pub notes: Vec<String>,
}

impl Latency {
    pub fn of(levels: &[Level], comparison: Option<&Comparison>, seed: Option<u64>) -> Self {
        let mut notes: Vec<String> = words::notes(levels).iter().map(|n| line(n)).collect();
        notes.extend(has_intervals(levels).then(|| INTERVALS.to_owned()));
        notes.extend(seed.map(|seed| format!("Seed {seed}: with it the same requests are sent again.")));
        Self {
            objectives: objectives(levels),
            loads: levels.iter().map(load).collect(),
            charts: charts::all(levels),
            comparison: comparison.map(compared),
            note: words::latency_note(levels),
            notes,
        }
    }
}

const INTERVALS: &str = "Under a figure stands its 95 % confidence interval, from a bootstrap over requests.";

fn has_intervals(levels: &[Level]) -> bool {
    let times = |l: &Level| [l.ttft_ms, l.itl_ms, l.e2e_ms];
    levels.iter().flat_map(times).flatten().any(|d| d.ci95.is_some())
}

fn objectives(levels: &[Level]) -> Vec<(String, Vec<words::Outcome>)> {
    levels
        .iter()
        .filter(|level| !level.objectives.is_empty())
        .map(|level| {
            let outcomes = level.objectives.iter().map(words::outcome).collect();
            (words::load_name(level.load), outcomes)
        })
        .collect()
}

fn load(level: &Level) -> Load {
    let server = level.server.as_ref();
    let mut lines: Vec<String> = words::goodput(level).into_iter().collect();
    lines.extend(server.and_then(words::server));
    lines.extend(server.iter().flat_map(|s| &s.notes).map(|n| line(n)));
    Load {
        name: words::load_name(level.load),
        load: line(&words::load(level)),
        metrics: words::every_metric(level),
        lines,
        errors: level.error_samples.iter().map(|e| line(e)).collect(),
    }
}

fn compared(comparison: &Comparison) -> Compared {
    Compared {
        baseline: clip(&line(&comparison.baseline), 200),
        changes: comparison.changes.iter().map(words::compared).collect(),
        notes: comparison.notes.iter().map(|n| line(n)).collect(),
    }
}
