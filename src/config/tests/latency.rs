//! The keys under `latency:`.

use std::{path::PathBuf, time::Duration};

use super::*;
use crate::config::latency::{Arrivals, Input, Load, Objective, PrefixCache, Timing};

fn latency(more: &str) -> Latency {
    good(&format!("{LEAST}latency: {{{more}}}\n"), &[]).models[0]
        .latency
        .clone()
}

#[test]
fn every_key_is_read() {
    let all = latency(
        "duration: 30s, concurrency: [1, 8], rate: [0.5, 4], arrivals: constant, ramp-up: 5s, warm-up: 3, seed: 7, \
         dataset: bench/p.jsonl, output-tokens: 64, prefix-cache: keep, timeout: 20s, baseline: bench/base.json, \
         objectives: {ttft-p95: 800ms, itl-p99.9: 7.5ms, goodput: 99%, error-rate: 0, output-tokens-per-second: 500}",
    );
    assert_eq!(all.duration, Some(Duration::from_secs(30)));
    assert_eq!(
        (all.ramp_up, all.warm_up, all.seed),
        (Duration::from_secs(5), 3, Some(7))
    );
    assert_eq!(all.arrivals, Arrivals::Constant);
    assert_eq!(all.input, Input::Dataset(PathBuf::from("bench/p.jsonl")));
    assert_eq!((all.max_tokens, all.prefix_cache), (64, PrefixCache::Keep));
    assert_eq!(all.baseline, Some(PathBuf::from("bench/base.json")));
    assert_eq!(all.loads().len(), 4);
    assert_eq!(
        all.objectives[0],
        Objective::AtMost {
            timing: Timing::Ttft,
            percentile: 95.0,
            milliseconds: 800.0
        }
    );
    assert_eq!(all.objectives.len(), 5);
    assert_eq!(
        latency("input-tokens: 512").input,
        Input::Synthetic { input_tokens: 512 }
    );
    assert_eq!(
        latency("prompts: [a, b]").input,
        Input::Prompts(vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(latency("max-tokens: 9").max_tokens, 9);
}

#[test]
fn rates_alone_replace_the_default_closed_loops() {
    let loads = latency("rate: [2]").loads();
    let open = Load::Open {
        rate: 2.0,
        arrivals: Arrivals::Poisson,
    };
    assert_eq!(loads, [open]);
}

#[test]
fn a_models_own_key_replaces_the_tops_in_whichever_way_each_is_given() {
    let text = "
project: my-project
region: europe-west4
latency:
  prompt: top
  requests: 9
  concurrency: [2]
  max-tokens: 8
  objectives: {ttft-p95: 1s, goodput: 0.9}
models:
  - id: a/one
    latency: {input-tokens: 64, duration: 3s, rate: [1], output-tokens: 16, objectives: {error-rate: 0.1}}
  - a/two
";
    let config = good(text, &[]);
    let [one, two] = &config.models[..] else { panic!() };
    let (one, two) = (&one.latency, &two.latency);
    assert_eq!(one.input, Input::Synthetic { input_tokens: 64 });
    assert_eq!((one.duration, one.max_tokens), (Some(Duration::from_secs(3)), 16));
    assert_eq!((one.concurrency.len(), one.rate.len()), (0, 1));
    assert_eq!(one.objectives, [Objective::ErrorRate { share: 0.1 }]);
    assert_eq!((two.requests, two.max_tokens, two.objectives.len()), (9, 8, 2));
    assert_eq!(two.input, Input::Prompts(vec!["top".to_owned()]));
}

#[test]
fn the_plan_can_show_every_value_with_its_line() {
    let text = format!(
        "{LEAST}latency:\n  prompt: hello\n  max-tokens: 8\n  objectives: {{ttft-p95: 800ms, goodput: 0.9}}\n"
    );
    let config = good(&text, &[]);
    let shown = crate::plan::show::settings(&serde_json::to_value(&config).unwrap(), &config.origins);
    let find = |key: &str| {
        let path = format!("models[0].latency.{key}");
        let (_, value, origin) = shown.iter().find(|(p, ..)| *p == path).unwrap();
        (value.as_str(), origin.as_str())
    };
    assert_eq!(find("prompts"), (r#"["hello"]"#, "line 5 of the file"));
    assert_eq!(find("output-tokens"), ("8", "line 6 of the file"));
    assert_eq!(
        find("objectives"),
        ("ttft-p95: 800ms, goodput: 0.9", "line 7 of the file")
    );
    assert_eq!(find("arrivals"), ("poisson", "default"));
    assert_eq!(find("seed"), ("not set", "default"));
}

#[test]
fn mistakes_say_where_and_what_would_do() {
    let text = format!(
        "{LEAST}latency:
  requests: 10
  duration: 10s
  rate: 5
  arrivals: poison
  prompt: hello
  dataset: ../secrets.jsonl
  max-tokens: 5
  output-tokens: 6
  timout: 5s
  ramp-up: 30
  baseline: /etc/passwd
  objectives:
    ttft-p96: 800ms
    itl-p99: 60
    e2e-p95: soon
    error-rate: 7
    throughput: 3
"
    );
    insta::assert_snapshot!(bad(&text, &[]));
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    for (keys, expected) in [
        ("objectives: {goodput: 0.99}", "every request would be good"),
        ("arrivals: constant", "there is no `rate`"),
        ("concurrency: [4, 1]", "each concurrency is measured on its own"),
        ("rate: [4, 4]", "each rate is measured on its own"),
        ("prompts: [a, ' ']", "nothing but spaces"),
        ("prompt: a, prompts: [b]", "`prompt` is given, too"),
        ("objectives: {ttft-p95: 800ms, ttft-p95: 700ms}", "given twice"),
    ] {
        let shown = bad(&format!("{LEAST}latency: {{{keys}}}\n"), &[]);
        assert!(shown.contains(expected), "{keys}\n{shown}");
        assert!(shown.contains("\n1 mistake in"), "{keys}\n{shown}");
    }
}
