//! Percentiles, the curve over the loads, the server's side.

use super::QUOTE;
use crate::{
    bench::result::{Distribution, Level, ServerSide, ServerTime},
    report::{
        escape::{clip, line},
        terminal::{Page, row},
        words::{interval, load_short, milliseconds, percent, rate},
    },
};

/// Each time with its percentiles, and their confidence intervals below.
pub fn percentiles(page: &mut Page, level: &Level) {
    let times = [
        ("TTFT", level.ttft_ms),
        ("ITL", level.itl_ms),
        ("TPOT", level.tpot_ms),
        ("E2E", level.e2e_ms),
        ("Queue", level.queue_ms),
    ];
    let measured: Vec<(&str, Distribution)> = times
        .into_iter()
        .filter_map(|(name, d)| Some((name, d?)))
        .collect();
    if measured.is_empty() {
        return;
    }
    let mut table = page.table(row(["", "p50", "p90", "p95", "p99", "p99.9"]));
    for (name, d) in measured {
        let values = [d.p50, d.p90, d.p95, d.p99, d.p99_9].map(milliseconds);
        table.add_row(row(std::iter::once(name.to_owned()).chain(values)));
        if let Some(ci) = d.ci95 {
            let between = [(d.p50, ci.p50), (d.p90, ci.p90), (d.p95, ci.p95), (d.p99, ci.p99)];
            let between = between.map(|(value, bounds)| interval(value, bounds));
            table.add_row(row(std::iter::once("  95 % sure".to_owned()).chain(between)));
        }
    }
    page.print(&table);
}

/// A line for each load, by its size: a sweep measures them in another order.
pub fn curve(page: &mut Page, levels: &[Level]) {
    let mut levels: Vec<&Level> = levels.iter().collect();
    levels.sort_by(|a, b| a.load.by_size(&b.load));
    let judged = levels.iter().any(|level| !level.objectives.is_empty());
    let mut head = vec![
        "Load", "req/s", "tok/s", "TTFT p50", "TTFT p95", "ITL p95", "E2E p95", "failed",
    ];
    if judged {
        head.push("met");
    }
    let mut table = page.table(row(head));
    for level in levels {
        let time = |d: Option<Distribution>, pick: fn(&Distribution) -> f64| {
            d.map_or_else(|| "–".to_owned(), |d| milliseconds(pick(&d)))
        };
        let mut texts = vec![
            load_short(level.load),
            rate(level.requests_per_second),
            rate(level.output_tokens_per_second),
            time(level.ttft_ms, |d| d.p50),
            time(level.ttft_ms, |d| d.p95),
            time(level.itl_ms, |d| d.p95),
            time(level.e2e_ms, |d| d.p95),
            level.errors.to_string(),
        ];
        if judged {
            let mark = level
                .objectives_met()
                .map_or("", |met| if met { "✔" } else { "✘" });
            texts.push(mark.to_owned());
        }
        table.add_row(row(texts));
    }
    page.print(&table);
}

/// The means alone: vLLM's buckets are so wide (the first of E2E ends at 0.3 s) that percentiles in them mislead; they
/// are in the file.
pub fn server(page: &mut Page, server: &ServerSide) {
    let times = [
        ("TTFT", server.ttft_ms),
        ("ITL", server.itl_ms),
        ("E2E", server.e2e_ms),
        ("queue in vLLM", server.queue_ms),
    ];
    let told: Vec<(&str, ServerTime)> = times
        .into_iter()
        .filter_map(|(name, time)| Some((name, time?)))
        .collect();
    if !told.is_empty() {
        let mut table = page.table(row(["mean", "/metrics", "client", "network"]));
        for (name, time) in told {
            let of = |value: Option<f64>, show: fn(f64) -> String| value.map_or_else(|| "–".to_owned(), show);
            let client = time.outside.map(|outside| time.mean + outside);
            table.add_row(row([
                name.to_owned(),
                milliseconds(time.mean),
                of(client, milliseconds),
                of(time.outside, signed),
            ]));
        }
        page.print(&table);
    }
    let facts = facts(server);
    if !facts.is_empty() {
        page.wrapped("  ", "", &facts.join(" · "));
    }
    for note in &server.notes {
        page.wrapped("  ", "- ", &clip(&line(note), QUOTE));
    }
}

/// A difference of means may be negative: the clocks' buckets, not the network, are to blame.
fn signed(difference: f64) -> String {
    if difference < 0.0 {
        format!("−{}", milliseconds(-difference))
    } else {
        format!("+{}", milliseconds(difference))
    }
}

fn facts(server: &ServerSide) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(share) = server.kv_cache_use {
        facts.push(format!("KV cache used up to {}", percent(share)));
    }
    if let Some(share) = server.prefix_cache_hit_rate {
        facts.push(format!("prefix cache hit {}", percent(share)));
    }
    if let Some(count) = server.preemptions {
        facts.push(format!("{count} preemptions"));
    }
    facts
}
