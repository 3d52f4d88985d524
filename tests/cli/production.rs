//! A push to the default branch: a candidate without traffic, tested, and only then in production.

use serde_json::Value;

use crate::support::{PROJECT, REGION, World, config};

const SERVICE: &str = "qwen3-5-4b";
const QUICK: &str = "latency: { requests: 2, concurrency: [1], max-tokens: 4 }";

/// Revision name and percent of everything that gets traffic.
fn traffic(service: &Value) -> Vec<(String, i64)> {
    let statuses = service["trafficStatuses"].as_array().unwrap();
    statuses
        .iter()
        .filter(|s| s["percent"].as_i64().unwrap_or(0) > 0)
        .map(|s| {
            (
                s["revision"].as_str().unwrap_or("latest").to_owned(),
                s["percent"].as_i64().unwrap(),
            )
        })
        .collect()
}

fn short(name: &Value) -> String {
    name.as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[test]
fn a_first_push_creates_the_service_and_gives_it_all_traffic() {
    let world = World::new();
    world.run("push").expect_code(0);
    let service = world.service(SERVICE).unwrap();
    assert_eq!(
        traffic(&service).iter().map(|(_, percent)| percent).sum::<i64>(),
        100
    );
    assert_eq!(world.output("url").as_deref(), service["uri"].as_str());
    assert!(
        world.comments().is_empty(),
        "a push has no pull request to comment on"
    );
}

#[test]
fn a_changed_model_is_tested_as_a_candidate_before_it_gets_the_traffic() {
    let world = World::new();
    world.run("push").expect_code(0);
    let first = short(&world.service(SERVICE).unwrap()["latestReadyRevision"]);
    world.write(
        "llm-deploy.yaml",
        &config(&format!("engine: {{ max-model-len: 2048 }}\n{QUICK}")),
    );
    world.forget_requests();
    world.run("push").expect_code(0);

    let service = world.service(SERVICE).unwrap();
    let second = short(&service["latestReadyRevision"]);
    assert_ne!(first, second);
    assert_eq!(traffic(&service), [(second.clone(), 100)]);
    let patches: Vec<Value> = world
        .requests()
        .into_iter()
        .filter(|r| r["id"] == "run.projects.locations.services.patch")
        .collect();
    assert_eq!(patches.len(), 2, "one for the candidate, one for the traffic");
    let offered = patches[0]["body"]["traffic"].as_array().unwrap();
    assert!(
        offered
            .iter()
            .any(|t| t["revision"] == first.as_str() && t["percent"] == 100),
        "{offered:?}"
    );
    assert!(
        offered
            .iter()
            .any(|t| t["revision"] == second.as_str() && t["tag"] == "candidate"),
        "{offered:?}"
    );
    assert_eq!(world.output("revision").as_deref(), Some(second.as_str()));
    assert_eq!(
        world.output("url").as_deref(),
        service["uri"].as_str(),
        "the service's own URL, not the tag's"
    );
}

#[test]
fn a_candidate_that_fails_its_tests_gets_no_traffic_and_the_next_run_takes_it_up() {
    let world = World::new();
    world.run("push").expect_code(0);
    let first = short(&world.service(SERVICE).unwrap()["latestReadyRevision"]);
    let failing = "engine: { max-model-len: 2048 }\nsmoke: { checks: [{ name: knows-paris, prompt: 'Capital of France?', contains: 'no model says this' }] }";
    world.write("llm-deploy.yaml", &config(&format!("{failing}\n{QUICK}")));
    let ran = world.run("push");
    ran.expect_code(1);
    assert_eq!(traffic(&world.service(SERVICE).unwrap()), [(first, 100)]);
    assert_eq!(world.output("status").as_deref(), Some("failed"));
    assert!(world.read("summary.md").contains("knows-paris"));

    world.write(
        "llm-deploy.yaml",
        &config(&format!("engine: {{ max-model-len: 2048 }}\n{QUICK}")),
    );
    world.forget_requests();
    world.run("push").expect_code(0);
    let service = world.service(SERVICE).unwrap();
    let second = short(&service["latestCreatedRevision"]);
    assert_eq!(traffic(&service), [(second, 100)]);
    let patches = world
        .requests()
        .iter()
        .filter(|r| r["id"] == "run.projects.locations.services.patch")
        .count();
    assert_eq!(patches, 1, "the candidate was there: only the traffic moves");
}

#[test]
fn somebody_elses_service_of_that_name_is_not_touched() {
    let world = World::new();
    world.run("push").expect_code(0);
    let other = "octo-org/private-endpoint";
    let payload = llm_deploy_emulator::github::event_payload("push", other, 12).unwrap();
    world.write("event.json", &payload.to_string());
    let before = world.service(SERVICE).unwrap();
    let ran = world.actions(
        &["run"],
        "push",
        &[("GITHUB_REPOSITORY", "octo-org/private-endpoint")],
    );
    ran.expect_code(2);
    assert!(
        world.read("summary.md").contains("belongs to"),
        "{}",
        world.read("summary.md")
    );
    assert_eq!(
        before["generation"],
        world.service(SERVICE).unwrap()["generation"]
    );
}

#[test]
fn a_public_service_is_deployed_without_the_invoker_check() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        &config(&format!("service: {{ access: public }}\n{QUICK}")),
    );
    world.run("push").expect_code(0);
    assert_eq!(world.service(SERVICE).unwrap()["invokerIamDisabled"], true);
}

#[test]
fn a_rollback_by_hand_is_left_alone_and_told() {
    let world = World::new();
    world.run("push").expect_code(0);
    let first = short(&world.service(SERVICE).unwrap()["latestReadyRevision"]);
    world.write(
        "llm-deploy.yaml",
        &config(&format!("engine: {{ max-model-len: 2048 }}\n{QUICK}")),
    );
    world.run("push").expect_code(0);
    let path = format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services/{SERVICE}?updateMask=traffic");
    let back = serde_json::json!({"traffic": [{
        "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": first, "percent": 100,
    }]});
    world.change(reqwest::Method::PATCH, &path, &back);
    world.run("push").expect_code(1);
    assert_eq!(traffic(&world.service(SERVICE).unwrap()), [(first, 100)]);
    assert!(
        world.read("summary.md").contains("update-traffic"),
        "{}",
        world.read("summary.md")
    );
}
