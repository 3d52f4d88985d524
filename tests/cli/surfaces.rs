//! GitHub's own surfaces besides the comment: annotations on lines, the check run, outputs.

use llm_deploy_emulator::github::Access;

use crate::support::{REPOSITORY, World, config};

/// An objective that nothing meets, on line 6.
const TOO_FAST: &str = "latency:\n  requests: 4\n  objectives: { ttft-p95: 0.01ms }";

fn permitted() -> World {
    let world = World::new();
    world.emulator.emulator.github.permit("checks", Access::Write);
    world
}

#[test]
fn a_failure_is_annotated_on_the_line_of_the_setting_that_causes_it() {
    let world = World::new();
    world.write("llm-deploy.yaml", &config(TOO_FAST));
    let workspace = world.folder.path().to_str().unwrap().to_owned();
    let ran = world.run_with("pull_request.opened", &[("GITHUB_WORKSPACE", &workspace)]);
    ran.expect_code(1);
    let annotation = ran
        .stdout
        .lines()
        .find(|line| line.starts_with("::error"))
        .unwrap();
    assert!(
        annotation.starts_with("::error file=llm-deploy.yaml,line=6,title=qwen3-5-4b")
            && annotation.contains("::latency"),
        "{annotation}"
    );
    let failure = &world.report()["models"][0]["failure"];
    assert_eq!(failure["place"]["line"], 6);
    assert!(world.output("cause").unwrap().starts_with("latency: ttft-p95 is"));
}

#[test]
fn the_file_is_named_from_the_repositorys_root() {
    let world = World::new();
    std::fs::create_dir(world.path("infra")).unwrap();
    world.write("infra/llm.yaml", &config(TOO_FAST));
    let workspace = world.folder.path().to_str().unwrap().to_owned();
    let named = world.path("infra/llm.yaml");
    let ran = world.run_with(
        "push",
        &[
            ("GITHUB_WORKSPACE", &workspace),
            ("LLM_DEPLOY_CONFIG", named.to_str().unwrap()),
        ],
    );
    ran.expect_code(1);
    assert!(
        ran.stdout.contains("::error file=infra/llm.yaml,line=6,"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_mistake_in_the_configuration_is_annotated_where_it_is() {
    let world = permitted();
    world.write("llm-deploy.yaml", &config("service: { gpus: nvidia-l4 }"));
    let ran = world.run("push");
    ran.expect_code(2);
    assert!(
        ran.stderr.contains("::error file=llm-deploy.yaml,line=4,"),
        "{}",
        ran.stderr
    );
    let checks = world.emulator.emulator.github.check_runs(REPOSITORY);
    assert_eq!(checks.len(), 1, "the check run says so, too");
    assert_eq!(checks[0].annotations[0]["start_line"], 4);
}

#[test]
fn with_the_permission_the_result_is_a_check_run_on_the_commit() {
    let world = permitted();
    world.run("pull_request.opened").expect_code(0);
    let checks = world.emulator.emulator.github.check_runs(REPOSITORY);
    assert_eq!(checks.len(), 1);
    let check = &checks[0];
    assert_eq!(
        (check.name.as_str(), check.status.as_str()),
        ("llm-deploy", "completed")
    );
    assert_eq!(check.conclusion.as_deref(), Some("success"));
    assert_eq!(check.title, "Preview is ready");
    assert!(
        check.summary.contains(&world.output("url").unwrap()),
        "{}",
        check.summary
    );
    assert_eq!(check.head_sha, world.report()["commit"].as_str().unwrap());

    world.write("llm-deploy.yaml", &config(TOO_FAST));
    world.run("pull_request.synchronize").expect_code(1);
    let checks = world.emulator.emulator.github.check_runs(REPOSITORY);
    assert_eq!(checks[1].conclusion.as_deref(), Some("failure"));
    assert_eq!(checks[1].annotations[0]["path"], "llm-deploy.yaml");
    assert_eq!(checks[1].annotations[0]["start_line"], 6);

    // A preview's end is no result of the commit.
    world.run("pull_request.closed").expect_code(0);
    assert_eq!(world.emulator.emulator.github.check_runs(REPOSITORY).len(), 2);
}

#[test]
fn without_the_permission_there_is_one_request_and_no_warning() {
    let world = World::new();
    let ran = world.run("pull_request.opened");
    ran.expect_code(0);
    let asked = world
        .requests()
        .iter()
        .filter(|r| {
            r["path"]
                .as_str()
                .is_some_and(|path| path.ends_with("/check-runs"))
        })
        .count();
    assert_eq!(asked, 1);
    assert!(world.emulator.emulator.github.check_runs(REPOSITORY).is_empty());
    let told: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.contains("checks: write"))
        .collect();
    assert!(told.len() == 1 && !told[0].starts_with("::"), "{told:?}");
}

#[test]
fn later_steps_get_what_they_may_want() {
    let world = World::new();
    world.run("pull_request.opened").expect_code(0);
    for name in [
        "status",
        "url",
        "image",
        "revision",
        "expires-at",
        "comment-url",
        "report-json",
        "report-html",
    ] {
        assert!(
            world.output(name).is_some_and(|value| !value.is_empty()),
            "{name}"
        );
    }
    assert_eq!(world.output("cause").as_deref(), Some(""));
    world.actions(&["build"], "workflow_dispatch", &[]).expect_code(0);
    assert!(world.output("image").unwrap().contains("@sha256:"));
    assert_eq!(world.output("status").as_deref(), Some("succeeded"));
    assert!(world.output("models").unwrap().contains("Qwen/Qwen3.5-4B"));
}
