//! A preview vanishes with its pull request.

use crate::support::{PULL_REQUEST, REPOSITORY, World, config};

const SERVICE: &str = "qwen3-5-4b-pr-12";

#[test]
fn closing_the_pull_request_deletes_the_preview_and_says_so_in_the_comment() {
    let world = World::new();
    world.run("pull_request.opened").expect_code(0);
    assert!(world.service(SERVICE).is_some());
    world
        .emulator
        .emulator
        .github
        .close_pull_request(REPOSITORY, PULL_REQUEST);
    world.run("pull_request.closed").expect_code(0);
    assert!(world.service(SERVICE).is_none());
    assert_eq!(world.comments().len(), 1);
    assert!(world.comments()[0].contains("deleted"), "{}", world.comments()[0]);
    let deployments = world.emulator.emulator.github.deployments(REPOSITORY);
    assert!(
        deployments
            .iter()
            .all(|d| d.states.last().is_some_and(|s| s == "inactive"))
    );
    // A second `closed` run finds nothing, and that is fine.
    world.run("pull_request.closed").expect_code(0);
}

#[test]
fn a_configuration_with_mistakes_keeps_no_preview_alive() {
    let world = World::new();
    world.run("pull_request.opened").expect_code(0);
    world.write("llm-deploy.yaml", &config("servcie: { gpu: none }"));
    world.run("pull_request.closed").expect_code(0);
    assert!(world.service(SERVICE).is_none());
    assert!(
        world
            .read("summary.md")
            .contains("The configuration can't be used"),
        "{}",
        world.read("summary.md")
    );
}

#[test]
fn closing_a_pull_request_that_never_had_a_preview_says_nothing() {
    let world = World::new();
    world.run("pull_request.closed").expect_code(0);
    assert!(world.comments().is_empty());
}

#[test]
fn production_is_never_deleted_by_a_clean_up() {
    let world = World::new();
    world.run("push").expect_code(0);
    world.run("pull_request.closed").expect_code(0);
    let ran = world.actions(&["cleanup"], "schedule", &[]);
    ran.expect_code(0);
    assert!(world.service("qwen3-5-4b").is_some());
}
