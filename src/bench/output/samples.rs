//! Results for tests, one of each kind.

use std::collections::BTreeMap;

use crate::{
    bench::result::{
        BenchResult, Change, Comparison, Distribution, Goodput, InputShape, Intervals, Level, LoadShape,
        ObjectiveOutcome, SCHEMA_VERSION, ServerSide, ServerTime, SweepResult, Verdict,
    },
    config::latency::{Arrivals, Objective, PrefixCache, Timing},
};

pub fn all() -> [(&'static str, BenchResult); 8] {
    [
        ("one_level", one_level()),
        ("three_levels", three_levels()),
        ("sweep", sweep()),
        ("failures", failures()),
        ("with_server", with_server()),
        ("compared", compared()),
        ("hostile", hostile()),
        ("nothing", nothing()),
    ]
}

pub fn nothing() -> BenchResult {
    BenchResult {
        schema_version: SCHEMA_VERSION,
        tool_version: "0.1.0".to_owned(),
        started_at: "2026-11-25T12:00:00Z".parse().unwrap(),
        url: "http://127.0.0.1:8000/".to_owned(),
        model: "Qwen/Qwen3.5-4B".to_owned(),
        seed: 42,
        levels: Vec::new(),
        sweep: None,
        headline: None,
        comparison: None,
    }
}

fn of(levels: Vec<Level>) -> BenchResult {
    BenchResult {
        headline: levels.len().checked_sub(1),
        levels,
        ..nothing()
    }
}

fn times(p50: f64, count: u64) -> Option<Distribution> {
    let around = |value: f64| [value * 0.97, value * 1.04];
    Some(Distribution {
        count,
        mean: p50 * 1.1,
        min: p50 * 0.8,
        p50,
        p75: p50 * 1.15,
        p90: p50 * 1.4,
        p95: p50 * 1.7,
        p99: p50 * 2.5,
        p99_9: p50 * 4.0,
        max: p50 * 5.0,
        ci95: (count >= 100).then(|| Intervals {
            p50: around(p50),
            p90: around(p50 * 1.4),
            p95: around(p50 * 1.7),
            p99: around(p50 * 2.5),
        }),
    })
}

fn level(load: LoadShape, slower: f64) -> Level {
    Level {
        requests: 400,
        seconds: 42.5,
        peak_in_flight: 4,
        ttft_ms: times(123.4 * slower, 400),
        itl_ms: times(8.34 * slower, 50_800),
        tpot_ms: times(8.4 * slower, 400),
        e2e_ms: times(1_190.0 * slower, 400),
        tokens_per_second: times(119.0 / slower, 400),
        input_tokens: Some(204_800),
        output_tokens: 51_200,
        chunks: 51_200,
        tokens_counted_by_server: true,
        requests_per_second: 9.41,
        output_tokens_per_second: 1_204.7,
        total_tokens_per_second: Some(6_023.5),
        input: InputShape {
            kind: "synthetic".to_owned(),
            counted_by: "server".to_owned(),
            input_tokens: Some(512),
            output_tokens: Some(128),
            fixed_length: true,
            prefix_cache: PrefixCache::Bust,
        },
        ..Level::empty(load)
    }
}

fn closed(concurrency: u32, slower: f64) -> Level {
    level(LoadShape::Closed { concurrency }, slower)
}

fn outcome(key: &str, value: &str, measured: f64, met: bool, margin: f64) -> ObjectiveOutcome {
    let objective = Objective::parse(key, value).unwrap();
    ObjectiveOutcome {
        objective,
        written: objective.to_string(),
        measured: Some(measured),
        met,
        margin: Some(margin),
    }
}

pub fn one_level() -> BenchResult {
    let mut level = closed(4, 1.0);
    level.excluded_requests = 8;
    level.goodput = Some(Goodput {
        share: 0.9825,
        requests_per_second: 9.25,
    });
    level.objectives = vec![
        outcome("ttft-p95", "800ms", 209.8, true, 0.738),
        outcome("itl-p99", "20ms", 20.85, false, -0.0425),
        outcome("goodput", "0.95", 0.9825, true, 0.034),
        outcome("output-tokens-per-second", "1000", 1204.7, true, 0.2047),
    ];
    level.notes = vec![
        "8 requests of warm-up are in no figure".to_owned(),
        "the server counted 51200 tokens in 25600 chunks with text: inter-token latency is the gap between chunks"
            .to_owned(),
    ];
    of(vec![level])
}

pub fn three_levels() -> BenchResult {
    of(vec![closed(1, 1.0), closed(4, 1.3), closed(16, 2.9)])
}

pub fn sweep() -> BenchResult {
    let rates = [(2.0, 1.0, true), (8.0, 1.4, true), (9.4, 9.5, false)];
    let levels = rates.map(|(rate, slower, met)| {
        let arrivals = Arrivals::Poisson;
        let mut level = level(LoadShape::Open { rate, arrivals }, slower);
        level.requests_per_second = rate;
        level.queue_ms = times(0.02 * slower, 400);
        let measured = level.ttft_ms.unwrap().p95;
        level.objectives = vec![outcome(
            "ttft-p95",
            "800ms",
            measured,
            met,
            1.0 - measured / 800.0,
        )];
        level
    });
    BenchResult {
        headline: Some(1),
        sweep: Some(SweepResult {
            highest_good_rate: Some(8.0),
            lowest_bad_rate: Some(9.4),
            saturation_rate: Some(9.9),
        }),
        ..of(levels.into())
    }
}

/// Everything failed.
pub fn failures() -> BenchResult {
    let mut level = Level::empty(LoadShape::Closed { concurrency: 2 });
    (level.requests, level.errors, level.seconds) = (12, 12, 3.2);
    level.errors_by_kind = BTreeMap::from([("refused".to_owned(), 9), ("timeout".to_owned(), 3)]);
    level.error_samples = vec![
        "POST /v1/chat/completions was answered with status 404: The model `other` does not exist."
            .to_owned(),
        "POST /v1/chat/completions had no complete answer after 120 s".to_owned(),
    ];
    level.objectives = vec![ObjectiveOutcome {
        measured: None,
        met: false,
        margin: None,
        ..outcome("ttft-p95", "800ms", 0.0, false, 0.0)
    }];
    of(vec![level])
}

pub fn with_server() -> BenchResult {
    let time = |p50: f64, outside: Option<f64>| {
        Some(ServerTime {
            count: 400,
            mean: p50 * 1.1,
            p50,
            p95: p50 * 1.7,
            p99: p50 * 2.5,
            outside,
        })
    };
    let mut level = closed(4, 1.0);
    level.server = Some(ServerSide {
        ttft_ms: time(95.0, Some(31.2)),
        itl_ms: time(8.1, Some(0.26)),
        e2e_ms: time(1_150.0, Some(44.0)),
        queue_ms: time(0.4, None),
        preemptions: Some(3),
        kv_cache_use: Some(0.62),
        prefix_cache_hit_rate: Some(0.031),
        prompt_tokens: Some(204_800),
        generated_tokens: Some(51_200),
        notes: vec!["the server answered 12 requests that were not ours".to_owned()],
    });
    of(vec![level])
}

pub fn compared() -> BenchResult {
    let change = |timing, before: f64, after: f64, p_value, verdict| Change {
        load: LoadShape::Closed { concurrency: 4 },
        timing,
        percentile: 95.0,
        before,
        after,
        ratio: after / before,
        ratio_ci95: [after / before * 0.96, after / before * 1.05],
        p_value,
        verdict,
    };
    BenchResult {
        comparison: Some(Comparison {
            baseline: "main.json".to_owned(),
            changes: vec![
                change(Timing::Ttft, 180.0, 209.8, 0.0004, Verdict::Worse),
                change(Timing::Itl, 15.1, 14.2, 0.002, Verdict::Better),
                change(Timing::E2e, 2_020.0, 2_023.0, 0.81, Verdict::NoRealChange),
                change(Timing::Tpot, 14.0, 14.3, 1.0, Verdict::Inconclusive),
            ],
            notes: vec!["16 at a time: not in the baseline".to_owned()],
        }),
        ..of(vec![closed(4, 1.0)])
    }
}

/// Text of others that tries to steer the terminal, to run on, and to pass for ours.
pub fn hostile() -> BenchResult {
    let evil = format!(
        "\x1b[2Jgone\r\n::error::not ours\u{202e}\x07 {}",
        "long ".repeat(200)
    );
    let mut result = failures();
    result.model = evil.clone();
    let level = &mut result.levels[0];
    level.errors_by_kind.insert(evil.clone(), 1);
    level.error_samples = vec![evil.clone(); 5];
    level.notes = vec![evil.clone()];
    level.server = Some(ServerSide {
        notes: vec![evil.clone()],
        ..ServerSide::default()
    });
    result.comparison = Some(Comparison {
        baseline: evil.clone(),
        changes: Vec::new(),
        notes: vec![evil],
    });
    result
}
