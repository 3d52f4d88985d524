//! The requests that were kept, as one table for each load.

use crate::report::{
    ModelReport, RequestRow,
    escape::{clip, line},
    words,
};

/// Rows that show at once; the rest is folded.
const SHOWN: usize = 20;
/// A server's error may be a page long.
const ERROR: usize = 300;

/// One load's requests for the template.
pub struct Requests {
    pub load: String,
    /// `60 of 1000: the slowest, 3 that failed, and some of the others`
    pub summary: String,
    /// Open when there is something to look into.
    pub open: bool,
    pub rows: Vec<Row>,
    pub more: Vec<Row>,
}

pub struct Row {
    /// Seconds from the start of the load's measured time.
    pub at: String,
    pub ttft: String,
    pub e2e: String,
    pub tokens: String,
    pub error: Option<String>,
}

pub fn of(model: &ModelReport) -> Vec<Requests> {
    let all = model.requests.as_slice();
    all.chunk_by(|a, b| a.load == b.load)
        .map(|rows| table(model, rows))
        .collect()
}

fn table(model: &ModelReport, rows: &[RequestRow]) -> Requests {
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    let load = rows.first().map(|row| row.load);
    let level = model.latency.iter().find(|level| Some(level.load) == load);
    let total = level.map_or(0, |level| level.requests).max(rows.len() as u64);
    let mut shown: Vec<Row> = rows.iter().map(row).collect();
    let more = shown.split_off(shown.len().min(SHOWN));
    Requests {
        load: load.map(words::load_name).unwrap_or_default(),
        summary: summary(rows.len() as u64, total, failed),
        open: failed > 0,
        rows: shown,
        more,
    }
}

fn summary(kept: u64, total: u64, failed: usize) -> String {
    let failed = match failed {
        0 => String::new(),
        n => format!(", {n} of them failed"),
    };
    if kept == total {
        return format!("{}{failed}", words::plural(kept, "request"));
    }
    format!("{kept} of {total} requests, the slowest among them{failed}")
}

fn row(row: &RequestRow) -> Row {
    let time = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), words::milliseconds);
    Row {
        at: format!("{:.2} s", row.at_seconds),
        ttft: time(row.ttft_ms),
        e2e: time(row.e2e_ms),
        tokens: row
            .output_tokens
            .map_or_else(|| "–".to_owned(), |n| n.to_string()),
        error: row.error.as_ref().map(|error| clip(&line(error), ERROR)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_how_many_are_not_shown() {
        assert_eq!(summary(1, 1, 0), "1 request");
        assert_eq!(summary(20, 20, 3), "20 requests, 3 of them failed");
        assert_eq!(
            summary(60, 1_000, 20),
            "60 of 1000 requests, the slowest among them, 20 of them failed"
        );
    }
}
