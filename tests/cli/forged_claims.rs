//! What claims to be a newer run and is none: a forged deployment, a copied label, another server's run number. A
//! production run deploys all the same.

use serde_json::{Value, json};

use llm_deploy_emulator::github::{Access, WorkflowRun};

use crate::support::{REPOSITORY, Ran, World, config};

const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
const SERVICE: &str = "qwen3-5-4b";

fn configured(context: &str) -> String {
    config(&format!("engine: {{ max-model-len: {context} }}\n{QUICK}"))
}

/// Production as run 40 has left it, with a configuration that the next run has to deploy.
fn world() -> World {
    let world = World::new();
    world.write("llm-deploy.yaml", &config(QUICK));
    push(&world, 40, 1).expect_code(0);
    world.write("llm-deploy.yaml", &configured("2048"));
    world
}

fn push(world: &World, number: u64, attempt: u32) -> Ran {
    let (number, attempt) = (number.to_string(), attempt.to_string());
    let run = [
        ("GITHUB_RUN_ID", number.as_str()),
        ("GITHUB_RUN_ATTEMPT", attempt.as_str()),
    ];
    world.run_with("push", &run)
}

/// Writes a deployment as any job with `deployments: write` can, with the state that it claims; its payload is that of
/// the first run but for `changes`.
fn forge(world: &World, changes: &Value, state: Option<&str>) {
    let github = |method: &str, path: &str, body: Option<&Value>| world.github(method, path, body);
    let listed = github("GET", "deployments?environment=production", None);
    let mut payload = listed[0]["payload"].clone();
    for (name, value) in changes.as_object().unwrap() {
        payload[name] = value.clone();
    }
    let body = json!({
        "ref": "main", "environment": "production", "auto_merge": false, "required_contexts": [], "payload": payload,
    });
    let made = github("POST", "deployments", Some(&body));
    if let Some(state) = state {
        let path = format!("deployments/{}/statuses", made["id"]);
        github("POST", &path, Some(&json!({ "state": state })));
    }
}

#[track_caller]
fn expect_deployed(world: &World, ran: &Ran, context: &str) {
    ran.expect_code(0);
    let outputs = world.read("outputs.txt");
    assert!(outputs.contains("\nsucceeded\n"), "{outputs}{}", ran.stderr);
    let service = world.service(SERVICE).unwrap();
    let args = service["template"]["containers"][0]["args"].to_string();
    assert!(args.contains(&format!("--max-model-len={context}")), "{args}");
    assert_eq!(service["trafficStatuses"].as_array().unwrap().len(), 1);
}

#[test]
fn a_forged_deployment_of_a_run_that_does_not_exist_stops_no_push_and_enters_no_label() {
    for state in [None, Some("in_progress"), Some("success")] {
        for run in ["99999999999-0", "43-0", "18446744073709551615-4294967295"] {
            let world = world();
            forge(&world, &json!({ "llm-deploy-run": run }), state);
            expect_deployed(&world, &push(&world, 41, 1), "2048");
            world.write("llm-deploy.yaml", &configured("1024"));
            expect_deployed(&world, &push(&world, 41, 2), "1024");
            let label = world.service(SERVICE).unwrap()["labels"]["llm-deploy-run"].clone();
            assert_eq!(label, "41-1", "another run's number was copied");
        }
    }
}

/// The job of a pull request posts as the same bot, and can name a run that exists.
#[test]
fn a_run_that_exists_but_cannot_have_deployed_production_stops_no_push() {
    let there = WorkflowRun::push(43);
    let pull_request = WorkflowRun {
        event: "pull_request".to_owned(),
        head_branch: "feature".to_owned(),
        ..there.clone()
    };
    let runs = [
        pull_request,
        WorkflowRun {
            path: ".github/workflows/other.yml".to_owned(),
            ..there.clone()
        },
        WorkflowRun {
            head_branch: "feature".to_owned(),
            ..there.clone()
        },
        WorkflowRun {
            event: "issue_comment".to_owned(),
            ..there.clone()
        },
        WorkflowRun {
            conclusion: Some("failure".to_owned()),
            ..there
        },
    ];
    for run in runs {
        let world = world();
        let what = format!("{run:?}");
        world.emulator.emulator.github.run(REPOSITORY, run);
        forge(&world, &json!({ "llm-deploy-run": "43-0" }), Some("success"));
        let ran = push(&world, 41, 1);
        assert!(
            world.read("outputs.txt").contains("\nsucceeded\n"),
            "{what}{}",
            ran.stderr
        );
        expect_deployed(&world, &ran, "2048");
    }
}

