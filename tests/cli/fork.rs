//! A pull request from a fork has no credentials: a plan, green, with the reason.

use serde_json::{Value, json};

use crate::support::{PULL_REQUEST, REPOSITORY, World, config};

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

/// Commands that use the job's credentials as the checkout says.
const COMMANDS: [&[&str]; 6] = [
    &["build"],
    &["deploy"],
    &["smoke"],
    &["cleanup"],
    &["doctor"],
    &["bootstrap", "--yes"],
];

/// Every command refuses the event by itself, with the job's credentials there to take; what was said.
fn refused(world: &World, event: &str, payload: &Value, more: &[(&str, &str)]) -> Vec<String> {
    world.write("event.json", &payload.to_string());
    let said = COMMANDS.map(|command| {
        let ran = world.actions(command, event, more);
        ran.expect_code(2);
        format!("{}{}", ran.stdout, ran.stderr)
    });
    let asked: Vec<_> = world
        .requests()
        .into_iter()
        .filter(|r| r["service"] != "github")
        .collect();
    assert!(asked.is_empty(), "{event}: {asked:?}");
    said.into()
}

#[test]
fn a_command_by_name_is_refused_on_a_forks_event() {
    let world = World::new();
    let (_, mut payload) = world.event("pull_request.opened");
    payload["pull_request"]["head"]["repo"]["id"] = 99.into();
    let repository = payload["repository"].clone();
    let run = json!({"action": "completed", "repository": repository,
        "workflow_run": {"event": "pull_request", "head_repository": {"id": 99}}});
    for (event, payload) in [
        ("pull_request", &payload),
        ("pull_request_review", &payload),
        ("workflow_run", &run),
    ] {
        for said in refused(&world, event, payload, &[]) {
            assert!(
                said.contains("from a fork") && said.contains("Leave `command` out"),
                "{said}"
            );
        }
    }
}

/// A comment's event doesn't say where the pull request comes from: GitHub is asked.
#[test]
fn a_command_by_name_on_a_comment_asks_where_the_pull_request_comes_from() {
    let world = World::new();
    let (_, opened) = world.event("pull_request.opened");
    let payload = json!({"action": "created", "repository": opened["repository"],
        "issue": {"number": PULL_REQUEST, "pull_request": {"url": "https://api.github.com/x"}}});
    for said in refused(&world, "issue_comment", &payload, &[("GITHUB_TOKEN", "")]) {
        assert!(said.contains("is not known"), "{said}");
    }
    world
        .emulator
        .emulator
        .github
        .fork_pull_request(REPOSITORY, PULL_REQUEST);
    for said in refused(&world, "issue_comment", &payload, &[]) {
        assert!(said.contains("from a fork"), "{said}");
    }
}

#[test]
fn a_command_by_name_works_on_the_repositorys_own_pull_request() {
    let world = World::new();
    let (_, opened) = world.event("pull_request.opened");
    let comment = json!({"action": "created", "repository": opened["repository"],
        "issue": {"number": PULL_REQUEST, "pull_request": {"url": "https://api.github.com/x"}}});
    world.write("event.json", &comment.to_string());
    world.actions(&["deploy"], "issue_comment", &[]).expect_code(0);
    world.write("event.json", &opened.to_string());
    world.actions(&["smoke"], "pull_request", &[]).expect_code(0);
}
