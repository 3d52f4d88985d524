//! The self-test for a terminal.

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::error::Spread;
use crate::result::{BOUND_P50, BOUND_P99, BOUND_STREAMS, LevelErrors, SelfTest, Verdict};

const HEAD: [&str; 11] = [
    "streams",
    "requests",
    "TTFT p50",
    "p99",
    "max",
    "ITL p50",
    "p99",
    "max",
    "CPU ms per\n1,000 tokens",
    "peak MiB\nso far",
    "",
];

/// The table, and what its figures are.
pub fn render(test: &SelfTest) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(HEAD);
    for level in &test.levels {
        table.add_row(row(level));
    }
    for column in table.column_iter_mut().take(HEAD.len() - 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let load = test
        .load_before
        .map_or(String::new(), |load| format!(", load {load:.2} before"));
    let timing = &test.timing;
    format!(
        "Absolute error in ms, client less server; the server's TTFT {} ms, gap {} ms, spread {} ms, {} tokens; \
         {} cores shared with it{load}.\n{table}\nBounds up to {BOUND_STREAMS} streams: p50 ≤ {BOUND_P50} ms, \
         p99 ≤ {BOUND_P99} ms.",
        timing.ttft_ms, timing.gap_ms, timing.spread_ms, test.tokens, test.cores,
    )
}

fn row(level: &LevelErrors) -> Vec<Cell> {
    let failed = match level.failed {
        0 => String::new(),
        failed => format!(" + {failed} failed"),
    };
    let mut cells = vec![level.streams.to_string(), format!("{}{failed}", level.compared)];
    cells.extend(errors(level.ttft.as_ref()));
    cells.extend(errors(level.itl.as_ref()));
    cells.push(format!("{:.1}", level.cpu_ms_per_1000_tokens));
    cells.push(format!("{:.1}", level.peak_memory as f64 / f64::from(1 << 20)));
    cells.push(
        match level.verdict {
            Verdict::Within => "✔",
            Verdict::Beyond => "✘ beyond the bounds",
            Verdict::NoBound => "no bound",
        }
        .to_owned(),
    );
    cells.into_iter().map(Cell::new).collect()
}

fn errors(spread: Option<&Spread>) -> [String; 3] {
    match spread {
        Some(spread) => [spread.p50, spread.p99, spread.max].map(|ms| format!("{ms:.3}")),
        None => ["–"; 3].map(str::to_owned),
    }
}