#[test]
fn another_author_server_or_repository_stops_no_push_although_the_run_exists() {
    for changes in [
        json!({"server": "https://ghe.example.com"}),
        json!({"repository-id": 1}),
        json!({"server": null}),
        json!({}),
    ] {
        let world = world();
        let github = &world.emulator.emulator.github;
        let succeeded = WorkflowRun {
            conclusion: Some("success".to_owned()),
            ..WorkflowRun::push(43)
        };
        github.run(REPOSITORY, succeeded);
        let mut changes = changes;
        let by_another = changes == json!({});
        changes["llm-deploy-run"] = json!("43-0");
        forge(&world, &changes, Some("success"));
        if by_another {
            github.set_creator(REPOSITORY, "mallory");
        }
        expect_deployed(&world, &push(&world, 41, 1), "2048");
    }
}

/// The counter-example: what the others lack is all that it takes.
#[test]
fn a_newer_run_that_github_confirms_makes_this_one_give_way_with_a_warning_and_a_link() {
    let world = world();
    let succeeded = WorkflowRun {
        conclusion: Some("success".to_owned()),
        ..WorkflowRun::push(43)
    };
    world.emulator.emulator.github.run(REPOSITORY, succeeded);
    forge(&world, &json!({ "llm-deploy-run": "43-0" }), Some("success"));
    let ran = push(&world, 41, 1);
    ran.expect_code(0);
    assert!(world.read("outputs.txt").contains("\nsuperseded\n"));
    let page = format!("https://github.com/{REPOSITORY}/actions/runs/43");
    let warnings = ran.stdout.lines().filter(|line| line.starts_with("::warning"));
    assert_eq!(
        warnings.filter(|line| line.contains(&page)).count(),
        1,
        "{}",
        ran.stdout
    );
    assert!(
        world.read("summary.md").contains(&page),
        "{}",
        world.read("summary.md")
    );
}

#[test]
fn without_actions_read_no_claim_stops_a_push_and_the_log_names_the_permission() {
    let world = world();
    let github = &world.emulator.emulator.github;
    github.permit("actions", Access::None);
    github.run(REPOSITORY, WorkflowRun::push(43));
    forge(&world, &json!({ "llm-deploy-run": "43-0" }), Some("success"));
    let ran = push(&world, 41, 1);
    expect_deployed(&world, &ran, "2048");
    let warned = |line: &&str| line.starts_with("::warning") && line.contains("actions: read");
    assert!(ran.stdout.lines().any(|line| warned(&line)), "{}", ran.stdout);
}

/// After a move from github.com to GitHub Enterprise, run numbers start anew, and labels and deployments stay.
#[test]
fn run_numbers_that_start_anew_stop_no_push() {
    let world = World::new();
    world.write("llm-deploy.yaml", &config(QUICK));
    push(&world, 17_000_000_000, 1).expect_code(0);
    world.write("llm-deploy.yaml", &configured("2048"));
    expect_deployed(&world, &push(&world, 12, 1), "2048");
    let label = world.service(SERVICE).unwrap()["labels"]["llm-deploy-run"].clone();
    assert_eq!(label, "12-0");
    world.write("llm-deploy.yaml", &configured("1024"));
    expect_deployed(&world, &push(&world, 13, 1), "1024");
}

/// With `concurrency` and `cancel-in-progress: false` the next push's run waits for this one: waiting for it would be for
/// ever.
#[test]
fn a_newer_run_that_waits_for_this_one_is_not_waited_for() {
    let world = world();
    let waits = WorkflowRun {
        waits: true,
        ..WorkflowRun::push(43)
    };
    world.emulator.emulator.github.run(REPOSITORY, waits);
    forge(&world, &json!({ "llm-deploy-run": "43-0" }), Some("in_progress"));
    expect_deployed(&world, &push(&world, 41, 1), "2048");
}

/// Such as with `continue-on-error`: the run is green, its deployment is not.
#[test]
fn a_newer_run_that_succeeds_without_its_deployment_is_waited_for_and_then_this_one_deploys() {
    let world = world();
    let github = &world.emulator.emulator.github;
    github.run(REPOSITORY, WorkflowRun::push(43));
    forge(&world, &json!({ "llm-deploy-run": "43-0" }), Some("in_progress"));
    let (name, payload) = world.event("push");
    world.write("event.json", &payload.to_string());
    let mut command = world.actions_command(&["run"], &name, &[("GITHUB_RUN_ID", "41")]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    world.wait_for_path("/actions/runs/43");
    github.end_run(REPOSITORY, 43, "success");
    expect_deployed(&world, &crate::support::ended(child), "2048");
}
