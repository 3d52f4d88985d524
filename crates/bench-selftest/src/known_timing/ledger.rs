//! What was really sent.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde::Serialize;
use serde_json::{Value, json};

/// Most gaps that are kept for `/timings`: 64 MiB of them.
const MOST_KEPT: usize = 8 << 20;
/// Longest time that is told apart.
const LONGEST: Duration = Duration::from_secs(3600);

/// The stamps of one streamed answer.
#[derive(Debug, Serialize)]
pub struct Sent {
    /// The request's `X-Request-Id`.
    pub id: String,
    /// From the request's arrival to its first token, in nanoseconds.
    pub ttft_ns: u64,
    /// From each token to the next.
    pub gaps_ns: Vec<u64>,
    /// How much later than due each token left.
    #[serde(skip)]
    pub late_ns: Vec<u64>,
    #[serde(skip)]
    pub last: Option<Instant>,
}

impl Sent {
    pub fn new(id: String) -> Self {
        Self {
            id,
            ttft_ns: 0,
            gaps_ns: Vec::new(),
            late_ns: Vec::new(),
            last: None,
        }
    }

    /// A token that was due at `due` leaves at `at`.
    pub fn token(&mut self, arrived: Instant, due: Instant, at: Instant) {
        match self.last {
            None => self.ttft_ns = nanoseconds(at - arrived),
            Some(last) => self.gaps_ns.push(nanoseconds(at - last)),
        }
        self.late_ns.push(nanoseconds(at.saturating_duration_since(due)));
        self.last = Some(at);
    }
}

pub struct Ledger {
    record: bool,
    page: Mutex<Page>,
}

struct Page {
    ttft: Histogram<u64>,
    gap: Histogram<u64>,
    late: Histogram<u64>,
    requests: u64,
    tokens: u64,
    /// Answers whose client went away.
    abandoned: u64,
    /// Writes that the client's full buffer held up: what came after was sent later than it is stamped.
    held_up: u64,
    kept: Vec<Sent>,
    kept_gaps: usize,
    not_kept: u64,
    failure: Option<String>,
}

impl Ledger {
    pub fn new(record: bool) -> Self {
        Self {
            record,
            page: Mutex::new(Page::new()),
        }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn reset(&self) {
        *self.page() = Page::new();
    }

    /// Adds an answer, right before its last bytes are written: who has them finds it here.
    pub fn add(&self, sent: Sent) {
        let mut page = self.page();
        page.requests += 1;
        page.tokens += sent.late_ns.len() as u64;
        page.ttft.saturating_record(sent.ttft_ns);
        for gap in &sent.gaps_ns {
            page.gap.saturating_record(*gap);
        }
        for late in &sent.late_ns {
            page.late.saturating_record(*late);
        }
        if !self.record {
            return;
        }
        let gaps = page.kept_gaps + sent.gaps_ns.len() + 1;
        if gaps > MOST_KEPT {
            page.not_kept += 1;
        } else {
            page.kept_gaps = gaps;
            page.kept.push(sent);
        }
    }

    pub fn abandoned(&self) {
        self.page().abandoned += 1;
    }

    pub fn held_up(&self) {
        self.page().held_up += 1;
    }

    /// Connections can't be taken any more.
    pub fn failed(&self, error: &io::Error) {
        self.page().failure = Some(error.to_string());
    }

    pub fn stats(&self) -> Value {
        let page = self.page();
        json!({
            "requests": page.requests, "tokens": page.tokens, "abandoned": page.abandoned,
            "held_up": page.held_up, "not_kept": page.not_kept, "failure": page.failure,
            "ttft_ms": percentiles(&page.ttft), "itl_ms": percentiles(&page.gap),
            "late_ms": percentiles(&page.late), "process_cpu_ms": cpu_ms(),
        })
    }

    /// Each request since the last reset. An error when they are not kept.
    pub fn timings(&self) -> Result<Value, String> {
        if !self.record {
            return Err("start the server with --record to have each request's timing".to_owned());
        }
        serde_json::to_value(&self.page().kept).map_err(|e| e.to_string())
    }
}

impl Page {
    fn new() -> Self {
        Self {
            ttft: histogram(),
            gap: histogram(),
            late: histogram(),
            requests: 0,
            tokens: 0,
            abandoned: 0,
            held_up: 0,
            kept: Vec::new(),
            kept_gaps: 0,
            not_kept: 0,
            failure: None,
        }
    }
}

#[allow(clippy::expect_used, reason = "the bounds are constants")]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, nanoseconds(LONGEST), 3).expect("valid bounds")
}

fn percentiles(histogram: &Histogram<u64>) -> Value {
    let at = |nanoseconds: u64| nanoseconds as f64 / 1e6;
    let quantile = |q| at(histogram.value_at_quantile(q));
    json!({
        "count": histogram.len(), "p50": quantile(0.5), "p90": quantile(0.9), "p95": quantile(0.95),
        "p99": quantile(0.99), "max": at(histogram.max()),
    })
}

/// CPU time of the whole process so far, user and system.
fn cpu_ms() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some(
        [usage.user_time(), usage.system_time()]
            .map(|time| time.num_microseconds() as f64 / 1000.0)
            .iter()
            .sum(),
    )
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
