//! With `--json` standard output is JSON and nothing else, in Actions too.

use serde_json::Value;

use crate::support::World;

#[test]
fn standard_output_is_json_alone() {
    let world = World::new();
    let (name, payload) = world.event("push");
    world.write("event.json", &payload.to_string());
    let run = |command: &str| {
        let ran = world.actions(&[command, "--json"], &name, &[]);
        let json = serde_json::from_str::<Value>(&ran.expect_code(0).stdout);
        json.unwrap_or_else(|error| panic!("{command}: {error}:\n{}", ran.stdout))
    };
    assert_eq!(run("plan")["models"][0]["action"], "create");
    let image = run("build")["qwen3-5-4b"].as_str().unwrap().to_owned();
    assert!(image.contains("@sha256:"), "{image}");
    assert_eq!(run("run")["models"][0]["image"], image.as_str());
    assert_eq!(run("deploy")["kind"], "production");
    assert_eq!(run("smoke")["kind"], "scheduled_test");
    assert_eq!(run("cleanup")["kind"], "cleanup");
}

#[test]
fn a_wrong_configuration_is_told_in_the_json_report_too() {
    let world = World::new();
    world.write("llm-deploy.yaml", "project: p\nregion: europe-west4\nmodle: x\n");
    let (name, payload) = world.event("push");
    world.write("event.json", &payload.to_string());
    let ran = world.actions(&["run", "--json"], &name, &[]);
    ran.expect_code(2);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(
        report["failure"]["cause"].as_str().unwrap().contains("modle"),
        "{report}"
    );
}
