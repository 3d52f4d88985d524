//! Measurements of every kind: several loads with charts, objectives, an open loop, a comparison.

use std::collections::BTreeMap;

use super::*;
use crate::bench::result::{
    BenchResult, Bin, Change, Distribution, Goodput, InputShape, Intervals, LoadShape, ObjectiveOutcome,
    ServerSide, ServerTime, Slice, SweepResult, Verdict,
};
use crate::config::latency::{Arrivals, Objective, PrefixCache, Timing};

fn distribution(p50: f64, p95: f64, p99: f64) -> Distribution {
    Distribution {
        count: 20,
        min: p50 * 0.9,
        p50,
        p75: (p50 + p95) / 2.2,
        p90: (p50 + p95) / 2.0,
        p95,
        p99,
        p99_9: p99 * 1.01,
        mean: p50 * 1.03,
        max: p99 * 1.02,
        ci95: None,
    }
}

pub fn latency(concurrency: u32, factor: f64) -> Level {
    Level {
        requests: 20,
        ttft_ms: Some(distribution(84.2 * factor, 121.7 * factor, 133.0 * factor)),
        itl_ms: Some(distribution(23.4 * factor, 26.1 * factor, 31.8 * factor)),
        e2e_ms: Some(distribution(3071.0 * factor, 3410.0 * factor, 3502.0 * factor)),
        tokens_per_second: Some(distribution(42.6 / factor, 38.3 / factor, 31.4 / factor)),
        output_tokens_per_second: 41.2 * f64::from(concurrency) / factor,
        output_tokens: 2560,
        tokens_counted_by_server: true,
        ..Level::empty(LoadShape::Closed { concurrency })
    }
}

pub fn server() -> ServerSide {
    let time = |mean: f64, outside: Option<f64>| ServerTime {
        count: 20,
        mean,
        p50: mean * 0.97,
        p95: mean * 1.3,
        p99: mean * 1.5,
        outside,
    };
    ServerSide {
        ttft_ms: Some(time(71.2, Some(13.4))),
        itl_ms: Some(time(23.1, Some(0.3))),
        e2e_ms: Some(time(3040.0, Some(31.0))),
        queue_ms: Some(time(2.1, None)),
        preemptions: Some(0),
        kv_cache_use: Some(0.34),
        prefix_cache_hit_rate: Some(0.0),
        ..ServerSide::default()
    }
}

/// A bell with a tail, in bins of equal width.
fn bins(p50: f64) -> Vec<Bin> {
    let width = p50 / 20.0;
    (10..60)
        .map(|n| {
            let from = f64::from(n) * width;
            let off = (from - p50) / (p50 * 0.2);
            let tail = if off > 0.0 { 14.0 / (1.0 + off) } else { 0.0 };
            Bin {
                from,
                to: from + width,
                count: (200.0 * (-off * off).exp() + tail) as u64,
            }
        })
        .collect()
}

fn slices(p50: f64) -> Vec<Slice> {
    (0..30)
        .map(|n| {
            let wave = 1.0 + 0.15 * f64::from(n % 7) / 7.0 + if n > 22 { 0.4 } else { 0.0 };
            Slice {
                at: f64::from(n) * 2.0,
                requests: 4,
                errors: 0,
                ttft_p50: Some(p50 * wave),
                ttft_p95: Some(p50 * wave * 1.6),
                itl_p50: Some(23.0),
                itl_p95: Some(26.0),
            }
        })
        .collect()
}

/// Everything that a level can have.
fn full(load: LoadShape, factor: f64) -> Level {
    let ttft = 84.2 * factor;
    let interval = |ms: f64| [ms * 0.96, ms * 1.05];
    let mut level = Level {
        load,
        requests: 200,
        excluded_requests: 8,
        seconds: 60.0,
        tpot_ms: Some(distribution(23.9 * factor, 25.0 * factor, 28.1 * factor)),
        requests_per_second: 3.3,
        goodput: Some(Goodput {
            share: 0.995,
            requests_per_second: 3.28,
        }),
        server: Some(server()),
        input: InputShape {
            kind: "synthetic".to_owned(),
            counted_by: "server".to_owned(),
            input_tokens: Some(512),
            output_tokens: Some(128),
            fixed_length: true,
            prefix_cache: PrefixCache::Bust,
        },
        over_time: slices(ttft),
        histograms: BTreeMap::from([
            ("ttft".to_owned(), bins(ttft)),
            ("itl".to_owned(), bins(23.4 * factor)),
        ]),
        ..latency(1, factor)
    };
    for d in [&mut level.ttft_ms, &mut level.itl_ms, &mut level.e2e_ms]
        .into_iter()
        .flatten()
    {
        d.ci95 = Some(Intervals {
            p50: interval(d.p50),
            p90: interval(d.p90),
            p95: interval(d.p95),
            p99: interval(d.p99),
        });
    }
    level
}

