//! A cancelled workflow says so, and ends as a shell expects.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::{PULL_REQUEST, REPOSITORY, World};

/// Far more than it takes on a busy machine, far less than the pretended build.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_cancelled_run_tells_the_pull_request_and_exits_130() {
    let world = World::with(|settings| settings.pace = 1000.0);
    let (name, payload) = world.event("pull_request.opened");
    world.write("event.json", &payload.to_string());
    let mut command = world.actions_command(&["run"], &name, &[]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !world.read("requests.jsonl").contains("builds.create") {
        assert!(began.elapsed() < PATIENCE, "no build was started");
        std::thread::sleep(Duration::from_millis(50));
    }
    let signalled = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(signalled.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("interrupted"), "{stderr}");
    assert!(
        world.comments()[0].contains("cancelled"),
        "{}",
        world.comments()[0]
    );
    assert_eq!(world.output("status").as_deref(), Some("cancelled"));
    assert!(world.service(&format!("qwen3-5-4b-pr-{PULL_REQUEST}")).is_none());
    let deployments = world.emulator.emulator.github.deployments(REPOSITORY);
    assert_eq!(deployments[0].states.last().map(String::as_str), Some("error"));
}
