//! A run that is killed anywhere can be run again, and ends in the same place.

use crate::support::{World, config, ended};

const SERVICE: &str = "qwen3-5-4b-pr-12";

fn slow(pace: f64) -> World {
    let world = World::with(|settings| settings.pace = pace);
    world.write(
        "llm-deploy.yaml",
        &config("latency: { requests: 1, concurrency: [1], max-tokens: 2 }"),
    );
    world
}

/// Kills a run once the emulator got a request of this method.
fn killed_at(world: &World, id: &str) {
    let mut run = world.start("pull_request.opened");
    world.wait_for_request(id);
    run.kill().unwrap();
    ended(run);
}

fn count(world: &World, id: &str) -> usize {
    world.requests().iter().filter(|r| r["id"] == id).count()
}

#[test]
fn a_build_that_was_started_is_followed_by_the_next_run() {
    let world = slow(1.0);
    killed_at(&world, "builds.create");
    world.run("pull_request.synchronize").expect_code(0);
    assert_eq!(count(&world, "cloudbuild.projects.locations.builds.create"), 1);
}

#[test]
fn a_revision_that_is_on_its_way_is_waited_for_by_the_next_run() {
    let world = slow(2.0);
    killed_at(&world, "services.create");
    world.run("pull_request.synchronize").expect_code(0);
    let service = world.service(SERVICE).unwrap();
    assert_eq!(service["latestReadyRevision"], service["latestCreatedRevision"]);
    assert_eq!(
        count(&world, "run.projects.locations.services.patch"),
        0,
        "no second revision"
    );
    let stages = world.report()["models"][0]["stages"].to_string();
    assert!(stages.contains("was on its way"), "{stages}");
}
