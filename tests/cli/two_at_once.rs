//! Two runs of one target at once: the newer one wins, the older one gives way, and nothing is left half done.

use llm_deploy_emulator::github::Access;

use crate::{
    race::{
        BUILD, BUILDING, CREATE, NEWER, NEWER_NO_BUILD, NEWER_SAME_IMAGE, OLDER, PATCH, PREVIEW, PRODUCTION,
        PROMOTE, Push, Race, empty, expect_comment, expect_newer, held_at, production,
    },
    snapshot::build_states,
    support::{World, config, ended},
};

#[test]
fn of_two_pushes_the_newer_one_serves_whoever_is_slow_and_wherever() {
    PRODUCTION.everywhere(&[BUILD, BUILDING, PATCH, PROMOTE]);
}

#[test]
fn of_two_commits_of_a_pull_request_the_newer_one_is_previewed_and_told() {
    PREVIEW.everywhere(&[BUILD, BUILDING, CREATE]);
}

#[test]
fn an_image_that_both_need_is_built_once() {
    let same = Race {
        newer: NEWER_SAME_IMAGE,
        ..PRODUCTION
    };
    same.everywhere(&[BUILDING, PATCH]);
}

#[test]
fn without_deployments_the_services_labels_decide_as_github_confirms_them() {
    let labels = Race {
        deployments: false,
        ..PRODUCTION
    };
    std::thread::scope(|scope| {
        for place in [BUILD, BUILDING, PATCH, PROMOTE] {
            scope.spawn(move || labels.older_held_at(place));
        }
        // Only what the newer one has changed can be seen.
        scope.spawn(move || labels.newer_held_at(PROMOTE));
    });
}

#[test]
fn without_a_github_token_no_production_run_gives_way_and_each_says_so() {
    let world = production();
    let older = held_at(&world, PATCH, OLDER, "push", false);
    NEWER.expect(&world, &NEWER.run(&world, "push", false), "succeeded");
    let older = older.let_go();
    OLDER.expect(&world, &older, "succeeded");
    assert!(
        older
            .stdout
            .contains("::warning title=github::run 43 seems to be newer, but this one goes on"),
        "{}",
        older.stdout
    );
}

#[test]
fn an_older_run_cancels_its_build_when_a_newer_one_needs_another_image() {
    let world = World::with(|settings| settings.pace = 1.0);
    world.write(
        "llm-deploy.yaml",
        &config("latency: { requests: 1, concurrency: [1], max-tokens: 2 }"),
    );
    world.run_with("push", &[("GITHUB_RUN_ID", "41")]).expect_code(0);
    world.forget_requests();
    let older = OLDER.start(&world, "push", true);
    world.wait_for_request("builds.create");
    let newer = NEWER_NO_BUILD.run(&world, "push", true);
    NEWER_NO_BUILD.expect(&world, &newer, "succeeded");
    OLDER.expect(&world, &ended(older), "superseded");
    assert_eq!(build_states(&world), ["SUCCESS", "CANCELLED"]);
    expect_newer(&world, PRODUCTION.service, NEWER_NO_BUILD);
}

#[test]
fn an_older_commit_that_is_run_again_is_deployed() {
    let world = production();
    NEWER.run(&world, "push", true).expect_code(0);
    let again = Push {
        attempt: "2",
        ..OLDER
    };
    again.expect(&world, &again.run(&world, "push", true), "succeeded");
    let service = world.service(PRODUCTION.service).unwrap();
    assert_eq!(service["labels"]["llm-deploy-commit"], OLDER.sha());
    // The next push goes over it.
    let next = Push {
        run: "44",
        ..NEWER_NO_BUILD
    };
    next.expect(&world, &ended(next.start(&world, "push", true)), "succeeded");
    assert_eq!(
        world.service(PRODUCTION.service).unwrap()["labels"]["llm-deploy-commit"],
        next.sha()
    );
}

