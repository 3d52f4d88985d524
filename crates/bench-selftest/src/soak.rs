//! `--soak`: memory is constant in the number of requests.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use llm_deploy::{
    auth::Anonymous,
    bench::{self, BenchProgress, Options},
    commands::print,
    config::{Latency, latency::Input},
    endpoint::Endpoint,
    progress::Progress,
    secrets::Masks,
};
use serde::Serialize;
use url::Url;

use crate::{
    accuracy::write_json,
    known_timing::{MODEL, Server, Timing},
    result::BOUND_SOAK,
    usage,
};

/// Requests at once: enough to keep both sides busy.
const STREAMS: u32 = 32;
const TOKENS: u32 = 4;
/// Time that each request may take of the whole, and what there is besides.
const SHARE: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(60);
/// When memory is looked at, in percent of the requests.
const MARKS: [u64; 3] = [10, 50, 100];
const REDRAW: Duration = Duration::from_secs(5);

/// What the soak found.
#[derive(Debug, Serialize)]
struct Soak {
    requests: u64,
    errors: u64,
    seconds: f64,
    requests_per_second: f64,
    /// CPU time of client and server per request.
    cpu_us_per_request: f64,
    /// Largest resident memory of client and server so far, in bytes, at so many percent of the requests.
    peak_memory: Vec<(u64, u64)>,
    passed: bool,
}

/// What is looked at while it runs.
struct Watch {
    total: u64,
    marks: Vec<(u64, u64)>,
    drawn: Instant,
}

impl Watch {
    /// Notes the memory at each mark that has been passed.
    fn see(&mut self, done: u64, memory: u64) {
        while let Some(mark) = MARKS.get(self.marks.len())
            && done * 100 >= self.total * mark
        {
            self.marks.push((*mark, memory));
        }
    }
}

/// Exit code 1 when memory grew beyond the bound, a request failed, or it took too long.
pub async fn run(requests: u32, progress: &dyn Progress, json: Option<&Path>) -> Result<u8, String> {
    let failed = |e: String| format!("could not start the soak: {e}");
    let server = Server::start(Timing::default(), 0).map_err(|e| failed(e.to_string()))?;
    let url = Url::parse(&format!("http://{}/", server.address())).map_err(|e| failed(e.to_string()))?;
    let endpoint =
        Endpoint::new(url, std::sync::Arc::new(Anonymous), None).map_err(|e| failed(e.to_string()))?;
    let latency = Latency {
        requests,
        concurrency: vec![STREAMS],
        seed: Some(0),
        input: Input::Prompts(vec!["Say something.".to_owned()]),
        max_tokens: TOKENS,
        timeout: PATIENCE,
        ..Latency::default()
    };
    progress.stage("soak", &format!("{requests} requests"));
    let began = Instant::now();
    let watch = Mutex::new(Watch {
        total: u64::from(requests),
        marks: Vec::new(),
        drawn: began,
    });
    let show = |now: BenchProgress| {
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.see(now.done, usage::now().peak_memory);
        if watch.drawn.elapsed() >= REDRAW {
            watch.drawn = Instant::now();
            progress.status("soak", &now.to_string());
        }
    };
    let before = usage::now();
    let deadline = PATIENCE + SHARE * requests;
    let options = Options::default();
    let result = tokio::time::timeout(deadline, bench::run(&endpoint, MODEL, &latency, &options, &show))
        .await
        .map_err(|_| format!("{requests} requests took more than {deadline:?}"))??;
    let after = usage::now();
    let (done, errors) = result
        .levels
        .first()
        .map_or((0, 0), |level| (level.requests, level.errors));
    let mut watch = watch.into_inner().unwrap_or_else(PoisonError::into_inner);
    watch.see(done, after.peak_memory);
    let seconds = began.elapsed().as_secs_f64();
    let complete = done == u64::from(requests) && errors == 0;
    let soak = Soak {
        requests: done,
        errors,
        seconds,
        requests_per_second: done as f64 / seconds,
        cpu_us_per_request: (after.cpu - before.cpu).as_secs_f64() * 1e6 / done.max(1) as f64,
        peak_memory: watch.marks,
        passed: complete && after.peak_memory <= BOUND_SOAK,
    };
    print(&Masks::default(), &soak.text());
    if let Some(path) = json {
        write_json(path, &soak)?;
    }
    Ok(u8::from(!soak.passed))
}

impl Soak {
    fn text(&self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let memory: Vec<String> = self
            .peak_memory
            .iter()
            .map(|(percent, bytes)| format!("{:.1} MiB at {percent} %", mib(*bytes)))
            .collect();
        format!(
            "{} requests, {} errors in {:.1} s: {:.0} requests/s, {:.1} µs CPU a request (client and server).\n\
             Peak memory of both: {}. Bound {:.0} MiB: {}.",
            self.requests,
            self.errors,
            self.seconds,
            self.requests_per_second,
            self.cpu_us_per_request,
            memory.join(", "),
            mib(BOUND_SOAK),
            if self.passed { "kept" } else { "NOT kept" },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_noted_once_at_each_mark() {
        let mut watch = Watch {
            total: 1000,
            marks: Vec::new(),
            drawn: Instant::now(),
        };
        for (done, memory) in [
            (1, 5),
            (99, 6),
            (101, 7),
            (102, 8),
            (400, 9),
            (500, 10),
            (999, 11),
        ] {
            watch.see(done, memory);
        }
        assert_eq!(watch.marks, [(10, 7), (50, 10)]);
        watch.see(1000, 12);
        assert_eq!(watch.marks, [(10, 7), (50, 10), (100, 12)]);
    }
}
