//! A pull request's own files that are something else than they seem: none leads to what the runner keeps, none hangs.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::support::{Ran, World, config, ended, found_below};

const SECRET: &str = "ghs_S3CRETS3CRETS3CRETS3CRETS3CRETS3CRET";
const QUICK: &str = "requests: 1, concurrency: [1], max-tokens: 2";
/// Longest that a run may take on a busy machine; one that waits for a pipe never ends.
const LONGEST: Duration = Duration::from_secs(60);

/// What a pull request's file can lead to.
const TARGETS: [&str; 8] = [
    "git config",
    "credentials",
    "netrc",
    "environ",
    "device",
    "pipe",
    "folder",
    "settings",
];

/// Files of a runner, outside of the checkout.
fn runner_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "config",
        format!("[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic {SECRET}\n"),
    );
    write(
        "gha-creds.json",
        format!("{{\"type\": \"external_account\", \"private_key\": \"{SECRET}\"}}"),
    );
    write("netrc", format!("machine github.com login x password {SECRET}\n"));
    write("settings.yaml", config(&format!("colour: {SECRET}")));
    mkfifo(&folder.path().join("pipe"), Mode::S_IRWXU).unwrap();
    folder
}

fn target(kind: &str, folder: &Path) -> PathBuf {
    match kind {
        "git config" => folder.join("config"),
        "credentials" => folder.join("gha-creds.json"),
        "netrc" => folder.join("netrc"),
        "environ" => "/proc/self/environ".into(),
        "device" => "/dev/zero".into(),
        "pipe" => folder.join("pipe"),
        "settings" => folder.join("settings.yaml"),
        _ => folder.to_owned(),
    }
}

/// The run with a secret in its environment, as a step's `env` may have one.
fn run(world: &World, payload: &serde_json::Value) -> Ran {
    world.write("event.json", &payload.to_string());
    let command = world.actions_command(&["run"], "pull_request", &[("MY_TOKEN", SECRET)]);
    in_time(command)
}

pub fn start_in_time(mut command: Command) -> Child {
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command.spawn().unwrap()
}

