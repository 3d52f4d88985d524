//! The requests that a measurement kept, as rows of the report.

use super::RequestRow;
use crate::bench::result::Level;

/// Load by load: the failed ones, then the answers, slowest first.
pub fn requests(levels: &[Level]) -> Vec<RequestRow> {
    let rows = |level: &Level| {
        let load = level.load;
        let examples = level.examples.clone().into_iter();
        examples.map(move |example| RequestRow {
            load,
            at_seconds: example.at_seconds,
            ttft_ms: example.ttft_ms,
            e2e_ms: example.e2e_ms,
            output_tokens: example.output_tokens,
            error: example.error,
        })
    };
    levels.iter().flat_map(rows).collect()
}
