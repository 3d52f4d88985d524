//! "Deleted" is said only of what is gone, and a run with nothing to delete says so.

use llm_deploy_emulator::faults::{Alteration, Fault, Lie, Pattern, Rule};
use serde_json::{Value, json};

use crate::{
    live::quickly,
    support::{PULL_REQUEST, REPOSITORY, World, config},
};

const SERVICE: &str = "qwen3-5-4b-pr-12";

fn answers(world: &World, service: &str, method: &str, path: Option<&str>, status: u16, body: Value) {
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some(service.to_owned()),
            method: Some(method.to_owned()),
            path: path.map(str::to_owned),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault: Fault::Answer {
            status,
            retry_after: None,
            body: Some(body),
        },
    });
}

fn with_preview() -> World {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        &config("latency: { requests: 1, concurrency: [1], max-tokens: 2 }"),
    );
    world.run("pull_request.opened").expect_code(0);
    world
        .emulator
        .emulator
        .github
        .close_pull_request(REPOSITORY, PULL_REQUEST);
    world
}

#[test]
fn a_preview_that_is_still_there_is_not_called_deleted() {
    let name = "projects/demo-project/locations/europe-west4/operations/lost";
    for (what, body) in [
        ("no operation", json!({})),
        ("a lost operation", json!({"name": name})),
        (
            "an operation that says that it is done",
            json!({"name": name, "done": true}),
        ),
        (
            "a failed operation",
            json!({"name": name, "done": true, "error": {"code": 13, "message": "internal"}}),
        ),
    ] {
        let world = with_preview();
        answers(&world, "run", "DELETE", None, 200, body);
        let (code, _) = quickly(&world, "pull_request.closed", 0.02);
        assert_eq!(code, 3, "{what}");
        assert!(world.service(SERVICE).is_some());
        let comment = &world.comments()[0];
        assert!(!comment.contains("Preview deleted"), "{what}: {comment}");
        assert!(
            comment.contains("gcloud run services delete"),
            "{what}: {comment}"
        );
        // The next run finds it.
        world.emulator.emulator.faults.clear();
        world.run("pull_request.closed").expect_code(0);
        assert!(world.service(SERVICE).is_none());
        assert_eq!(world.report()["status"], "deleted");
    }
}

#[test]
fn a_deletion_that_had_its_effect_is_one_whatever_its_answer_says() {
    for fault in [Fault::AnswerAfter(404), Fault::ResetAfter, Fault::Garbled] {
        let world = with_preview();
        world.emulator.emulator.faults.add(Rule {
            on: Pattern {
                service: Some("run".to_owned()),
                method: Some("DELETE".to_owned()),
                ..Pattern::default()
            },
            skip: 0,
            times: 1,
            fault: fault.clone(),
        });
        world.run("pull_request.closed").expect_code(0);
        assert!(world.service(SERVICE).is_none());
        assert_eq!(world.report()["status"], "deleted", "{fault:?}");
    }
}

#[test]
fn an_empty_list_hides_no_preview() {
    let world = with_preview();
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            id: Some("run.projects.locations.services.list".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault: Fault::Answer {
            status: 200,
            retry_after: None,
            body: Some(json!({})),
        },
    });
    world.run("pull_request.closed").expect_code(0);
    assert!(world.service(SERVICE).is_none());
    assert_eq!(world.report()["status"], "deleted");
}

/// As long as the service itself says otherwise.
#[test]
fn a_list_that_shows_anothers_labels_hides_no_preview() {
    for label in [
        "managed-by",
        "llm-deploy-repository-id",
        "llm-deploy-kind",
        "llm-deploy-pull-request",
    ] {
        for to in [Lie::Absent, Lie::Stale] {
            let world = with_preview();
            world.emulator.emulator.faults.add(Rule {
                on: Pattern {
                    id: Some("run.projects.locations.services.list".to_owned()),
                    ..Pattern::default()
                },
                skip: 0,
                times: u32::MAX,
                fault: Fault::Altered(Alteration {
                    at: format!("services/*/labels/{label}"),
                    to,
                }),
            });
            world.run("pull_request.closed").expect_code(0);
            assert!(world.service(SERVICE).is_none(), "{label} {to:?}");
        }
    }
}

/// A state that GitHub does not have is not taken for the end of the pull request.
#[test]
fn an_unknown_state_of_a_pull_request_deletes_nothing() {
    let world = with_preview();
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some("github".to_owned()),
            path: Some("/pulls/12".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault: Fault::Altered(Alteration {
            at: "state".to_owned(),
            to: Lie::Stale,
        }),
    });
    world.actions(&["cleanup"], "schedule", &[]).expect_code(0);
    assert!(world.service(SERVICE).is_some());
}

#[test]
fn a_run_with_nothing_to_delete_says_so_and_is_skipped() {
    let world = with_preview();
    world.run("pull_request.closed").expect_code(0);
    assert_eq!(world.output("status").as_deref(), Some("deleted"));
    let again = world.run("pull_request.closed");
    again.expect_code(0);
    assert_eq!(world.output("status").as_deref(), Some("skipped"));
    assert_eq!(world.report()["status"], "skipped");
    for text in [&again.stdout, &world.read("summary.md")] {
        assert!(text.contains("Nothing to delete"), "{text}");
    }
    let sweep = world.actions(&["cleanup"], "schedule", &[]);
    sweep.expect_code(0);
    assert!(sweep.stdout.contains("Nothing to delete"), "{}", sweep.stdout);
}

#[test]
fn a_pull_request_that_is_not_there_is_named() {
    let world = World::new();
    let ran = world.actions(&["cleanup", "--pull-request", "999"], "workflow_dispatch", &[]);
    ran.expect_code(0);
    assert!(
        ran.stdout.contains("There is no pull request #999"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("Nothing to delete"), "{}", ran.stdout);
    assert_eq!(world.report()["status"], "skipped");
}
