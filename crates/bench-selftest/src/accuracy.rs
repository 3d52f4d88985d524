//! The self-test: what the client adds to the times it measures.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use llm_deploy::{
    auth::Anonymous,
    bench::{self, BenchProgress, Options, descriptors, result::BenchResult},
    commands::{print, tell},
    config::{Latency, latency::Input},
    endpoint::Endpoint,
    environment::Environment,
    file,
    progress::Progress,
    report::escape,
    secrets::Masks,
    ui,
};
use serde_json::Value;
use url::Url;

use crate::{
    arguments::TestArguments,
    child::KnownTiming,
    join::{Seen, join},
    known_timing::MODEL,
    result::{LevelErrors, SelfTest, StatedTiming, Verdict},
    soak,
    table::render,
    usage,
};

/// Beyond what an answer takes by the server's timing.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two lines of progress: drawing them costs the time that is measured.
const REDRAW: Duration = Duration::from_millis(500);

/// Exit code 1 when an error is beyond the bounds.
pub async fn run(args: &TestArguments) -> Result<u8, String> {
    descriptors::raise();
    let progress = ui::progress(&Environment::from_process(), false);
    if let Some(requests) = args.soak {
        return soak::run(requests, progress.as_ref(), args.json.as_deref()).await;
    }
    let load_before = load();
    let server = KnownTiming::start(&args.timing).await?;
    let mut levels = Vec::new();
    for streams in &args.streams {
        progress.stage("self-test", &format!("{streams} streams"));
        levels.push(level(args, &server, *streams, progress.as_ref()).await?);
    }
    drop(progress);
    let test = SelfTest {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        load_before,
        timing: StatedTiming {
            ttft_ms: args.timing.ttft_ms,
            gap_ms: args.timing.gap_ms,
            spread_ms: args.timing.spread_ms,
            seed: args.timing.seed,
        },
        tokens: args.tokens,
        levels,
    };
    print(&Masks::default(), &render(&test));
    if let Some(path) = &args.json {
        write_json(path, &test)?;
    }
    if test.passed() {
        return Ok(0);
    }
    tell(
        &Masks::default(),
        "A busy machine adds to the error too: repeat it with nothing else running before you blame the client.",
    );
    Ok(1)
}

/// Measures one number of streams with the engine itself and holds it against what the server sent.
async fn level(
    args: &TestArguments,
    server: &KnownTiming,
    streams: u32,
    progress: &dyn Progress,
) -> Result<LevelErrors, String> {
    server.reset().await?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = seen.clone();
    let options = Options {
        observer: Some(Arc::new(move |record| {
            let seen = Seen::new(record);
            keep.lock().unwrap_or_else(PoisonError::into_inner).extend(seen);
        })),
        ..Options::default()
    };
    let server_before = server.stats().await?;
    let before = usage::now();
    let result = measure(&server.url, &latency(args, streams), &options, progress).await?;
    let after = usage::now();
    let stats = server.stats().await?;
    let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    let joined = join(&seen, server.timings().await?);
    for level in &result.levels {
        for said in level.error_samples.iter().chain(&level.notes) {
            progress.note("self-test", &escape::line(said));
        }
    }
    // Of every token, those of the ramp-up too: their CPU time is in it.
    let tokens = stats["tokens"].as_f64().unwrap_or(0.0).max(1.0);
    let cpu = |before: &Value, after: &Value| {
        Some((after["process_cpu_ms"].as_f64()? - before["process_cpu_ms"].as_f64()?) * 1000.0 / tokens)
    };
    let mut level = LevelErrors {
        streams,
        compared: joined.compared,
        failed: joined.failed,
        output_tokens: joined.tokens,
        ttft: joined.ttft.spread(),
        itl: joined.itl.spread(),
        cpu_ms_per_1000_tokens: (after.cpu - before.cpu).as_secs_f64() * 1e6 / tokens,
        server_cpu_ms_per_1000_tokens: cpu(&server_before, &stats),
        peak_memory: after.peak_memory,
        server_late_p99: stats["late_ms"]["p99"].as_f64(),
        verdict: Verdict::NoBound,
    };
    level.verdict = level.judge();
    Ok(level)
}

/// As many answers of each stream as are asked for, their starts spread over the time of one.
fn latency(args: &TestArguments, streams: u32) -> Latency {
    let answer = Duration::from_secs_f64(
        (args.timing.ttft_ms + 2.0 * args.timing.spread_ms + args.timing.gap_ms * f64::from(args.tokens))
            / 1000.0,
    );
    Latency {
        requests: streams.saturating_mul(args.rounds),
        concurrency: vec![streams],
        ramp_up: answer,
        seed: Some(args.timing.seed),
        input: Input::Prompts(vec!["Say something.".to_owned()]),
        max_tokens: args.tokens,
        timeout: answer * 2 + PATIENCE,
        ..Latency::default()
    }
}

/// Runs the engine on a server of known timing.
pub async fn measure(
    url: &Url,
    latency: &Latency,
    options: &Options,
    progress: &dyn Progress,
) -> Result<BenchResult, String> {
    let endpoint = Endpoint::new(url.clone(), Arc::new(Anonymous), None)
        .map_err(|e| format!("could not measure the known-timing server: {e}"))?;
    let drawn = Mutex::new(Instant::now());
    let show = |now: BenchProgress| {
        let mut drawn = drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.elapsed() >= REDRAW {
            *drawn = Instant::now();
            progress.status("self-test", &now.to_string());
        }
    };
    bench::run(&endpoint, MODEL, latency, options, &show).await
}

pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| e.to_string())?;
    file::write(path, &(text + "\n"))
}

/// How busy the machine has been over the last minute.
fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
