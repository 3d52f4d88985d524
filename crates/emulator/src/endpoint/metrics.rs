//! `/metrics` in Prometheus' text form under vLLM's names, from the requests that were served.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const TTFT: (&str, &str) = (
    "vllm:time_to_first_token_seconds",
    "Histogram of time to first token in seconds.",
);
const ITL: (&str, &str) = (
    "vllm:inter_token_latency_seconds",
    "Histogram of inter-token latency in seconds.",
);
const TPOT: (&str, &str) = (
    "vllm:request_time_per_output_token_seconds",
    "Histogram of time_per_output_token_seconds per request.",
);
const E2E: (&str, &str) = (
    "vllm:e2e_request_latency_seconds",
    "Histogram of e2e request latency in seconds.",
);
const QUEUE: (&str, &str) = (
    "vllm:request_queue_time_seconds",
    "Histogram of time spent in WAITING phase for request.",
);
const PROMPT: (&str, &str) = (
    "vllm:request_prompt_tokens",
    "Number of prefill tokens processed.",
);
const GENERATED: (&str, &str) = (
    "vllm:request_generation_tokens",
    "Number of generation tokens processed.",
);

const TTFT_BUCKETS: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
    80.0, 160.0, 640.0, 2560.0,
];
const ITL_BUCKETS: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
];
const E2E_BUCKETS: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0,
    960.0, 1920.0, 7680.0,
];
const TOKEN_BUCKETS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0,
];
const FINISHED: &[&str] = &["stop", "length", "abort", "error", "repetition"];

#[derive(Default)]
struct Inner {
    running: i64,
    waiting: i64,
    prompt_tokens: u64,
    generation_tokens: u64,
    finished: BTreeMap<&'static str, u64>,
    histograms: BTreeMap<&'static str, Vec<f64>>,
    http: BTreeMap<(String, String, String), u64>,
}

/// Counts of one server.
pub struct Metrics {
    model: String,
    created: f64,
    inner: Mutex<Inner>,
}

