//! A load's figures in words.

use super::{load_name, milliseconds, percent, plural, rate};
use crate::bench::result::{Distribution, Intervals, Level, ServerSide, ServerTime};
use crate::config::latency::Timing;

/// One line of the short latency table: what, and p50, p95, p99 as text.
pub struct Metric {
    pub name: &'static str,
    pub values: [String; 3],
}

/// The four metrics of one concurrency, those that were measured.
pub fn metrics(result: &Level) -> Vec<Metric> {
    let row = |name, values: Option<Distribution>, format: fn(f64) -> String| {
        values.map(|p| Metric {
            name,
            values: [format(p.p50), format(p.p95), format(p.p99)],
        })
    };
    [
        row("TTFT", result.ttft_ms, milliseconds),
        row("ITL", result.itl_ms, milliseconds),
        row("E2E", result.e2e_ms, milliseconds),
        row("Tokens/s", result.tokens_per_second, rate),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the abbreviations mean, and how the numbers came about.
pub fn latency_note(results: &[Level]) -> String {
    // A load under which everything failed says nothing about how tokens are counted.
    let open = results.iter().any(|r| r.concurrency().is_none());
    let due = if open {
        " At a request rate, times count from when a request was due, not from when it could be sent."
    } else {
        ""
    };
    let mut answered = results.iter().filter(|r| r.errors < r.requests);
    let counted = if answered.all(|r| r.tokens_counted_by_server) {
        "Tokens as the server counted them."
    } else {
        "The server sent no usage: tokens are estimated as one per chunk."
    };
    format!(
        "TTFT: time to first token. ITL: gap between tokens. E2E: whole answer. \
         Tokens/s: of one request; p95 is what 95 % of the requests reach or exceed.{due} {counted}"
    )
}

/// What else must be known about the figures, each thing once, as sentences; what holds for one load only names it.
/// May quote the server: hostile text.
pub fn notes(results: &[Level]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for result in results {
        for note in &result.notes {
            let everywhere = results.iter().all(|r| r.notes.contains(note));
            let note = if everywhere {
                sentence(note)
            } else {
                format!("{}: {}", load_name(result.load), sentence(note))
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// With a capital at its start and a stop at its end.
fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_uppercase(), chars.as_str())
    })
}

/// `20 requests, 2 failed (1 refused, 1 timeout), 41.2 tokens/s in all`
pub fn load(result: &Level) -> String {
    let kinds: Vec<String> = result
        .errors_by_kind
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let failed = match (result.errors, kinds.is_empty()) {
        (0, _) => String::new(),
        (n, true) => format!(", {n} failed"),
        (n, false) => format!(", {n} failed ({})", kinds.join(", ")),
    };
    let excluded = match result.excluded_requests {
        0 => String::new(),
        n => format!(" after {n} that warmed up"),
    };
    format!(
        "{}{excluded}{failed}, {} tokens/s in all",
        plural(result.requests, "request"),
        rate(result.output_tokens_per_second)
    )
}

/// A figure of the whole table: the value, and its 95 % confidence interval where there is one.
pub struct Cell {
    pub value: String,
    pub interval: Option<String>,
}

/// Every percentile of a metric: p50, p75, p90, p95, p99, p99.9, the highest.
fn cells(values: &Distribution, format: fn(f64) -> String) -> Vec<Cell> {
    let interval = |pick: fn(&Intervals) -> [f64; 2]| {
        let [low, high] = pick(values.ci95.as_ref()?);
        Some(format!("{} – {}", format(low), format(high)))
    };
    [
        (values.p50, interval(|i| i.p50)),
        (values.p75, None),
        (values.p90, interval(|i| i.p90)),
        (values.p95, interval(|i| i.p95)),
        (values.p99, interval(|i| i.p99)),
        (values.p99_9, None),
        (values.max, None),
    ]
    .into_iter()
    .map(|(value, interval)| Cell {
        value: format(value),
        interval,
    })
    .collect()
}

/// Every metric that was measured, for the whole table.
pub fn every_metric(result: &Level) -> Vec<(&'static str, Vec<Cell>)> {
    let row = |name, values: Option<&Distribution>, format: fn(f64) -> String| {
        values.map(|values| (name, cells(values, format)))
    };
    [
        row("TTFT", result.ttft_ms.as_ref(), milliseconds),
        row("ITL", result.itl_ms.as_ref(), milliseconds),
        row("TPOT", result.tpot_ms.as_ref(), milliseconds),
        row("E2E", result.e2e_ms.as_ref(), milliseconds),
        row("Queue", result.queue_ms.as_ref(), milliseconds),
        row("Tokens/s", result.tokens_per_second.as_ref(), rate),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub const fn timing(timing: Timing) -> &'static str {
    match timing {
        Timing::Ttft => "TTFT",
        Timing::Itl => "ITL",
        Timing::Tpot => "TPOT",
        Timing::E2e => "E2E",
    }
}

/// Absent without objectives for times.
pub fn goodput(result: &Level) -> Option<String> {
    let goodput = result.goodput.as_ref()?;
    Some(format!(
        "goodput: {} of the requests met every time objective, {} a second",
        percent(goodput.share),
        rate(goodput.requests_per_second)
    ))
}

/// What the server says of the same time, and what it leaves for network and Cloud Run.
pub fn server(server: &ServerSide) -> Option<String> {
    let time = |name: &str, time: Option<ServerTime>| {
        let time = time?;
        let outside = time
            .outside
            .map(|ms| format!(", network and Cloud Run {}", milliseconds(ms)))
            .unwrap_or_default();
        Some(format!("{name} {}{outside}", milliseconds(time.mean)))
    };
    let parts = [
        time("first token", server.ttft_ms),
        time("gap between tokens", server.itl_ms),
        time("whole answer", server.e2e_ms),
        server
            .queue_ms
            .map(|q| format!("waiting in its queue {}", milliseconds(q.mean))),
        server
            .kv_cache_use
            .map(|share| format!("KV cache at most {} in use", percent(share))),
        server
            .prefix_cache_hit_rate
            .map(|share| format!("prefix cache had {} of the prompt", percent(share))),
        server
            .preemptions
            .filter(|n| *n > 0)
            .map(|n| plural(n, "preemption")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("inside vLLM, on average: {}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_load_that_failed_altogether_does_not_deny_the_servers_counts() {
        let mut results = samples::model().latency;
        let failed = results.last_mut().unwrap();
        (failed.errors, failed.tokens_counted_by_server) = (failed.requests, false);
        assert!(latency_note(&results).ends_with("Tokens as the server counted them."));
        results[0].tokens_counted_by_server = false;
        assert!(latency_note(&results).contains("no usage"));
    }
}