/// Four closed loops with charts.
pub fn levels() -> Vec<Level> {
    [(1, 1.0), (4, 1.2), (16, 1.9), (64, 6.5)]
        .into_iter()
        .map(|(concurrency, factor)| full(LoadShape::Closed { concurrency }, factor))
        .collect()
}

fn judged(key: &str, value: &str, measured: f64, met: bool, margin: f64) -> ObjectiveOutcome {
    ObjectiveOutcome {
        objective: Objective::parse(key, value).unwrap(),
        written: format!("{key}: {value}"),
        measured: Some(measured),
        met,
        margin: Some(margin),
    }
}

fn with_objectives(missed: bool) -> Vec<Level> {
    let mut levels = levels();
    levels.truncate(if missed { 4 } else { 2 });
    for level in &mut levels {
        let ttft = level.ttft_ms.unwrap().p95;
        level.objectives = vec![
            judged("ttft-p95", "500ms", ttft, ttft <= 500.0, 1.0 - ttft / 500.0),
            judged("goodput", "0.99", 0.995, true, 0.005),
            judged("error-rate", "0.01", 0.0, true, 1.0),
        ];
    }
    levels
}

pub fn objectives_met() -> Report {
    let mut report = production();
    report.models[0].latency = with_objectives(false);
    report.models[0].comparison = Some(comparison());
    report
}

pub fn objectives_missed() -> Report {
    let mut model = failed(
        "latency",
        Failure {
            stage: "latency".to_owned(),
            title: "ttft-p95 is 791 ms, the objective is 500 ms".to_owned(),
            cause: "At 64 at a time: ttft-p95 is 791 ms, the objective is 500 ms (missed by 58 %)".to_owned(),
            fix: Some(
                "Raise `engine.args.max-num-batched-tokens`. The limit stands under `latency.objectives` in llm-deploy.yaml"
                    .to_owned(),
            ),
            said: None,
            log: Vec::new(),
            settings: Vec::new(),
            place: None,
        },
    );
    model.latency = with_objectives(true);
    report(Kind::Preview, Status::Failed, vec![model])
}

/// Request rates, one of which the server could not keep up with.
pub fn open_loop() -> Report {
    let mut report = production();
    let open = |rate: f64, factor: f64| {
        let arrivals = Arrivals::Poisson;
        Level {
            queue_ms: Some(distribution(0.1, 0.4 * factor, 2.0 * factor)),
            ..full(LoadShape::Open { rate, arrivals }, factor)
        }
    };
    let mut last = open(8.0, 31.0);
    last.errors = 3;
    last.errors_by_kind = BTreeMap::from([("timeout".to_owned(), 2), ("refused".to_owned(), 1)]);
    last.notes = vec!["the server fell behind: 41 requests were still waiting at the end".to_owned()];
    report.models[0].latency = vec![open(0.5, 1.0), open(2.0, 1.3), last];
    report
}

pub fn comparison() -> Comparison {
    let change = |timing, percentile, before: f64, after: f64, ratio_ci95, p_value, verdict| Change {
        load: LoadShape::Closed { concurrency: 1 },
        timing,
        percentile,
        before,
        after,
        ratio: after / before,
        ratio_ci95,
        p_value,
        verdict,
    };
    Comparison {
        baseline: "bench/baseline.json".to_owned(),
        changes: vec![
            change(
                Timing::Ttft,
                50.0,
                84.0,
                84.2,
                [0.98, 1.03],
                0.84,
                Verdict::NoRealChange,
            ),
            change(
                Timing::Ttft,
                95.0,
                110.0,
                121.7,
                [1.041, 1.173],
                0.002,
                Verdict::Worse,
            ),
            change(
                Timing::Itl,
                95.0,
                31.0,
                26.1,
                [0.79, 0.91],
                0.001,
                Verdict::Better,
            ),
            change(
                Timing::E2e,
                99.0,
                3400.0,
                3502.0,
                [0.7, 1.4],
                0.6,
                Verdict::Inconclusive,
            ),
        ],
        notes: vec!["4 at a time: the baseline has no such load".to_owned()],
    }
}

pub fn bench() -> BenchResult {
    BenchResult {
        schema_version: crate::bench::result::SCHEMA_VERSION,
        tool_version: "0.1.0".to_owned(),
        started_at: at(24, 9),
        url: "https://qwen3-5-4b-k3x2m5q7za-ez.a.run.app/".to_owned(),
        model: "Qwen/Qwen3.5-4B".to_owned(),
        seed: 4711,
        levels: with_objectives(true),
        sweep: Some(SweepResult {
            highest_good_rate: Some(6.5),
            lowest_bad_rate: Some(7.0),
            saturation_rate: Some(9.2),
        }),
        headline: Some(3),
        comparison: Some(comparison()),
    }
}
