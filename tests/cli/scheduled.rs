//! What an on-call person sees of scheduled tests: one issue, a message, and silence in between.

use std::{process::Stdio, sync::Arc};

use llm_deploy_emulator::{
    faults::{Fault, Hook, Pattern, Rule},
    github::{Access, IssueSeen},
};

use crate::support::{PROJECT, REGION, REPOSITORY, Ran, World, config, ended};

mod hindered;
pub mod receiver;
mod webhook;

use receiver::Receiver;

const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
const SERVICE: &str = "qwen3-5-4b";
const TITLE: &str = "LLM endpoint qwen3-5-4b fails its scheduled test";

/// Production is deployed; its scheduled test passes.
fn production(more: &str) -> World {
    let world = World::new();
    world.write("llm-deploy.yaml", &config(&format!("{QUICK}\n{more}")));
    world.run("push").expect_code(0);
    world
}

/// From now on the test expects something else of the answer: `words` is in its failure.
fn expect(world: &World, words: &str, more: &str) {
    let check =
        format!("smoke: {{ checks: [{{ name: {words}, prompt: hello, contains: certainly-not-this }}] }}");
    world.write("llm-deploy.yaml", &config(&format!("{QUICK}\n{check}\n{more}")));
}

fn well(world: &World, more: &str) {
    world.write("llm-deploy.yaml", &config(&format!("{QUICK}\n{more}")));
}

/// One scheduled run; run ids count up as GitHub's do.
fn run(world: &World, number: u32, code: i32) -> Ran {
    let number = number.to_string();
    let ran = world.run_with("schedule", &[("GITHUB_RUN_ID", &number)]);
    ran.expect_code(code);
    ran
}

fn issues(world: &World) -> Vec<IssueSeen> {
    world.emulator.emulator.github.issues(REPOSITORY)
}

fn notes(world: &World, number: u64) -> Vec<String> {
    let comments = world.emulator.emulator.github.comments(REPOSITORY, number);
    comments.into_iter().map(|comment| comment.body).collect()
}

#[track_caller]
fn only(world: &World) -> IssueSeen {
    let mut all = issues(world);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

#[test]
fn a_failing_test_opens_one_issue_updates_it_silently_and_closes_it_with_a_note() {
    let world = production("");
    run(&world, 50, 0);
    assert!(issues(&world).is_empty(), "it is well");

    expect(&world, "first", "");
    run(&world, 51, 1);
    let issue = only(&world);
    assert_eq!((issue.title.as_str(), issue.open), (TITLE, true));
    assert_eq!(issue.labels, ["llm-deploy"]);
    let marker = format!("<!-- llm-deploy:incident/{PROJECT}/{REGION}/{SERVICE} -->");
    assert!(issue.body.starts_with(&marker), "{}", issue.body);
    for part in [
        "has failed its test since",
        "first",
        "**Cause:**",
        "Runs since | 1 failed",
        "/actions/runs/51",
    ] {
        assert!(issue.body.contains(part), "no `{part}` in:\n{}", issue.body);
    }

    run(&world, 52, 1);
    let again = only(&world);
    assert_eq!(again.number, issue.number);
    for part in [
        "Runs since | 2 failed",
        "/actions/runs/51",
        "/actions/runs/52#artifacts",
    ] {
        assert!(again.body.contains(part), "no `{part}` in:\n{}", again.body);
    }
    assert!(notes(&world, issue.number).is_empty(), "nobody is told twice");

    well(&world, "");
    run(&world, 53, 0);
    let closed = only(&world);
    assert_eq!(
        (closed.open, closed.state_reason.as_deref()),
        (false, Some("completed"))
    );
    let notes = notes(&world, issue.number);
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].contains("It is well again") && notes[0].contains("in 2 runs"),
        "{}",
        notes[0]
    );

    run(&world, 54, 0);
    assert!(!only(&world).open);
    assert_eq!(
        self::notes(&world, issue.number).len(),
        1,
        "a well endpoint is no news"
    );
}

