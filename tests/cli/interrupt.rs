//! A cancelled workflow says so, and ends as a shell expects.

use std::process::{Child, Command, Stdio};

use llm_deploy_emulator::faults::{Fault, Pattern, Rule};

use crate::{
    snapshot::build_states,
    support::{REPOSITORY, Ran, World, config, ended},
};

/// As GitHub's runner cancels a job, ten seconds before it kills.
fn interrupt(run: Child) -> Ran {
    let signalled = Command::new("kill")
        .args(["-INT", &run.id().to_string()])
        .status();
    assert!(signalled.unwrap().success());
    let asked = std::time::Instant::now();
    let ran = ended(run);
    assert!(asked.elapsed().as_secs() < 10, "{:?}", asked.elapsed());
    ran
}

/// The pretended builds take far longer than the test.
fn slow_builds() -> World {
    World::with(|settings| settings.pace = 1000.0)
}

#[test]
fn a_cancelled_run_tells_the_pull_request_and_exits_130() {
    let world = slow_builds();
    let run = world.start("pull_request.opened");
    world.wait_for_request("builds.create");
    let ran = interrupt(run);
    ran.expect_code(130);
    assert!(ran.stderr.contains("interrupted"), "{}", ran.stderr);
    assert!(
        world.comments()[0].contains("cancelled"),
        "{}",
        world.comments()[0]
    );
    assert_eq!(world.output("status").as_deref(), Some("cancelled"));
    assert!(world.service("qwen3-5-4b-pr-12").is_none());
    assert_eq!(build_states(&world), ["CANCELLED"]);
    let deployments = world.emulator.emulator.github.deployments(REPOSITORY);
    assert_eq!(deployments[0].states.last().map(String::as_str), Some("error"));
}

#[test]
fn each_model_of_a_cancelled_run_ends_its_own_build() {
    let world = slow_builds();
    world.write(
        "llm-deploy.yaml",
        "project: demo-project\nregion: europe-west4\nmodels: [Qwen/Qwen3.5-4B, Qwen/Qwen3-0.6B, Qwen/Qwen3-8B]\n",
    );
    let run = world.start("push");
    world.wait_until("three builds", || build_states(&world).len() == 3);
    interrupt(run).expect_code(130);
    assert_eq!(build_states(&world), ["CANCELLED"; 3]);
}

#[test]
fn a_build_by_hand_that_is_interrupted_is_cancelled() {
    let world = slow_builds();
    let mut command = world.command(&["build"]);
    let build = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    world.wait_for_request("builds.create");
    interrupt(build.unwrap()).expect_code(130);
    assert_eq!(build_states(&world), ["CANCELLED"]);
}

#[test]
fn a_build_is_cancelled_with_its_run_though_nobody_reads_what_that_says() {
    let world = slow_builds();
    let mut command = world.command(&["build"]);
    let build = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut build = build.unwrap();
    // Ctrl-C ends both sides of `llm-deploy build 2>&1 | tee log`, and tee is the quicker one.
    drop((build.stdout.take(), build.stderr.take()));
    world.wait_for_request("builds.create");
    interrupt(build).expect_code(130);
    assert_eq!(build_states(&world), ["CANCELLED"]);
}

#[test]
fn a_build_of_another_run_is_left_to_it() {
    let world = slow_builds();
    let mut first = world.start("pull_request.opened");
    world.wait_for_request("builds.create");
    let second = world.start("push");
    world.wait_until("it is followed by both", || lists(&world) == 3);
    interrupt(second).expect_code(130);
    assert_eq!(build_states(&world).len(), 1);
    assert_ne!(build_states(&world), ["CANCELLED"]);
    first.kill().unwrap();
    ended(first);
}

/// Looks for running builds: two by the run that starts one, before and after; one by the run that follows it.
fn lists(world: &World) -> usize {
    let id = "cloudbuild.projects.locations.builds.list";
    world.requests().iter().filter(|r| r["id"] == id).count()
}

#[test]
fn a_run_whose_adopted_build_is_cancelled_with_its_starter_builds_for_itself() {
    let world = World::with(|settings| settings.pace = 1.0);
    world.write(
        "llm-deploy.yaml",
        &config("latency: { requests: 1, concurrency: [1], max-tokens: 2 }"),
    );
    let first = world.start("pull_request.opened");
    world.wait_for_request("builds.create");
    let second = world.start("push");
    world.wait_until("it is followed by both", || lists(&world) == 3);
    interrupt(first).expect_code(130);
    ended(second).expect_code(0);
    assert_eq!(build_states(&world), ["CANCELLED", "SUCCESS"]);
}

#[test]
fn a_github_that_does_not_answer_keeps_no_cancelled_run_from_its_outputs() {
    let world = slow_builds();
    let run = world.start("pull_request.opened");
    world.wait_for_request("builds.create");
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some("github".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault: Fault::Hang,
    });
    interrupt(run).expect_code(130);
    assert_eq!(world.output("status").as_deref(), Some("cancelled"));
    assert_eq!(build_states(&world), ["CANCELLED"]);
}

#[test]
fn a_run_that_is_cancelled_while_github_lets_it_wait_says_so() {
    let world = slow_builds();
    let faults = &world.emulator.emulator.faults;
    faults.add(Rule {
        on: Pattern {
            service: Some("github".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault: Fault::Hang,
    });
    let run = world.start("push");
    world.wait_until("GitHub is asked", || faults.met() > 0);
    interrupt(run).expect_code(130);
    assert_eq!(world.output("status").as_deref(), Some("cancelled"));
    assert!(build_states(&world).is_empty());
}
