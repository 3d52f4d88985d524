//! `emulator` serves the stand-ins to other programs.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::support::{World, ran};

#[test]
fn the_emulator_tells_where_it_is_serves_another_process_and_ends_cleanly_when_asked() {
    let world = World::new();
    let arguments = [
        "emulator",
        "--port-file",
        "port",
        "--env-file",
        "env.sh",
        "--record",
        "own.jsonl",
        "--pace",
        "0",
    ];
    let mut emulator = world.command(&arguments).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.read("port").is_empty() {
        assert!(Instant::now() < deadline, "no port file");
        std::thread::sleep(Duration::from_millis(10));
    }
    let environment = world.read("env.sh");
    for name in [
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN",
        "GITHUB_API_URL",
        "HF_ENDPOINT",
        "CLOUDSDK_CORE_PROJECT",
    ] {
        assert!(environment.contains(&format!("export {name}=")), "{environment}");
    }

    let mut plan = world.command(&["plan"]);
    for (name, value) in environment
        .lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
    {
        plan.env(name, value.trim_matches('\''));
    }
    assert!(ran(plan).expect_code(0).stdout.contains("create service"));
    assert!(
        world.read("own.jsonl").contains("artifactregistry"),
        "its own requests are recorded, not the test's"
    );
    assert!(world.requests().is_empty());

    assert!(
        Command::new("kill")
            .arg(emulator.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(emulator.wait().unwrap().code(), Some(0));
}

#[test]
fn a_file_of_faults_with_a_mistake_is_refused_with_its_rule() {
    let world = World::new();
    world.write("faults.yaml", "- fault: hang\n- fault: hangs\n");
    let arguments = [
        "emulator",
        "--port-file",
        "port",
        "--env-file",
        "env.sh",
        "--faults",
        "faults.yaml",
    ];
    let refused = ran(world.command(&arguments));
    let said = &refused.expect_code(2).stderr;
    assert!(said.contains("faults.yaml") && said.contains("rule 2"), "{said}");
}
