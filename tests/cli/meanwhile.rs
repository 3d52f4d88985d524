//! Somebody else changes the service while a run is at work.

use std::time::Duration;

use serde_json::json;

use crate::support::{PROJECT, REGION, World, config, ended};

const SERVICE: &str = "qwen3-5-4b";
const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";

/// Adds a label, as a person would in the console.
fn label(world: &World) {
    let mut labels = world.service(SERVICE).unwrap()["labels"].clone();
    labels["team"] = json!("search");
    let path = format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services/{SERVICE}?updateMask=labels");
    world.change(reqwest::Method::PATCH, &path, &json!({"labels": labels}));
}

#[test]
fn a_change_during_the_build_is_kept_and_stops_nothing() {
    let world = World::with(|settings| settings.pace = 0.3);
    world.write("llm-deploy.yaml", &config(QUICK));
    world.run("push").expect_code(0);
    world.forget_requests();
    world.write(
        "llm-deploy.yaml",
        &config(&format!("image: {{ base: 'vllm/vllm-openai:v0.30.0' }}\n{QUICK}")),
    );
    let run = world.start("push");
    world.wait_for_request("builds.create");
    label(&world);
    ended(run).expect_code(0);
    let service = world.service(SERVICE).unwrap();
    assert_eq!(service["labels"]["team"], "search");
    assert_eq!(service["latestReadyRevision"], service["latestCreatedRevision"]);
}

#[test]
fn a_change_during_the_tests_leaves_the_traffic_where_it_is() {
    let world = World::with(|settings| settings.speed.ttft = Duration::from_millis(700));
    world.write("llm-deploy.yaml", &config(QUICK));
    world.run("push").expect_code(0);
    let before = world.service(SERVICE).unwrap()["latestReadyRevision"].clone();
    world.forget_requests();
    world.write(
        "llm-deploy.yaml",
        &config(&format!("engine: {{ max-model-len: 2048 }}\n{QUICK}")),
    );
    let run = world.start("push");
    world.wait_for_request("services.patch");
    while world.service(SERVICE).unwrap()["latestReadyRevision"] == before {
        std::thread::sleep(Duration::from_millis(20));
    }
    // Until the run itself has seen that it is ready.
    std::thread::sleep(Duration::from_millis(700));
    label(&world);
    ended(run).expect_code(1);
    assert!(
        world.read("summary.md").contains("was changed while revision"),
        "{}",
        world.read("summary.md")
    );
    let first = before.as_str().unwrap().rsplit('/').next().unwrap();
    let serving = world.service(SERVICE).unwrap()["trafficStatuses"][0].clone();
    assert_eq!(
        (&serving["revision"], &serving["percent"]),
        (&json!(first), &json!(100))
    );
    // The next run takes the candidate up.
    world.run("push").expect_code(0);
}
