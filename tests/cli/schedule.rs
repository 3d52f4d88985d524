//! A schedule tests production as it is, and sweeps up previews.

use crate::support::{PROJECT, PULL_REQUEST, REGION, REPOSITORY, World, config};

const PREVIEW: &str = "qwen3-5-4b-pr-12";

#[test]
fn production_is_tested_and_nothing_is_changed() {
    let world = World::new();
    world.run("push").expect_code(0);
    world.forget_requests();
    world.run("schedule").expect_code(0);
    assert_eq!(world.report()["kind"], "scheduled_test");
    assert!(
        world.report()["models"][0]["latency"][0]["ttft_ms"]["p50"]
            .as_f64()
            .unwrap()
            >= 2.0
    );
    let changed: Vec<_> = world
        .requests()
        .into_iter()
        .filter(|r| r["service"] == "run" && r["method"] != "GET")
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
}

#[test]
fn a_missing_service_is_a_failure_with_the_next_step() {
    let world = World::new();
    world.run("schedule").expect_code(1);
    let summary = world.read("summary.md");
    assert!(
        summary.contains("doesn") && summary.contains("exist"),
        "{summary}"
    );
}

#[test]
fn an_expired_preview_is_deleted_and_a_live_one_is_kept() {
    let world = World::new();
    world.run("push").expect_code(0);
    world.run("pull_request.opened").expect_code(0);
    world.run("schedule").expect_code(0);
    assert!(world.service(PREVIEW).is_some(), "its time has not come");
    let mut labels = world.service(PREVIEW).unwrap()["labels"].clone();
    labels["llm-deploy-expires"] = "1700000000".into();
    let path = format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services/{PREVIEW}?updateMask=labels");
    world.change(
        reqwest::Method::PATCH,
        &path,
        &serde_json::json!({ "labels": labels }),
    );
    world.run("schedule").expect_code(0);
    assert!(world.service(PREVIEW).is_none());
    assert!(world.service("qwen3-5-4b").is_some());
}

#[test]
fn a_preview_whose_pull_request_is_closed_is_deleted() {
    let world = World::new();
    world.run("push").expect_code(0);
    world.run("pull_request.opened").expect_code(0);
    world.run("schedule").expect_code(0);
    assert!(world.service(PREVIEW).is_some(), "still open, not expired");
    world
        .emulator
        .emulator
        .github
        .close_pull_request(REPOSITORY, PULL_REQUEST);
    world.run("schedule").expect_code(0);
    assert!(world.service(PREVIEW).is_none());
}

#[test]
fn a_service_whose_model_left_the_configuration_is_told_and_kept() {
    let world = World::new();
    world.run("push").expect_code(0);
    let other =
        config("latency: { requests: 1, concurrency: [1], max-tokens: 2 }").replace("3.5-4B", "3-0.6B");
    world.write("llm-deploy.yaml", &other);
    world.run("push").expect_code(0);
    world.run("schedule").expect_code(0);
    let summary = world.read("summary.md");
    assert!(
        summary.contains("gcloud run services delete qwen3-5-4b "),
        "{summary}"
    );
    assert!(!summary.contains("delete qwen3-0-6b"), "{summary}");
    assert!(world.service("qwen3-5-4b").is_some());
}
