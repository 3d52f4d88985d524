//! A wrong configuration: every mistake at once, on its line, before anything is asked of anybody.

use crate::support::{World, ran};

#[test]
fn every_mistake_is_named_with_its_line_and_nothing_is_requested() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        "project: demo-project\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\nservice:\n  memroy: 24Gi\n  cpu: lots\nengine:\n  gpu-memory-utilization: 1.9\n",
    );
    let plan = ran(world.command(&["plan"]));
    plan.expect_code(2);
    for part in [
        "llm-deploy.yaml:5:3",
        "memroy",
        "memory",
        "llm-deploy.yaml:6",
        "cpu",
        "llm-deploy.yaml:8",
        "gpu-memory-utilization",
    ] {
        assert!(plan.stderr.contains(part), "no `{part}` in:\n{}", plan.stderr);
    }
    assert!(world.requests().is_empty());
}

#[test]
fn in_actions_the_mistake_is_an_annotation_on_its_line_and_stands_in_the_comment() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        "project: demo-project\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\nservcie: {}\n",
    );
    let ran = world.run("pull_request.opened");
    ran.expect_code(2);
    let annotation = ran
        .stderr
        .lines()
        .find(|line| line.starts_with("::error"))
        .unwrap();
    assert!(
        annotation.contains("file=llm-deploy.yaml") && annotation.contains("line=4"),
        "{annotation}"
    );
    assert!(world.comments()[0].contains("servcie"), "{}", world.comments()[0]);
    assert!(world.read("summary.md").contains("servcie"));
}

#[test]
fn the_published_schema_is_what_the_command_prints() {
    let world = World::new();
    let schema = ran(world.command(&["schema"]));
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/llm-deploy.schema.json");
    assert_eq!(
        schema.expect_code(0).stdout,
        std::fs::read_to_string(committed).unwrap()
    );
}
