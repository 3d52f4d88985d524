//! A pull request from a fork has no credentials: a plan, green, with the reason.

use crate::support::{World, config};

#[test]
fn a_forks_pull_request_gets_a_plan_and_nothing_is_asked_of_google() {
    let world = World::new();
    let summary = fork(&world);
    assert!(summary.contains("fork"), "{summary}");
    assert!(
        summary.contains("Qwen/Qwen3.5-4B") && summary.contains("image key"),
        "{summary}"
    );
    let services: Vec<_> = world
        .requests()
        .into_iter()
        .filter(|r| r["service"] != "hf")
        .collect();
    assert!(services.is_empty(), "{services:?}");
}

#[test]
fn a_model_that_a_stranger_can_not_look_up_leaves_the_run_green() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        &config("").replace("Qwen/Qwen3.5-4B", "octo-org/private"),
    );
    let summary = fork(&world);
    assert!(summary.contains("could not be looked up"), "{summary}");
}

/// Runs on a fork's pull request, without credentials; the job summary.
fn fork(world: &World) -> String {
    let (name, mut payload) = world.event("pull_request.opened");
    payload["pull_request"]["head"]["repo"]["full_name"] = "stranger/llm-endpoint".into();
    payload["pull_request"]["head"]["repo"]["id"] = 99.into();
    payload["pull_request"]["head"]["repo"]["fork"] = true.into();
    world.write("event.json", &payload.to_string());
    let none = [
        ("CLOUDSDK_AUTH_ACCESS_TOKEN", ""),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", ""),
        ("GITHUB_TOKEN", ""),
    ];
    world.actions(&["run"], &name, &none).expect_code(0);
    world.read("summary.md")
}
