//! A configuration that is long, deep or unreadable costs little time, and keeps no preview alive.

use std::{os::unix::fs::symlink, process::Command, time::Instant};

use crate::{
    named_files::{in_time, start_in_time},
    support::{World, config},
};

const SERVICE: &str = "qwen3-5-4b-pr-12";
/// As long as a configuration may be.
const LONGEST: usize = 1 << 20;

/// A file of this many bytes that begins well.
fn file(piece: &str, length: usize) -> String {
    let start = config("x: ");
    let start = start.trim_end();
    let times = length.saturating_sub(start.len()) / piece.len();
    format!("{start} {}", piece.repeat(times))
}

fn actions(world: &World, event: &str) -> Command {
    let (name, payload) = world.event(event);
    world.write("event.json", &payload.to_string());
    world.actions_command(&["run"], &name, &[])
}

#[test]
fn a_deep_or_long_file_is_refused_at_once_also_from_a_fork() {
    let world = World::new();
    let pieces = [
        "[", "{a: ", "- ", "? ", "*a,", "\n  - a", "\na: 1", "\"", "a: b: ",
    ];
    for (index, piece) in pieces.iter().enumerate() {
        world.write("llm-deploy.yaml", &file(piece, LONGEST));
        let mut payload = world.event("pull_request.opened").1;
        if index % 2 == 0 {
            payload["pull_request"]["head"]["repo"]["id"] = 999.into();
        }
        world.write("event.json", &payload.to_string());
        let ran = in_time(world.actions_command(&["run"], "pull_request", &[]));
        ran.expect_code(2);
        assert!(
            ran.stdout.len() + ran.stderr.len() < 200_000,
            "{piece}: {}",
            ran.stdout.len()
        );
    }
}

#[test]
fn many_settings_are_refused_in_a_short_text() {
    let world = World::new();
    let entries = |count: usize| -> String { (0..count).map(|i| format!("    K{i}: v\n")).collect() };
    for count in [400, 60_000] {
        world.write(
            "llm-deploy.yaml",
            &config(&format!("service:\n  env:\n{}", entries(count))),
        );
        let ran = in_time(actions(&world, "pull_request.opened"));
        ran.expect_code(2);
        assert!(
            ran.stdout.len() + ran.stderr.len() < 40_000,
            "{}",
            ran.stdout.len()
        );
    }
    assert!(world.service(SERVICE).is_none());
}

#[test]
fn a_file_that_can_t_be_read_keeps_no_preview_alive() {
    let kinds = [
        "deep",
        "too long",
        "a link",
        "gone",
        "of another region",
        "not YAML",
    ];
    for kind in kinds {
        let world = World::new();
        world.run("pull_request.opened").expect_code(0);
        assert!(world.service(SERVICE).is_some());
        let path = world.path("llm-deploy.yaml");
        match kind {
            "deep" => world.write("llm-deploy.yaml", &file("[", LONGEST)),
            "too long" => world.write("llm-deploy.yaml", &file("# a", LONGEST + 4096)),
            "a link" => {
                std::fs::remove_file(&path).unwrap();
                symlink("/dev/zero", &path).unwrap();
            }
            "gone" => std::fs::remove_file(&path).unwrap(),
            "of another region" => world.write(
                "llm-deploy.yaml",
                "project: demo-project\nregion: us-central1\nx: [",
            ),
            _ => world.write("llm-deploy.yaml", "[http]\n"),
        }
        let ran = in_time(actions(&world, "pull_request.closed"));
        ran.expect_code(0);
        assert!(world.service(SERVICE).is_none(), "{kind}: {}", ran.stdout);
        // The comment is about a project and a region; one about others stays as it is.
        let told = world.comments()[0].contains("deleted");
        assert_eq!(
            told,
            kind != "of another region",
            "{kind}: {}",
            world.comments()[0]
        );
    }
}

#[test]
fn a_signal_ends_a_run_that_reads_a_long_file() {
    let world = World::new();
    world.write("llm-deploy.yaml", &file("\na: 1", LONGEST));
    let run = start_in_time(actions(&world, "pull_request.opened"));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let killed = Command::new("kill")
        .args(["-TERM", &run.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let asked = Instant::now();
    let ran = crate::support::ended(run);
    assert!(asked.elapsed().as_secs() < 10, "{:?}", asked.elapsed());
    assert_ne!(ran.code, 0);
}
