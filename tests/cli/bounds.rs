//! However many models there are and whatever servers do, requests, answers and waiting are bounded.

use std::time::Duration;

use llm_deploy::{environment::Environment, github::GitHub};
use llm_deploy_emulator::faults::{Fault, Pattern, Rule};

use crate::{
    live::quickly,
    support::{PROJECT, PULL_REQUEST, REGION, REPOSITORY, World, config, ran},
};

const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";

fn meets(world: &World, service: &str, id: Option<&str>, fault: Fault) {
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some(service.to_owned()),
            id: id.map(str::to_owned),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault,
    });
}

#[test]
fn with_many_models_eight_requests_go_to_cloud_run_at_a_time() {
    let world = World::new();
    let models: Vec<String> = (0..14)
        .map(|i| format!("{{ id: Qwen/Qwen3.5-4B, name: m{i} }}"))
        .collect();
    world.write(
        "llm-deploy.yaml",
        &format!(
            "project: {PROJECT}\nregion: {REGION}\nmodels: [{}]\n{QUICK}\n",
            models.join(", ")
        ),
    );
    meets(&world, "run", None, Fault::Slow(Duration::from_millis(40)));
    let plan = ran(world.command(&["plan"]));
    plan.expect_code(0);
    assert_eq!(
        world.emulator.emulator.busy.most("run"),
        8,
        "Cloud Run is asked as much as is allowed, and no more"
    );
}

#[test]
fn all_clients_of_a_run_share_the_room_at_github() {
    let world = World::new();
    meets(&world, "github", None, Fault::Slow(Duration::from_millis(40)));
    let mut environment: Environment = world.emulator.environment().into_iter().collect();
    environment.set("GITHUB_REPOSITORY", REPOSITORY);
    let token = environment.secret("GITHUB_TOKEN").unwrap().clone();
    world.block_on(async {
        let clients: Vec<GitHub> = (0..3)
            .map(|_| GitHub::new(&environment, &token).unwrap())
            .collect();
        let reads = (0..30).map(|i| clients[i % 3].pull_request_state(PULL_REQUEST));
        for read in futures::future::join_all(reads).await {
            read.unwrap();
        }
    });
    assert_eq!(world.emulator.emulator.busy.most("github"), 8);
}

#[test]
fn a_service_that_falls_silent_is_told_of_and_given_up_after_five_minutes() {
    for (service, id) in [
        ("run", "run.projects.locations.operations.wait"),
        ("cloudbuild", "cloudbuild.projects.locations.builds.get"),
    ] {
        for fault in [Fault::Hang, Fault::ResetBefore] {
            let world = World::new();
            world.write("llm-deploy.yaml", &config(QUICK));
            meets(&world, service, Some(id), fault.clone());
            // The build is not done at once.
            if service == "run" {
                meets(
                    &world,
                    service,
                    Some("run.projects.locations.operations.get"),
                    fault.clone(),
                );
            }
            let tempo = 0.01;
            let started = std::time::Instant::now();
            let (code, warnings) = quickly(&world, "push", tempo);
            let took = started.elapsed().as_secs_f64() / tempo / 60.0;
            assert_eq!(code, 3, "{service} {fault:?}: {warnings:?}");
            // Eight minutes by the run's clock, with what else the run does.
            assert!(took < 20.0, "{service} {fault:?}: {took:.1} minutes");
            if matches!(fault, Fault::Hang) {
                let told = warnings
                    .iter()
                    .any(|text| text.contains("has given no answer for a minute"));
                assert!(told, "{service}: {warnings:?}");
            }
        }
    }
}

#[test]
fn a_history_that_is_not_ours_is_replaced() {
    let world = World::new();
    world.write("llm-deploy.yaml", &config(QUICK));
    world.run("push").expect_code(0);
    let bucket = format!("{PROJECT}-llm-deploy");
    let object = format!("history/{REGION}/qwen3-5-4b.jsonl");
    let baseline = format!("history/{REGION}/qwen3-5-4b.baseline.json");
    let storage = &world.emulator.emulator.storage;
    let good = storage.get(&bucket, &object).unwrap();
    let good = String::from_utf8_lossy(&good).into_owned();
    let later = good.replace("\"at\":\"20", "\"at\":\"29");
    for (what, content) in [
        ("too large", "x".repeat(20 << 20)),
        ("corrupt", "{\"at\": 3}\n\u{0}\n[".to_owned()),
        ("of a time to come", later),
        ("empty", String::new()),
    ] {
        for name in [&object, &baseline] {
            storage.put(&bucket, name, content.clone().into_bytes());
        }
        let ran = world.run("schedule");
        ran.expect_code(0);
        let now = storage.get(&bucket, &object).unwrap();
        let text = String::from_utf8_lossy(&now).into_owned();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 1, "{what}: {}", text.len());
        assert!(lines[0]["at"].as_str().unwrap() < "2900", "{what}: {text}");
        let kept = storage.get(&bucket, &baseline).unwrap();
        assert!(
            serde_json::from_slice::<serde_json::Value>(&kept).is_ok(),
            "{what}"
        );
        if what == "too large" {
            assert!(ran.stdout.contains("it is replaced"), "{}", ran.stdout);
        }
    }
}