#[test]
fn a_failure_within_a_day_reopens_the_same_issue_and_a_flapping_endpoint_does_not_spam() {
    let world = production("");
    run(&world, 50, 0);
    expect(&world, "one", "");
    run(&world, 51, 1);
    well(&world, "");
    run(&world, 52, 0);
    expect(&world, "one", "");
    run(&world, 53, 1);
    let issue = only(&world);
    assert!(issue.open, "reopened, and no second one");
    let told = notes(&world, issue.number).len();
    for number in 54..58 {
        if number % 2 == 0 {
            well(&world, "");
            run(&world, number, 0);
        } else {
            expect(&world, if number == 55 { "two" } else { "three" }, "");
            run(&world, number, 1);
        }
        assert!(only(&world).open, "after run {number}");
    }
    assert!(
        only(&world).body.contains("good and bad several times"),
        "{}",
        only(&world).body
    );
    assert!(told <= 2);
    // Changes are counted from the first failure on, unless the history knows of the good run before.
    assert!(
        notes(&world, issue.number).len() <= 3,
        "{:#?}",
        notes(&world, issue.number)
    );
    well(&world, "");
    let before = notes(&world, issue.number).len();
    run(&world, 58, 0);
    run(&world, 59, 0);
    assert!(only(&world).open, "two good runs are not enough");
    run(&world, 60, 0);
    assert!(!only(&world).open);
    let notes = notes(&world, issue.number);
    assert_eq!(notes.len(), before + 1);
    assert!(notes.last().unwrap().contains("well again"));
}

#[test]
fn a_job_that_may_not_write_issues_is_told_once_which_permission_it_lacks() {
    let world = production("");
    expect(&world, "first", "");
    for access in [Access::None, Access::Read] {
        world.emulator.emulator.github.permit("issues", access);
        let ran = run(&world, 51, 1);
        let told = ran.stderr.matches("issues: write").count() + ran.stdout.matches("issues: write").count();
        assert_eq!(told, 1, "{}\n{}", ran.stdout, ran.stderr);
    }
    assert!(issues(&world).is_empty());
    world.emulator.emulator.github.permit("issues", Access::Write);
    run(&world, 52, 1);
    assert!(only(&world).open, "made up for as soon as it may");
}

#[test]
fn a_repository_without_issues_is_told_what_to_do() {
    let world = production("");
    expect(&world, "first", "");
    world.emulator.emulator.github.has_issues(REPOSITORY, false);
    let ran = run(&world, 51, 1);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(said.matches("Issues are switched off").count(), 1, "{said}");
    assert!(said.contains("schedule.on-failure"), "{said}");
}

#[test]
fn an_issue_that_is_gone_is_opened_anew_and_a_locked_one_is_a_warning() {
    let world = production("");
    let github = &world.emulator.emulator.github;
    expect(&world, "first", "");
    run(&world, 51, 1);
    let first = only(&world).number;
    // Deleted after it was listed, and before it is written.
    let there = world.emulator.emulator.clone();
    let delete = Hook(Arc::new(move || there.github.delete_issue(REPOSITORY, first)));
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some("github".to_owned()),
            method: Some("PATCH".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: 1,
        fault: Fault::Before(delete),
    });
    run(&world, 52, 1);
    let second = only(&world);
    assert!(second.number > first && second.open);
    github.lock_issue(REPOSITORY, second.number);
    well(&world, "");
    let ran = run(&world, 53, 0);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!only(&world).open && said.contains("issue is locked"), "{said}");
}

#[test]
fn an_issue_that_somebody_closed_is_reopened_unless_they_do_not_want_it() {
    let world = production("");
    let github = &world.emulator.emulator.github;
    expect(&world, "first", "");
    run(&world, 51, 1);
    let number = only(&world).number;
    github.close_issue(REPOSITORY, number, "completed");
    run(&world, 52, 1);
    assert!(only(&world).open, "it was not repaired");
    github.close_issue(REPOSITORY, number, "not_planned");
    run(&world, 53, 1);
    let issue = only(&world);
    assert!(!issue.open && issue.body.contains("3 failed"), "{}", issue.body);
    well(&world, "");
    run(&world, 54, 0);
    assert!(only(&world).body.contains("is well again"));
    assert!(notes(&world, number).is_empty());
}

#[test]
fn an_outsider_s_issue_with_our_marker_is_left_alone_and_a_spoilt_one_of_ours_is_taken_over() {
    let world = production("");
    let github = &world.emulator.emulator.github;
    let marker = format!("<!-- llm-deploy:incident/{PROJECT}/{REGION}/{SERVICE} -->");
    let theirs = format!("{marker}\n<!-- llm-deploy-state:e30= -->\nbuy this");
    github.open_issue_as(REPOSITORY, "octocat", "Buy this", &theirs, &["llm-deploy"]);
    expect(&world, "first", "");
    run(&world, 51, 1);
    let all = issues(&world);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].body, theirs);
    let ours = all[1].number;
    github.edit_issue(REPOSITORY, ours, &format!("{marker}\nI rewrote this."));
    run(&world, 52, 1);
    let all = issues(&world);
    assert_eq!(all.len(), 2);
    assert!(
        all[1].open && all[1].body.contains("has failed its test since"),
        "{}",
        all[1].body
    );
    assert!(notes(&world, ours).is_empty());
}

