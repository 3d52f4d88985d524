//! How often the statistics of `bench` are right, by simulation: `cargo bench --bench regression`.
//!
//! Prints the tables of docs/statistics.md. `REGRESSION_RUNS` sets the simulated comparisons of each line
//! (1,000 when it is absent).
#![allow(clippy::unwrap_used, reason = "a failure here is for who runs it")]

use std::{env, time::Instant};

use llm_deploy::{bench, config};

mod simulated;

use bench::{result::Verdict, statistics::compare_levels};
use config::latency::Timing;
use simulated::{Run, STEADY, Server, nearest};

const SIZES: [u64; 4] = [20, 100, 500, 2000];
const PERCENTILES: [f64; 4] = [50.0, 90.0, 95.0, 99.0];
/// Requests whose percentiles are taken for the truth.
const TRUTH: u64 = 200_000;

fn main() {
    let runs: u32 = env::var("REGRESSION_RUNS").map_or(1000, |text| text.parse().unwrap());
    let started = Instant::now();
    println!("{runs} simulated comparisons in each line.\n");
    comparisons(runs);
    coverage(runs);
    println!("Took {:.0} s.", started.elapsed().as_secs_f64());
}

fn comparisons(runs: u32) {
    println!(
        "| simulated | requests | any p < 5 % | any verdict | ttft-p50 | ttft-p95 | itl-p50 | e2e-p95 |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let slower = |slower| Server { slower, ..STEADY };
    let correlated = Server {
        correlation: 0.5,
        ..STEADY
    };
    let drift = |drift| Server { drift, ..STEADY };
    for (name, before, after, sizes) in [
        ("no difference", STEADY, STEADY, &SIZES[..]),
        (
            "no difference, requests correlated 0.5",
            correlated,
            correlated,
            &SIZES,
        ),
        ("no difference but 2 % drift", drift(0.02), drift(0.02), &[500]),
        ("no difference but 5 % drift", drift(0.05), drift(0.05), &[500]),
        ("10 % slower", STEADY, slower(1.1), &SIZES[..3]),
        ("20 % slower", STEADY, slower(1.2), &SIZES[..3]),
    ] {
        for &requests in sizes {
            let shares = compared(before, after, requests, runs);
            println!("| {name} | {requests} | {} |", shares.join(" | "));
        }
    }
    println!();
}

/// Shares of the comparisons with a corrected p-value below 5 % anywhere, with a verdict of better or worse
/// anywhere, and with such a verdict of each of four figures.
fn compared(before: Server, after: Server, requests: u64, runs: u32) -> [String; 6] {
    let mut rng = fastrand::Rng::with_seed(requests);
    let mut counts = [0; 6];
    for _ in 0..runs {
        let before = Run::draw(before, requests, &mut rng).level();
        let after = Run::draw(after, requests, &mut rng).level();
        let (changes, _) = compare_levels(&before, &after);
        let found: Vec<bool> = changes
            .iter()
            .map(|c| matches!(c.verdict, Verdict::Better | Verdict::Worse))
            .collect();
        let any_p = changes.iter().any(|change| change.p_value < 0.05);
        let any_verdict = found.contains(&true);
        let seen = [any_p, any_verdict, found[0], found[1], found[2], found[7]];
        counts
            .iter_mut()
            .zip(seen)
            .for_each(|(count, seen)| *count += u32::from(seen));
    }
    counts.map(|count| share(count, runs))
}

fn share(count: u32, of: u32) -> String {
    format!("{:.1} %", 100.0 * f64::from(count) / f64::from(of.max(1)))
}

fn coverage(runs: u32) {
    println!("| interval of | requests | p50 | p90 | p95 | p99 |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let correlated = Server {
        correlation: 0.5,
        ..STEADY
    };
    let all = [Timing::Ttft, Timing::Itl, Timing::E2e];
    for (suffix, server, timings) in [
        ("", STEADY, &all[..]),
        (", requests correlated 0.5", correlated, &all[..1]),
    ] {
        for &timing in timings {
            let truth = Run::draw(server, TRUTH, &mut fastrand::Rng::with_seed(9)).sorted(timing);
            let truth = PERCENTILES.map(|percentile| nearest(&truth, percentile));
            for requests in SIZES {
                let mut rng = fastrand::Rng::with_seed(requests);
                let mut covered = [0; 4];
                for _ in 0..runs {
                    let run = Run::draw(server, requests, &mut rng);
                    let ci = run.groups().intervals(timing, rng.u64(..)).unwrap();
                    for (count, ([low, high], truth)) in covered
                        .iter_mut()
                        .zip([ci.p50, ci.p90, ci.p95, ci.p99].iter().zip(truth))
                    {
                        *count += u32::from(*low <= truth && truth <= *high);
                    }
                }
                let shares = covered.map(|count| share(count, runs));
                let name = timing.name().to_uppercase();
                println!("| {name}{suffix} | {requests} | {} |", shares.join(" | "));
            }
        }
    }
    println!();
}