#[test]
fn what_an_older_run_puts_over_a_newer_one_that_had_nothing_to_change_is_undone() {
    const UNCHANGED: Push = Push {
        settings: "",
        ..NEWER
    };
    let world = production();
    let older = held_at(&world, PATCH, OLDER, "push", true);
    // Its last look, after the tests: the first was for the plan, the second before the deployment.
    let last_look = ("run.projects.locations.services.get", 2);
    let newer = held_at(&world, last_look, UNCHANGED, "push", true);
    // It makes its candidate, and waits for the newer run before it moves the traffic.
    let older = older.go_on();
    world.wait_for_path(&format!("/actions/runs/{}", UNCHANGED.run));
    let candidate = world.service(PRODUCTION.service).unwrap();
    assert_eq!(candidate["labels"]["llm-deploy-commit"], OLDER.sha());
    UNCHANGED.expect(&world, &newer.let_go(), "succeeded");
    UNCHANGED.ends(&world, "success");
    OLDER.expect(&world, &ended(older), "superseded");
    let service = world.service(PRODUCTION.service).unwrap();
    assert_eq!(service["labels"]["llm-deploy-commit"], UNCHANGED.sha());
    assert_eq!(service["trafficStatuses"].as_array().unwrap().len(), 1);
    let args = service["template"]["containers"][0]["args"].to_string();
    assert!(!args.contains("--max-model-len=2048"), "{args}");
}

#[test]
fn without_deployments_too_an_older_run_does_not_undo_a_newer_one_that_had_nothing_to_change() {
    // The push that takes the one before it back, while that is still building.
    const REVERT: Push = Push {
        settings: "",
        ..NEWER
    };
    let world = production();
    world.emulator.emulator.github.permit("deployments", Access::None);
    let older = held_at(&world, BUILD, OLDER, "push", true);
    REVERT.expect(&world, &REVERT.run(&world, "push", true), "succeeded");
    OLDER.expect(&world, &older.let_go(), "superseded");
    let service = world.service(PRODUCTION.service).unwrap();
    assert_eq!(service["labels"]["llm-deploy-commit"], REVERT.sha());
    let args = service["template"]["containers"][0]["args"].to_string();
    assert!(!args.contains("--max-model-len=2048"), "{args}");
}

#[test]
fn an_older_runs_failure_is_not_told_over_a_newer_ones_result() {
    const BROKEN: Push = Push {
        settings: "service: { gpu: abacus }",
        ..OLDER
    };
    let world = empty();
    NEWER.run(&world, PREVIEW.event, true).expect_code(0);
    ended(BROKEN.start(&world, PREVIEW.event, true)).expect_code(2);
    expect_comment(&world, NEWER);
}

#[test]
fn started_at_the_same_moment_they_build_one_image_and_the_newer_one_serves() {
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let world = production();
                let newer = NEWER_SAME_IMAGE.start(&world, "push", true);
                let older = OLDER.start(&world, "push", true);
                NEWER_SAME_IMAGE.expect(&world, &ended(newer), "succeeded");
                NEWER_SAME_IMAGE.ends(&world, "success");
                // It may have been done before the newer one was seen.
                ended(older).expect_code(0);
                expect_newer(&world, PRODUCTION.service, NEWER_SAME_IMAGE);
            });
        }
    });
}

#[test]
fn when_the_newer_run_fails_the_older_one_that_waited_for_it_deploys() {
    for (place, conclusion) in [(PATCH, "failure"), (BUILD, "cancelled")] {
        let world = production();
        let newer = held_at(&world, place, NEWER, "push", true);
        let older = OLDER.start(&world, "push", true);
        world.wait_for_path(&format!("/actions/runs/{}", NEWER.run));
        newer.kill();
        NEWER.ends(&world, conclusion);
        OLDER.expect(&world, &ended(older), "succeeded");
        let service = world.service(PRODUCTION.service).unwrap();
        assert_eq!(service["labels"]["llm-deploy-commit"], OLDER.sha());
        assert_eq!(service["trafficStatuses"].as_array().unwrap().len(), 1);
    }
}
