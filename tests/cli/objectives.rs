//! What the figures must meet: a candidate that misses it gets no production traffic.

use std::time::Duration;

use crate::support::{World, config};

const SERVICE: &str = "qwen3-5-4b";

/// A world whose endpoint takes 40 ms to the first token.
fn slow_world() -> World {
    World::with(|settings| settings.speed.ttft = Duration::from_millis(40))
}

fn asking(objectives: &str, more: &str) -> String {
    config(&format!(
        "{more}\nlatency: {{ requests: 4, concurrency: [1], output-tokens: 4, objectives: {{ {objectives} }} }}"
    ))
}

#[test]
fn a_candidate_that_misses_an_objective_gets_no_traffic() {
    let world = slow_world();
    world.write("llm-deploy.yaml", &asking("ttft-p95: 30s", ""));
    world.run("push").expect_code(0);
    assert_eq!(world.output("objectives-met").as_deref(), Some("true"));
    let tested = world.service(SERVICE).unwrap()["latestReadyRevision"].clone();
    let tested = tested.as_str().unwrap().rsplit('/').next().unwrap().to_owned();

    let more = "engine: { max-model-len: 2048 }";
    world.write("llm-deploy.yaml", &asking("ttft-p95: 1ms", more));
    world.run("push").expect_code(1);

    let model = &world.report()["models"][0];
    let failure = &model["failure"];
    assert_eq!(failure["stage"], "latency");
    let title = failure["title"].as_str().unwrap();
    assert!(
        title.starts_with("ttft-p95 is ") && title.ends_with("the objective is 1 ms"),
        "{title}"
    );
    assert!(
        failure["fix"].as_str().unwrap().contains("`latency.objectives`"),
        "{failure}"
    );
    assert!(model["latency"][0]["ttft_ms"]["p95"].as_f64().unwrap() >= 40.0);
    let service = world.service(SERVICE).unwrap();
    let statuses = service["trafficStatuses"].as_array().unwrap().iter();
    let serving: Vec<_> = statuses
        .filter(|s| s["percent"].as_i64().unwrap_or(0) > 0)
        .map(|s| (s["revision"].as_str().unwrap_or_default(), s["percent"].as_i64()))
        .collect();
    assert_eq!(
        serving,
        [(tested.as_str(), Some(100))],
        "the tested revision keeps the traffic"
    );
    assert_eq!(world.output("objectives-met").as_deref(), Some("false"));
}

#[test]
fn objectives_that_are_met_are_shown() {
    let world = slow_world();
    world.write(
        "llm-deploy.yaml",
        &asking("ttft-p95: 30s, goodput: 0.5, error-rate: 0", ""),
    );
    world.run("pull_request.opened").expect_code(0);
    let comment = &world.comments()[0];
    for part in ["✅ `ttft-p95`", "✅ `goodput`", "✅ `error-rate`", "| Margin |"] {
        assert!(comment.contains(part), "no `{part}` in:\n{comment}");
    }
    assert_eq!(world.output("goodput").as_deref(), Some("1.0000"));
    assert!(
        world.read("report/report.html").contains("<svg"),
        "charts are in the page"
    );
}

#[test]
fn a_baseline_that_is_not_there_is_a_warning() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        &config("latency: { requests: 2, concurrency: [1], output-tokens: 4, baseline: bench/base.json }"),
    );
    world.run("pull_request.opened").expect_code(0);
    let warnings = world.report()["models"][0]["warnings"].to_string();
    assert!(
        warnings.contains("bench/base.json") && warnings.contains("nothing was compared"),
        "{warnings}"
    );
}