#[test]
fn an_issue_is_opened_once_although_the_answer_was_lost() {
    for fault in [Fault::ResetAfter, Fault::AnswerAfter(502), Fault::Truncated] {
        let world = production("");
        expect(&world, "first", "");
        world.emulator.emulator.faults.add(Rule {
            on: Pattern {
                service: Some("github".to_owned()),
                method: Some("POST".to_owned()),
                path: Some("/issues".to_owned()),
                ..Pattern::default()
            },
            skip: 0,
            times: 1,
            fault: fault.clone(),
        });
        run(&world, 51, 1);
        assert!(only(&world).open, "{fault:?}");
        assert_eq!(world.emulator.emulator.faults.met(), 1);
    }
}

#[test]
fn two_schedules_at_once_leave_one_open_issue_and_send_one_message() {
    let receiver = Receiver::new(&[]);
    let both = "schedule: { on-failure: [issue, webhook] }";
    let world = production(both);
    expect(&world, "first", both);
    let (name, payload) = world.event("schedule");
    world.write("event.json", &payload.to_string());
    // Each is held before it opens its issue, until the other has looked, too.
    let together = Arc::new(std::sync::Barrier::new(2));
    let hook = Hook(Arc::new(move || {
        tokio::task::block_in_place(|| together.wait());
    }));
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some("github".to_owned()),
            method: Some("POST".to_owned()),
            path: Some("/issues".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: 2,
        fault: Fault::Before(hook),
    });
    let start = |run: &str| {
        let file = |name: &str| world.path(&format!("{run}-{name}")).display().to_string();
        let more = [
            ("GITHUB_RUN_ID", run.to_owned()),
            ("GITHUB_STEP_SUMMARY", file("summary.md")),
            ("GITHUB_OUTPUT", file("outputs.txt")),
            ("LLM_DEPLOY_REPORT_DIR", file("report")),
            ("LLM_DEPLOY_WEBHOOK_URL", receiver.url.clone()),
        ];
        let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let mut command = world.actions_command(&["run"], &name, &more);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let (one, other) = (start("51"), start("52"));
    ended(one).expect_code(1);
    ended(other).expect_code(1);
    let all = issues(&world);
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(all[0].open, "the earliest stays: {all:#?}");
    assert_eq!(
        (all[1].open, all[1].state_reason.as_deref()),
        (false, Some("duplicate"))
    );
    assert_eq!(
        all[1].body.lines().next(),
        Some("Duplicate of #13: two runs opened an issue at the same time.")
    );
    assert_eq!(receiver.messages().len(), 1);
    run(&world, 53, 1);
    assert_eq!(issues(&world).len(), 2);
}

#[test]
fn none_tells_nobody_and_by_hand_nobody_is_told_either() {
    let world = production("");
    expect(&world, "first", "schedule: { on-failure: none }");
    run(&world, 51, 1);
    assert!(issues(&world).is_empty());
    expect(&world, "first", "");
    world.actions(&["smoke"], "workflow_dispatch", &[]).expect_code(1);
    assert!(issues(&world).is_empty());
}

#[test]
fn what_others_wrote_into_a_cause_does_nothing_in_the_issue() {
    let world = production("");
    expect(
        &world,
        "'@octocat <img src=x> ![p](https://evil.example/p.png) --> #1'",
        "",
    );
    run(&world, 51, 1);
    let body = only(&world).body;
    let outside: String = body.split('`').step_by(2).collect();
    let outside = outside.replace("\\<", "");
    assert!(
        !outside.contains("@octocat") && !outside.contains("<img"),
        "{body}"
    );
    assert!(body.contains("@octocat"), "it is shown as code: {body}");
}

#[test]
fn a_service_that_is_gone_is_the_endpoint_s_failure() {
    let world = World::new();
    run(&world, 51, 1);
    let issue = only(&world);
    assert_eq!(issue.title, TITLE);
    assert!(
        issue.body.contains("Last good result | none is known"),
        "{}",
        issue.body
    );
}