impl Metrics {
    pub fn new(model: &str) -> Arc<Self> {
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64());
        Arc::new(Self {
            model: model.to_owned(),
            created,
            inner: Mutex::default(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn http(&self, handler: &str, method: &str, status: u16) {
        let key = (
            handler.to_owned(),
            method.to_owned(),
            format!("{}xx", status / 100),
        );
        *self.inner().http.entry(key).or_default() += 1;
    }

    /// Requests in execution, as `/load` reports them.
    pub fn running(&self) -> i64 {
        self.inner().running
    }

    pub fn render(&self) -> String {
        let inner = self.inner();
        let mut out = String::new();
        let labels = format!("engine=\"0\",model_name=\"{}\"", escaped(&self.model));
        gauge(
            &mut out,
            "vllm:num_requests_running",
            "Number of requests in model execution batches.",
            &labels,
            inner.running,
        );
        gauge(
            &mut out,
            "vllm:num_requests_waiting",
            "Number of requests waiting to be processed.",
            &labels,
            inner.waiting,
        );
        self.counter(
            &mut out,
            "vllm:prompt_tokens",
            "Number of prefill tokens processed.",
            &labels,
            inner.prompt_tokens,
        );
        self.counter(
            &mut out,
            "vllm:generation_tokens",
            "Number of generation tokens processed.",
            &labels,
            inner.generation_tokens,
        );
        let _ = writeln!(
            out,
            "# HELP vllm:request_success_total Count of successfully processed requests.\n# TYPE vllm:request_success_total counter"
        );
        for reason in FINISHED {
            let count = inner.finished.get(reason).copied().unwrap_or(0);
            let _ = writeln!(
                out,
                "vllm:request_success_total{{engine=\"0\",finished_reason=\"{reason}\",model_name=\"{}\"}} {count}.0",
                escaped(&self.model)
            );
        }
        for ((name, help), buckets) in [
            (PROMPT, TOKEN_BUCKETS),
            (GENERATED, TOKEN_BUCKETS),
            (TTFT, TTFT_BUCKETS),
            (ITL, ITL_BUCKETS),
            (TPOT, ITL_BUCKETS),
            (E2E, E2E_BUCKETS),
            (QUEUE, E2E_BUCKETS),
        ] {
            let values = inner.histograms.get(name).map(Vec::as_slice).unwrap_or_default();
            self.histogram(&mut out, name, help, buckets, values);
        }
        let _ = writeln!(
            out,
            "# HELP http_requests_total Total number of requests by method, status and handler.\n# TYPE http_requests_total counter"
        );
        for ((handler, method, status), count) in &inner.http {
            let _ = writeln!(
                out,
                "http_requests_total{{handler=\"{handler}\",method=\"{method}\",status=\"{status}\"}} {count}.0"
            );
        }
        out
    }

    fn counter(&self, out: &mut String, name: &str, help: &str, labels: &str, value: u64) {
        let _ = writeln!(
            out,
            "# HELP {name}_total {help}\n# TYPE {name}_total counter\n{name}_total{{{labels}}} {value}.0"
        );
        let _ = writeln!(
            out,
            "# HELP {name}_created {help}\n# TYPE {name}_created gauge\n{name}_created{{{labels}}} {:e}",
            self.created
        );
    }

    fn histogram(&self, out: &mut String, name: &str, help: &str, buckets: &[f64], values: &[f64]) {
        let model = escaped(&self.model);
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
        for bound in buckets {
            let within = values.iter().filter(|value| *value <= bound).count();
            let _ = writeln!(
                out,
                "{name}_bucket{{engine=\"0\",le=\"{bound:?}\",model_name=\"{model}\"}} {within}.0"
            );
        }
        let (count, sum) = (values.len(), values.iter().sum::<f64>());
        let _ = writeln!(
            out,
            "{name}_bucket{{engine=\"0\",le=\"+Inf\",model_name=\"{model}\"}} {count}.0"
        );
        let _ = writeln!(
            out,
            "{name}_count{{engine=\"0\",model_name=\"{model}\"}} {count}.0"
        );
        let _ = writeln!(out, "{name}_sum{{engine=\"0\",model_name=\"{model}\"}} {sum:?}");
        let _ = writeln!(out, "# HELP {name}_created {help}\n# TYPE {name}_created gauge");
        let _ = writeln!(
            out,
            "{name}_created{{engine=\"0\",model_name=\"{model}\"}} {:e}",
            self.created
        );
    }
}

fn gauge(out: &mut String, name: &str, help: &str, labels: &str, value: i64) {
    let _ = writeln!(
        out,
        "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{{labels}}} {value}.0"
    );
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// One request on its way. Dropped before [`Flight::finish`], it counts as aborted.
pub struct Flight {
    metrics: Arc<Metrics>,
    received: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    tokens: usize,
    prompt_tokens: usize,
    permit: Option<OwnedSemaphorePermit>,
    done: bool,
}

impl Flight {
    pub fn new(metrics: &Arc<Metrics>, prompt_tokens: usize) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            received: Instant::now(),
            first: None,
            last: None,
            tokens: 0,
            prompt_tokens,
            permit: None,
            done: false,
        }
    }

    /// Waits for a place among the running requests; returns when the work starts.
    pub async fn admit(&mut self, places: &Arc<Semaphore>) -> Instant {
        let (permit, start) = match Arc::clone(places).try_acquire_owned() {
            Ok(permit) => (Some(permit), self.received),
            Err(_) => {
                let waiting = Waiting::new(&self.metrics);
                let permit = Arc::clone(places).acquire_owned().await.ok();
                drop(waiting);
                (permit, Instant::now())
            }
        };
        self.permit = permit;
        let mut inner = self.metrics.inner();
        inner.running += 1;
        inner.prompt_tokens += self.prompt_tokens as u64;
        inner
            .histograms
            .entry(QUEUE.0)
            .or_default()
            .push((start - self.received).as_secs_f64());
        start
    }

    /// `count` tokens have been made, one per choice.
    pub fn step(&mut self, count: usize) {
        let now = Instant::now();
        let mut inner = self.metrics.inner();
        inner.generation_tokens += count as u64;
        let (name, since) = match self.last {
            None => (TTFT.0, self.received),
            Some(last) => (ITL.0, last),
        };
        inner
            .histograms
            .entry(name)
            .or_default()
            .push((now - since).as_secs_f64());
        drop(inner);
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.tokens += count;
    }

    pub fn finish(&mut self, reason: &'static str) {
        self.end(reason);
    }

    fn end(&mut self, reason: &'static str) {
        if self.done {
            return;
        }
        self.done = true;
        let mut inner = self.metrics.inner();
        if self.permit.take().is_some() {
            inner.running -= 1;
        }
        *inner.finished.entry(reason).or_default() += 1;
        if reason == "abort" {
            return;
        }
        let mut observe = |name, value| inner.histograms.entry(name).or_default().push(value);
        observe(E2E.0, self.received.elapsed().as_secs_f64());
        observe(PROMPT.0, self.prompt_tokens as f64);
        observe(GENERATED.0, self.tokens as f64);
        if let (Some(first), Some(last), true) = (self.first, self.last, self.tokens > 1) {
            observe(TPOT.0, (last - first).as_secs_f64() / (self.tokens - 1) as f64);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.end("abort");
    }
}

/// Counts as waiting while it lives, also when the client goes away.
struct Waiting<'a>(&'a Metrics);

impl<'a> Waiting<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.inner().waiting += 1;
        Self(metrics)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.inner().waiting -= 1;
    }
}
