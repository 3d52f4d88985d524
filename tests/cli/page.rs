//! What only the report's page and JSON tell: single requests, when each stage began, the environment.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::support::{World, config};

#[test]
fn the_report_has_requests_starts_of_stages_and_the_environment() {
    let world = World::new();
    let latency = "latency: { requests: 6, concurrency: [1, 2], output-tokens: 4 }";
    world.write("llm-deploy.yaml", &config(latency));
    let ran = world.run_with(
        "push",
        &[("RUNNER_OS", "Linux"), ("SOMETHING_ELSE", "never-shown")],
    );
    ran.expect_code(0);

    let report = world.report();
    let model = &report["models"][0];
    let requests = model["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 12, "all of so few");
    for load in requests.chunk_by(|a, b| a["load"] == b["load"]) {
        let times: Vec<f64> = load.iter().filter_map(|r| r["e2e_ms"].as_f64()).collect();
        assert_eq!(times.len(), 6, "{load:?}");
        assert!(times.is_sorted_by(|a, b| a >= b), "slowest first: {times:?}");
        assert!(load.iter().all(|r| r["output_tokens"] == 4), "{load:?}");
    }

    let time = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    let begun = time(&report["started_at"]);
    let stages = model["stages"].as_array().unwrap().iter();
    let starts: Vec<_> = stages
        .filter(|stage| stage["status"] == "succeeded")
        .map(|stage| time(&stage["started_at"]))
        .collect();
    assert!(starts.len() >= 4 && starts[0] >= begun, "{starts:?}");
    assert!(starts.is_sorted(), "{starts:?}");

    let environment = report["environment"].to_string();
    for fact in ["Linux", "nvidia-l4", "--max-model-len=", "push"] {
        assert!(environment.contains(fact), "no {fact}: {environment}");
    }
    let page = world.read("report/report.html");
    for part in ["<h3>Requests</h3>", "<h2>Stages</h2>", "<h2>Environment</h2>"] {
        assert!(page.contains(part), "no {part}");
    }
    for text in [page, report.to_string()] {
        assert!(!text.contains("never-shown"));
    }
}
