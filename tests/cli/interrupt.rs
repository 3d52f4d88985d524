//! A cancelled workflow says so, and ends as a shell expects.

use std::process::Command;

use crate::support::{REPOSITORY, World, ended};

#[test]
fn a_cancelled_run_tells_the_pull_request_and_exits_130() {
    // The pretended build takes far longer than the test.
    let world = World::with(|settings| settings.pace = 1000.0);
    let run = world.start("pull_request.opened");
    world.wait_for_request("builds.create");
    let signalled = Command::new("kill")
        .args(["-INT", &run.id().to_string()])
        .status();
    assert!(signalled.unwrap().success());
    let ran = ended(run);
    ran.expect_code(130);
    assert!(ran.stderr.contains("interrupted"), "{}", ran.stderr);
    assert!(
        world.comments()[0].contains("cancelled"),
        "{}",
        world.comments()[0]
    );
    assert_eq!(world.output("status").as_deref(), Some("cancelled"));
    assert!(world.service("qwen3-5-4b-pr-12").is_none());
    let deployments = world.emulator.emulator.github.deployments(REPOSITORY);
    assert_eq!(deployments[0].states.last().map(String::as_str), Some("error"));
}
