//! `bench cold-start`: measured against an emulator whose instances come and go.

use std::time::Duration;

use clap::Parser;
use llm_deploy::{
    cli::Cli,
    commands::{self, Error},
    environment::Environment,
    tempo::Tempo,
};
use llm_deploy_emulator::{Scaling, access::Resource, iam::Iam};
use serde_json::Value;

use crate::support::{PROJECT, REGION, World, config};

/// Nominal waits of half an hour are over in seconds.
const TEMPO: f64 = 0.02;
const CONTAINER: Duration = Duration::from_millis(200);
const LOAD: Duration = Duration::from_millis(300);
const INIT: Duration = Duration::from_millis(100);
const LITTLE: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";

/// A deployed service whose idle instances go soon.
fn world(more: &str) -> World {
    let world = World::with(|settings| {
        settings.scaling = Scaling {
            idle: Duration::from_millis(400),
            container: CONTAINER,
            load: LOAD,
            init: INIT,
        };
    });
    world.write("llm-deploy.yaml", &config(&format!("{LITTLE}\n{more}")));
    world.run("push").expect_code(0);
    world
}

/// The command in this process, where waits can be made short.
async fn cold_start(world: &World, more: &[&str]) -> Result<u8, Error> {
    let file = world.path("llm-deploy.yaml").display().to_string();
    let account = format!("llm-deployer@{PROJECT}.iam.gserviceaccount.com");
    let base = [
        "llm-deploy",
        "bench",
        "cold-start",
        "--config",
        &file,
        "--service-account",
        &account,
    ];
    let cli = Cli::parse_from(base.iter().chain(more));
    let mut environment: Environment = world.emulator.environment().into_iter().collect();
    environment.tempo = Tempo::new(TEMPO);
    commands::dispatch(cli, environment).await
}

#[track_caller]
fn stage(round: &Value, name: &str) -> f64 {
    let mut stages = round["stages"].as_array().unwrap().iter();
    let found = stages.find(|stage| stage["name"] == name);
    found.and_then(|stage| stage["ms"].as_f64()).unwrap()
}

#[test]
fn three_cold_starts_are_split_as_the_log_has_them() {
    let world = world("");
    let file = world.path("cold.json").display().to_string();
    let code = world.block_on(cold_start(&world, &["--json", &file])).unwrap();
    assert_eq!(code, 0);
    let result = world.json("cold.json");
    assert_eq!(
        (&result["schema_version"], &result["service"]),
        (&1.into(), &"qwen3-5-4b".into())
    );
    let rounds = result["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 3);
    let instances: std::collections::BTreeSet<_> = rounds.iter().map(|r| r["instance"].to_string()).collect();
    assert_eq!(instances.len(), 3, "each round had an instance of its own");
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    for round in rounds {
        let names: Vec<_> = round["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "instance_requested",
                "container_start",
                "model_load",
                "engine_init",
                "startup_probe",
                "first_token"
            ],
            "{round}"
        );
        assert!(stage(round, "container_start") >= ms(CONTAINER), "{round}");
        assert!(stage(round, "model_load") >= ms(LOAD), "{round}");
        assert!(stage(round, "engine_init") >= ms(INIT), "{round}");
        let first_token = round["first_token_ms"].as_f64().unwrap();
        let sum: f64 = names.iter().map(|name| stage(round, name)).sum();
        assert!((sum - first_token).abs() < 0.01, "{sum} is not {first_token}");
        assert!(first_token >= ms(CONTAINER + LOAD + INIT));
        assert!(
            round["evidence"].as_str().unwrap().contains("counts 0 instances"),
            "{round}"
        );
        assert_eq!(round["notes"], serde_json::json!([]));
    }
    let mut firsts: Vec<f64> = rounds
        .iter()
        .map(|r| r["first_token_ms"].as_f64().unwrap())
        .collect();
    firsts.sort_by(f64::total_cmp);
    assert_eq!(result["median"]["first_token_ms"].as_f64().unwrap(), firsts[1]);
}

#[test]
fn a_service_that_others_keep_up_is_not_measured_and_they_are_named() {
    let world = world("service: { access: public }");
    let url = world.service("qwen3-5-4b").unwrap()["uri"]
        .as_str()
        .unwrap()
        .to_owned();
    let ended = world.block_on(async {
        let calls = async {
            let client = reqwest::Client::new();
            loop {
                let _ = client
                    .get(format!("{url}/health"))
                    .header("user-agent", "a-neighbour")
                    .send()
                    .await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            ended = cold_start(&world, &["--wait", "2m"]) => ended,
            () = calls => unreachable!(),
        }
    });
    let message = ended.unwrap_err().message;
    for words in [
        "still had an instance after 2m 00s",
        "others keep it up",
        "a-neighbour",
        "--pull-request",
    ] {
        assert!(message.contains(words), "{words} is not in: {message}");
    }
}

#[test]
fn a_start_that_fails_is_told_and_not_measured() {
    let world = world("");
    let fault =
        "[{ on: { service: endpoint, path: /chat/completions }, fault: { answer: { status: 429 } } }]";
    for rule in llm_deploy_emulator::faults::parse(fault).unwrap() {
        world.emulator.emulator.faults.add(rule);
    }
    let file = world.path("cold.json").display().to_string();
    let code = world
        .block_on(cold_start(&world, &["--rounds", "1", "--json", &file]))
        .unwrap();
    let round = &world.json("cold.json")["rounds"][0];
    assert_eq!(code, 1, "{round}");
    assert!(round["error"].as_str().unwrap().contains("429"), "{round}");
    assert!(round["first_token_ms"].is_null() && world.json("cold.json")["median"].is_null());
}

#[test]
fn a_service_with_a_minimum_of_instances_is_refused_with_the_fix() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        &config(&format!("{LITTLE}\nservice: {{ min-instances: 1 }}")),
    );
    world.run("push").expect_code(0);
    let ran = crate::support::ran(world.command(&["bench", "cold-start"]));
    ran.expect_code(2);
    for words in ["never scales to zero", "min-instances: 0", "--pull-request"] {
        assert!(ran.stderr.contains(words), "{words} is not in: {}", ran.stderr);
    }
}

#[test]
fn the_role_that_is_missing_is_named() {
    let world = World::new();
    world.run("push").expect_code(0);
    // From here on the deployer has the documented roles and no more, but for one.
    world.emulator.emulator.settle(REGION);
    let member = format!("serviceAccount:llm-deployer@{PROJECT}.iam.gserviceaccount.com");
    let emulator = &world.emulator.emulator;
    assert!(emulator.revoke(&Resource::Project, "roles/logging.viewer", &member));
    let mut command = world.command(&["bench", "cold-start", "--wait", "1s"]);
    command.env("CLOUDSDK_AUTH_ACCESS_TOKEN", "");
    for (name, value) in world.emulator.environment() {
        if name.starts_with("ACTIONS_") {
            command.env(name, value);
        }
    }
    command.env("LLM_DEPLOY_WORKLOAD_IDENTITY_PROVIDER", Iam::provider_name());
    let ran = crate::support::ran(command);
    assert_ne!(ran.code, 0);
    assert!(
        ran.stderr.contains("roles/logging.viewer"),
        "{}: {} {}",
        ran.code,
        ran.stdout,
        ran.stderr
    );
}