/// Runs a command that must end soon.
pub fn in_time(command: Command) -> Ran {
    let mut child = start_in_time(command);
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > LONGEST {
            child.kill().unwrap();
        }
        assert!(started.elapsed() <= LONGEST, "it did not end within {LONGEST:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    ended(child)
}

/// Nothing of the runner's is in the log, the requests, the comment, the files or the report.
#[track_caller]
fn leaks_nothing(world: &World, ran: &Ran, what: &str) {
    let surfaces = [
        &ran.stdout,
        &ran.stderr,
        &world.comments().join("\n"),
        &world.read("requests.jsonl"),
    ]
    .map(|text| text.contains("S3CRET"));
    assert_eq!(surfaces, [false; 4], "{what}:\n{}\n{}", ran.stdout, ran.stderr);
    // Links are followed when files are searched: those that the test made are not looked at.
    for found in ["report", "summary.md", "outputs.txt"].map(|name| world.path(name)) {
        let hits = if found.is_dir() {
            found_below(&found, "S3CRET")
        } else {
            Vec::new()
        };
        assert!(hits.is_empty(), "{what}: {hits:?}");
        let text = std::fs::read_to_string(&found).unwrap_or_default();
        assert!(!text.contains("S3CRET"), "{what}: {found:?}");
    }
}

#[test]
fn a_configuration_that_is_a_link_is_refused_and_nothing_is_quoted() {
    let runner = runner_files();
    for kind in TARGETS {
        for is_fork in [false, true] {
            let world = World::new();
            std::fs::remove_file(world.path("llm-deploy.yaml")).unwrap();
            symlink(target(kind, runner.path()), world.path("llm-deploy.yaml")).unwrap();
            let mut payload = world.event("pull_request.opened").1;
            if is_fork {
                payload["pull_request"]["head"]["repo"]["id"] = 999.into();
            }
            let ran = run(&world, &payload);
            ran.expect_code(2);
            assert!(
                ran.stderr.contains("it is a symbolic link"),
                "{kind}: {}",
                ran.stderr
            );
            assert_eq!(world.report()["status"], "failed", "{kind}");
            leaks_nothing(&world, &ran, kind);
            let made = world
                .requests()
                .into_iter()
                .any(|r| r["id"] == "run.projects.locations.services.create");
            assert!(!made, "{kind}");
        }
    }
}

#[test]
fn a_data_set_or_baseline_that_is_a_link_is_not_read() {
    let runner = runner_files();
    for (setting, code) in [("dataset", 2), ("baseline", 0)] {
        for kind in TARGETS {
            let world = World::new();
            symlink(target(kind, runner.path()), world.path("x.json")).unwrap();
            world.write(
                "llm-deploy.yaml",
                &config(&format!("latency: {{ {QUICK}, {setting}: x.json }}")),
            );
            let ran = run(&world, &world.event("pull_request.opened").1);
            ran.expect_code(code);
            let said = ran.stdout.clone() + &ran.stderr;
            assert!(said.contains("it is a symbolic link"), "{setting} {kind}: {said}");
            leaks_nothing(&world, &ran, &format!("{setting} {kind}"));
        }
    }
}

#[test]
fn what_lies_in_the_checkout_but_is_not_the_repositorys_is_not_read() {
    let runner = runner_files();
    let other = |world: &World, path: &str| {
        let path = world.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(runner.path().join("gha-creds.json"), path).unwrap();
    };
    for (path, why) in [
        (".git/x.json", "it is in the folder `.git`"),
        ("gha-creds-1.json", "it holds credentials"),
        ("other/x.json", "it is outside of the checkout"),
    ] {
        let world = World::new();
        other(&world, path);
        let mut in_app = String::new();
        if path.starts_with("other") {
            // Two checkouts in one workspace: the second may be of a private repository.
            for folder in ["app/.git", "other/.git"] {
                std::fs::create_dir_all(world.path(folder)).unwrap();
            }
            in_app = "app/".to_owned();
        }
        let file = format!("{in_app}llm-deploy.yaml");
        world.write(
            &file,
            &config(&format!("latency: {{ {QUICK}, dataset: {path} }}")),
        );
        world.write("event.json", &world.event("pull_request.opened").1.to_string());
        let credentials = world.path("gha-creds-1.json").display().to_string();
        let more = [
            ("LLM_DEPLOY_CONFIG", file.as_str()),
            ("GOOGLE_GHA_CREDS_PATH", credentials.as_str()),
        ];
        let ran = in_time(world.actions_command(&["run"], "pull_request", &more));
        ran.expect_code(2);
        let said = ran.stdout.clone() + &ran.stderr;
        assert!(said.contains(why), "{path}: {said}");
        leaks_nothing(&world, &ran, path);
    }
}

#[test]
fn the_report_is_not_written_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    let kept = outside.path().join("kept");
    std::fs::write(&kept, "as it was").unwrap();
    let report = |world: &World| {
        let mut payload = world.event("pull_request.opened").1;
        payload["pull_request"]["head"]["repo"]["id"] = 999.into();
        run(world, &payload)
    };
    let world = World::new();
    std::fs::create_dir(world.path("report")).unwrap();
    symlink(&kept, world.path("report/report.json")).unwrap();
    report(&world).expect_code(0);
    assert_eq!(world.report()["kind"], "plan_only", "the link was replaced");
    let world = World::new();
    symlink(outside.path(), world.path("report")).unwrap();
    let ran = report(&world);
    assert!(ran.stdout.contains("it is a symbolic link"), "{}", ran.stdout);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "as it was");
}

#[test]
fn a_typed_path_is_any_regular_file_but_in_actions_one_of_the_checkout() {
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("llm.yaml");
    std::fs::write(&file, config("")).unwrap();
    mkfifo(&outside.path().join("pipe"), Mode::S_IRWXU).unwrap();
    let world = World::new();
    symlink(&file, world.path("link.yaml")).unwrap();
    let plan = |path: &str, in_actions: bool| {
        let mut command = world.command(&["plan", "--config", path]);
        if in_actions {
            command
                .env("GITHUB_ACTIONS", "true")
                .env("GITHUB_WORKSPACE", world.path(""));
        }
        in_time(command)
    };
    let file = file.to_str().unwrap();
    for path in [file, "link.yaml"] {
        plan(path, false).expect_code(0);
        plan(path, true).expect_code(2);
    }
    plan("llm-deploy.yaml", true).expect_code(0);
    let pipe = outside.path().join("pipe").display().to_string();
    for path in [pipe.as_str(), "/dev/zero", "/dev/stdin"] {
        let ran = plan(path, false);
        ran.expect_code(2);
        assert!(
            ran.stderr.contains("it is no regular file"),
            "{path}: {}",
            ran.stderr
        );
    }
}
