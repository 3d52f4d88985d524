//! What others wrote is never taken for ours, whatever it says: no comment and no issue of theirs is changed, deleted or
//! believed.

use llm_deploy_emulator::{
    faults::{Fault, Pattern, Rule},
    github::{Comment, WorkflowRun},
};
use serde_json::json;

use crate::support::{PROJECT, PULL_REQUEST, REGION, REPOSITORY, World, config};

const OWN: &str = "github-actions[bot]";
const TITLE: &str = "LLM endpoint qwen3-5-4b fails its scheduled test";

fn marker() -> String {
    format!("<!-- llm-deploy:preview/{PROJECT}/{REGION} -->")
}

fn comments(world: &World) -> Vec<Comment> {
    world.emulator.emulator.github.comments(REPOSITORY, PULL_REQUEST)
}

/// The comments of others, which must stay as they are, and those of ours.
#[track_caller]
fn ours(world: &World, others: &[(&str, String)]) -> Vec<Comment> {
    let (ours, theirs): (Vec<_>, Vec<_>) = comments(world).into_iter().partition(|c| c.user == OWN);
    let theirs: Vec<(&str, String)> = theirs.iter().map(|c| (c.user.as_str(), c.body.clone())).collect();
    assert_eq!(theirs, others);
    ours
}

/// GitHub doesn't say who the token belongs to, as an older GitHub Enterprise may not.
fn hide_identity(world: &World) {
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some("github".to_owned()),
            path: Some("/graphql".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault: Fault::Answer {
            status: 403,
            retry_after: None,
            body: Some(json!({"message": "Resource not accessible by integration"})),
        },
    });
}

#[test]
fn comments_of_others_with_our_marker_stay_as_they_are_and_ours_is_written() {
    let marker = marker();
    let later = "<!-- llm-deploy-run:99999999999-0 -->";
    let others = [
        (
            "mallory",
            format!("{marker}\n### Preview is ready: http://evil.example"),
        ),
        ("octocat", format!("{marker}\n{later}\n### Preview is ready")),
        (
            "coderabbit[bot]",
            format!("Review.\n{marker}\n<!-- llm-deploy-run:41-0 -->\nvaluable text"),
        ),
        (
            "welcome[bot]",
            format!("{marker}\n{later}\n### Preview is ready: http://evil.example"),
        ),
        ("github-actions", format!("{marker}\n{later}\nnot the bot")),
    ];
    for hidden in [false, true] {
        let world = World::new();
        world
            .emulator
            .emulator
            .github
            .run(REPOSITORY, WorkflowRun::push(99_999_999_999));
        if hidden {
            hide_identity(&world);
        }
        for (user, body) in &others {
            world
                .emulator
                .emulator
                .github
                .comment_as(REPOSITORY, PULL_REQUEST, user, body);
        }
        for event in ["pull_request.opened", "pull_request.synchronize"] {
            world.run_with(event, &[("GITHUB_RUN_ID", "43")]).expect_code(0);
            let own = ours(&world, &others);
            assert_eq!(own.len(), 1, "{hidden} {event}: {own:#?}");
            assert!(own[0].body.contains("Preview is ready"), "{}", own[0].body);
            assert!(
                world.report()["models"][0]["status"] == "succeeded",
                "{}",
                world.report()
            );
        }
        world
            .emulator
            .emulator
            .github
            .close_pull_request(REPOSITORY, PULL_REQUEST);
        world
            .run_with("pull_request.closed", &[("GITHUB_RUN_ID", "44")])
            .expect_code(0);
        let own = ours(&world, &others);
        assert_eq!(own.len(), 1, "{own:#?}");
        assert!(own[0].body.contains("deleted"), "{hidden}: {}", own[0].body);
    }
}

#[test]
fn our_own_comment_with_something_above_the_marker_is_no_longer_ours() {
    let world = World::new();
    world.run("pull_request.opened").expect_code(0);
    let id = comments(&world)[0].id;
    let edited = format!("Please look!\n\n{}", comments(&world)[0].body);
    world
        .emulator
        .emulator
        .github
        .edit_comment(REPOSITORY, id, &edited);
    world
        .run_with("pull_request.synchronize", &[("GITHUB_RUN_ID", "43")])
        .expect_code(0);
    let all = comments(&world);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].body, edited);
    assert!(all[1].body.starts_with(&marker()), "{}", all[1].body);
}

#[test]
fn an_issue_of_another_with_our_marker_and_state_is_neither_believed_nor_changed() {
    let world = World::new();
    let quick = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
    world.write("llm-deploy.yaml", &config(quick));
    world.run("push").expect_code(0);
    let check = "smoke: { checks: [{ name: first, prompt: hello, contains: certainly-not-this }] }";
    world.write("llm-deploy.yaml", &config(&format!("{quick}\n{check}")));
    // As one that was closed as not planned: it would silence ours.
    let state = "<!-- llm-deploy-state: {\"incident\":{\"since\":\"2026-11-01T00:00:00Z\"}} -->";
    let body =
        format!("<!-- llm-deploy:incident/{PROJECT}/{REGION}/qwen3-5-4b -->\n{state}\nnothing is wrong");
    let github = &world.emulator.emulator.github;
    let theirs = github.open_issue_as(REPOSITORY, "octocat", TITLE, &body, &["llm-deploy"]);
    world
        .run_with("schedule", &[("GITHUB_RUN_ID", "43")])
        .expect_code(1);
    let issues = github.issues(REPOSITORY);
    let found = issues.iter().find(|issue| issue.number == theirs).unwrap();
    assert_eq!((found.body.as_str(), found.open), (body.as_str(), true));
    let own: Vec<_> = issues
        .iter()
        .filter(|issue| issue.number != theirs && issue.title == TITLE)
        .collect();
    assert_eq!(own.len(), 1, "{issues:#?}");
    assert!(own[0].body.contains("first"), "{}", own[0].body);
}

#[test]
fn without_knowing_itself_a_run_keeps_no_issue_and_says_so() {
    let world = World::new();
    let quick = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
    world.write("llm-deploy.yaml", &config(quick));
    world.run("push").expect_code(0);
    let github = &world.emulator.emulator.github;
    let theirs = github.open_issue_as(REPOSITORY, "octocat", "x", "x", &["llm-deploy"]);
    hide_identity(&world);
    let check = "smoke: { checks: [{ name: first, prompt: hello, contains: certainly-not-this }] }";
    world.write("llm-deploy.yaml", &config(&format!("{quick}\n{check}")));
    let ran = world.run_with("schedule", &[("GITHUB_RUN_ID", "43")]);
    ran.expect_code(1);
    assert!(
        ran.stdout.contains("doesn't tell who the token belongs to"),
        "{}",
        ran.stdout
    );
    assert!(
        github
            .issues(REPOSITORY)
            .iter()
            .all(|issue| issue.number == theirs || issue.title != TITLE)
    );
}
