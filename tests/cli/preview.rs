//! A pull request gets its own endpoint, tested, measured, and told in one comment.

use crate::support::{PULL_REQUEST, REPOSITORY, World, config};

const SERVICE: &str = "qwen3-5-4b-pr-12";

#[test]
fn a_pull_request_ends_in_a_live_endpoint_and_one_comment() {
    let world = World::new();
    world.run("pull_request.opened").expect_code(0);

    let service = world.service(SERVICE).unwrap();
    assert_eq!(service["scaling"]["minInstanceCount"].as_i64().unwrap_or(0), 0);
    assert_eq!(service["template"]["scaling"]["maxInstanceCount"], 1);
    assert_eq!(service["labels"]["managed-by"], "llm-deploy");
    assert_eq!(service["labels"]["llm-deploy-pull-request"], "12");
    let image = service["template"]["containers"][0]["image"].as_str().unwrap();
    assert!(
        image.contains("@sha256:"),
        "deployed by digest, not by tag: {image}"
    );

    let comments = world.comments();
    assert_eq!(comments.len(), 1);
    let url = service["uri"].as_str().unwrap();
    for part in [
        url,
        "Qwen/Qwen3.5-4B",
        "TTFT",
        "p95",
        "curl",
        "openai",
        &image[image.len() - 12..],
    ] {
        assert!(comments[0].contains(part), "no `{part}` in:\n{}", comments[0]);
    }
    assert_eq!(world.output("url").as_deref(), Some(url));
    assert_eq!(world.output("status").as_deref(), Some("succeeded"));
    assert_eq!(world.output("image").as_deref(), Some(image));
    assert!(
        world.output("ttft-p50-ms").unwrap().parse::<f64>().unwrap() >= 2.0,
        "the endpoint takes 2 ms"
    );
    assert!(world.output("comment-url").unwrap().starts_with("http"));
    assert!(world.read("summary.md").contains(url));
    assert!(world.read("report/report.html").contains(url));
    assert_eq!(world.report()["models"][0]["latency"][0]["requests"], 4);
}

#[test]
fn the_comment_is_updated_in_place_by_the_next_commit() {
    let world = World::new();
    world.run("pull_request.opened").expect_code(0);
    world.write(
        "llm-deploy.yaml",
        &config("engine: { max-model-len: 2048 }\nlatency: { requests: 2, concurrency: [1], max-tokens: 4 }"),
    );
    world.run("pull_request.synchronize").expect_code(0);
    assert_eq!(world.comments().len(), 1);
    assert!(
        world.comments()[0].contains("--max-model-len=2048"),
        "{}",
        world.comments()[0]
    );
    let builds = world
        .requests()
        .iter()
        .filter(|r| r["id"] == "cloudbuild.projects.locations.builds.create")
        .count();
    assert_eq!(builds, 1, "engine flags are no reason to build");
}

#[test]
fn an_unchanged_tree_writes_nothing_to_google() {
    let world = World::new();
    world.run("pull_request.opened").expect_code(0);
    let before = world.service(SERVICE).unwrap();
    world.forget_requests();
    world.run("pull_request.synchronize").expect_code(0);

    let writes: Vec<String> = world
        .requests()
        .iter()
        .filter(|r| {
            let asks = r["id"]
                .as_str()
                .is_some_and(|id| id.ends_with("testIamPermissions"));
            r["method"] != "GET"
                && !asks
                && !["github", "iamcredentials", "sts", "oidc"].contains(&r["service"].as_str().unwrap())
                // Asks what the caller may do.
                && !r["id"].as_str().unwrap().ends_with("testIamPermissions")
        })
        .map(ToString::to_string)
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    let after = world.service(SERVICE).unwrap();
    assert_eq!(before["generation"], after["generation"]);
    assert_eq!(before["latestCreatedRevision"], after["latestCreatedRevision"]);
}

#[test]
fn github_gets_a_deployment_with_the_endpoints_url() {
    let world = World::new();
    world.run("pull_request.opened").expect_code(0);
    let deployments = world.emulator.emulator.github.deployments(REPOSITORY);
    assert_eq!(deployments.len(), 1);
    assert_eq!(deployments[0].environment, format!("preview/pr-{PULL_REQUEST}"));
    assert_eq!(deployments[0].states.last().map(String::as_str), Some("success"));
    assert_eq!(
        deployments[0].environment_url.as_deref(),
        world.output("url").as_deref()
    );
}

#[test]
fn a_pull_request_that_was_closed_meanwhile_keeps_no_preview() {
    let world = World::new();
    world
        .emulator
        .emulator
        .github
        .close_pull_request(REPOSITORY, PULL_REQUEST);
    world.run("pull_request.opened").expect_code(0);
    assert!(world.service(SERVICE).is_none());
    assert!(
        world
            .requests()
            .iter()
            .all(|r| r["id"] != "run.projects.locations.services.create")
    );
}

#[test]
fn a_comment_that_may_not_be_written_does_not_change_the_verdict() {
    let world = World::new();
    world
        .emulator
        .emulator
        .github
        .permit("pull-requests", llm_deploy_emulator::github::Access::Read);
    world
        .emulator
        .emulator
        .github
        .permit("issues", llm_deploy_emulator::github::Access::Read);
    let ran = world.run("pull_request.opened");
    ran.expect_code(0);
    assert!(world.comments().is_empty());
    assert!(ran.stdout.contains("pull-requests: write"), "{}", ran.stdout);
}

#[test]
fn hostile_text_in_the_title_takes_no_effect_anywhere() {
    let world = World::new();
    let (name, mut payload) = world.event("pull_request.opened");
    payload["pull_request"]["title"] =
        "x\n::error::owned\n<img src=x onerror=alert(1)> @octocat ``` --> [a](http://evil.example)".into();
    world.write("event.json", &payload.to_string());
    let ran = world.actions(&["run"], &name, &[]);
    ran.expect_code(0);
    assert!(
        !ran.stdout
            .lines()
            .chain(ran.stderr.lines())
            .any(|line| line.trim_start().starts_with("::error")),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let (comment, summary) = (&world.comments()[0], world.read("summary.md"));
    for surface in [comment, &summary] {
        assert!(!surface.contains("](http://evil.example)"), "{surface}");
    }
    for surface in [comment, &summary, &world.read("report/report.html")] {
        assert!(!surface.contains("<img"), "{surface}");
    }
}
