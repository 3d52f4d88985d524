//! `demo` shows the whole job on a bare machine.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{World, ran};

fn demo(world: &World, event: &str) -> crate::support::Ran {
    ran(world.command(&["demo", "--event", event, "--out", "out"]))
}

#[test]
fn the_default_demo_writes_the_comment_and_says_that_the_endpoint_is_a_stand_in() {
    let world = World::new();
    let ran = ran(world.command(&["demo"]));
    ran.expect_code(0);
    for file in ["comment.md", "summary.md", "report.html", "report.json"] {
        assert!(
            !world.read(&format!("llm-deploy-demo/{file}")).is_empty(),
            "{file}"
        );
        assert!(ran.stdout.contains(&format!("llm-deploy-demo/{file}")), "{file}");
    }
    assert!(ran.stdout.contains("stand-in"), "{}", ran.stdout);
    let ttft = world.json("llm-deploy-demo/report.json")["models"][0]["latency"][0]["ttft_ms"]["p50"]
        .as_f64()
        .unwrap();
    assert!(
        ttft >= 30.0,
        "the stand-in's stated speed is 30 ms, measured {ttft}"
    );
}

#[test]
fn the_other_events_have_a_demo_too() {
    let world = World::new();
    demo(&world, "closed").expect_code(0);
    assert!(world.read("out/comment.md").contains("deleted"));
    demo(&world, "schedule").expect_code(0);
    assert_eq!(world.json("out/report.json")["kind"], "scheduled_test");
}

/// What serves the model takes a while to end, as vLLM does.
const SLOW_TO_END: &str =
    "trap 'sleep 0.5; touch ended; exit 0' TERM; touch started; while :; do sleep 0.1; done; :";

#[test]
fn an_interrupted_demo_leaves_no_server_behind() {
    let world = World::new();
    let mut command = world.command(&["demo", "--serve", SLOW_TO_END]);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut demo = quiet.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !world.path("started").exists() {
        assert!(Instant::now() < deadline, "the server was not started");
        assert!(demo.try_wait().unwrap().is_none(), "the demo ended by itself");
        std::thread::sleep(Duration::from_millis(50));
    }
    let kill = Command::new("kill")
        .args(["-TERM", &demo.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    assert!(world.path("ended").exists(), "the server goes on");
}
