//! What the schedule, a person, and the next commit delete, and what they never do.

use super::{
    OTHER_BASE, OTHERS, QUICK, SERVICE, close, github, images, relabel, run_in, services, without, world,
};
use crate::support::{PULL_REQUEST, REPOSITORY, config};

#[test]
fn an_expired_previews_images_stay_for_the_next_push() {
    let world = world();
    world.allow("image.base: ['*']");
    world.run("push").expect_code(0);
    world.write("llm-deploy.yaml", &config(OTHER_BASE));
    world.run("pull_request.opened").expect_code(0);
    relabel(&world, SERVICE, |labels| {
        labels["llm-deploy-expires"] = "1700000000".into();
    });
    world.run("schedule").expect_code(0);
    assert!(world.service(SERVICE).is_none());
    assert_eq!(images(&world).len(), 2);
}

#[test]
fn the_schedule_deletes_nothing_that_lacks_one_of_our_labels() {
    for key in [
        "managed-by",
        "llm-deploy-repository",
        "llm-deploy-kind",
        "llm-deploy-pull-request",
    ] {
        let world = world();
        world.run("push").expect_code(0);
        world.run("pull_request.opened").expect_code(0);
        relabel(&world, SERVICE, |labels| {
            labels["llm-deploy-expires"] = "1700000000".into();
        });
        relabel(&world, SERVICE, without(key));
        github(&world).close_pull_request(REPOSITORY, PULL_REQUEST);
        world.run("schedule").expect_code(0);
        assert!(world.service(SERVICE).is_some(), "deleted without {key}");
        world.run("pull_request.closed").expect_code(0);
        assert!(world.service(SERVICE).is_some(), "deleted without {key}");
    }
}

#[test]
fn a_preview_of_another_repository_is_never_deleted() {
    let world = world();
    world.run("push").expect_code(0);
    run_in(&world, OTHERS, "pull_request.opened").expect_code(0);
    relabel(&world, SERVICE, |labels| {
        labels["llm-deploy-expires"] = "1700000000".into();
    });
    close(&world, false).expect_code(0);
    world.run("schedule").expect_code(0);
    world.actions(&["cleanup"], "schedule", &[]).expect_code(0);
    assert!(world.service(SERVICE).is_some());
}

#[test]
fn a_preview_of_unreadable_expiry_is_kept_while_its_pull_request_is_open() {
    let world = world();
    world.run("push").expect_code(0);
    world.run("pull_request.opened").expect_code(0);
    relabel(&world, SERVICE, |labels| {
        labels["llm-deploy-expires"] = "soon".into();
    });
    world.run("schedule").expect_code(0);
    assert!(world.service(SERVICE).is_some());
    github(&world).close_pull_request(REPOSITORY, PULL_REQUEST);
    world.run("schedule").expect_code(0);
    assert!(world.service(SERVICE).is_none());
}

#[test]
fn a_preview_whose_pull_request_can_not_be_found_is_kept_until_it_expires() {
    let world = world();
    world.run("push").expect_code(0);
    world.run("pull_request.opened").expect_code(0);
    relabel(&world, SERVICE, |labels| {
        labels["llm-deploy-pull-request"] = "404".into();
    });
    let ran = world.run("schedule");
    ran.expect_code(0);
    assert!(world.service(SERVICE).is_some());
    assert!(ran.stdout.contains("pull request #404"), "{}", ran.stdout);
    relabel(&world, SERVICE, |labels| {
        labels["llm-deploy-expires"] = "1700000000".into();
    });
    world.run("schedule").expect_code(0);
    assert!(world.service(SERVICE).is_none());
}

#[test]
fn while_github_does_not_answer_only_what_has_expired_is_deleted() {
    let world = world();
    world.run("push").expect_code(0);
    world.run("pull_request.opened").expect_code(0);
    github(&world).close_pull_request(REPOSITORY, PULL_REQUEST);
    // Nobody listens there.
    let unreachable = [("GITHUB_API_URL", "http://127.0.0.1:9/")];
    world.run_with("schedule", &unreachable).expect_code(0);
    assert!(world.service(SERVICE).is_some());
    relabel(&world, SERVICE, |labels| {
        labels["llm-deploy-expires"] = "1700000000".into();
    });
    world.run_with("schedule", &unreachable).expect_code(0);
    assert!(world.service(SERVICE).is_none());
}

#[test]
fn cleanup_by_hand_deletes_closed_pull_requests_previews_and_ends_their_deployments() {
    let world = world();
    world.run("pull_request.opened").expect_code(0);
    let by_hand = |arguments: &[&str], token: bool| {
        let mut command = world.command(arguments);
        command.env("GITHUB_REPOSITORY", REPOSITORY);
        if !token {
            command.env("GITHUB_TOKEN", "");
        }
        crate::support::ran(command)
    };
    by_hand(&["cleanup"], true).expect_code(0);
    assert!(world.service(SERVICE).is_some(), "its pull request is open");
    github(&world).close_pull_request(REPOSITORY, PULL_REQUEST);
    let blind = by_hand(&["cleanup"], false);
    blind.expect_code(0);
    assert!(world.service(SERVICE).is_some());
    let said = blind.stdout.replace('\n', " ");
    assert!(
        said.contains("GITHUB_TOKEN") && said.contains("expired"),
        "{said}"
    );
    by_hand(&["cleanup"], true).expect_code(0);
    assert!(world.service(SERVICE).is_none());
    assert!(images(&world).is_empty());
    let deployments = github(&world).deployments(REPOSITORY);
    assert!(
        deployments
            .iter()
            .all(|d| d.states.last().is_some_and(|s| s == "inactive"))
    );
}

#[test]
fn cleanup_by_hand_of_an_open_pull_request_keeps_its_images() {
    let world = world();
    world.run("pull_request.opened").expect_code(0);
    let mut command = world.command(&["cleanup", "--pull-request", "12"]);
    command.env("GITHUB_REPOSITORY", REPOSITORY);
    crate::support::ran(command).expect_code(0);
    assert!(world.service(SERVICE).is_none());
    assert_eq!(images(&world).len(), 1);
}

#[test]
fn a_model_that_left_the_configuration_takes_its_preview_with_it() {
    let world = world();
    world
        .run_with("pull_request.opened", &[("GITHUB_RUN_ID", "41")])
        .expect_code(0);
    world.write("llm-deploy.yaml", &config(QUICK).replace("3.5-4B", "3-0.6B"));
    world
        .run_with("pull_request.synchronize", &[("GITHUB_RUN_ID", "42")])
        .expect_code(0);
    assert_eq!(services(&world), ["qwen3-0-6b-pr-12"]);
    let summary = world.read("summary.md");
    assert!(
        summary.contains("no model of the configuration is for it any more"),
        "{summary}"
    );
    assert_eq!(world.report()["status"], "succeeded");
}

#[test]
fn a_preview_of_another_workflows_configuration_or_of_a_model_named_by_input_stays() {
    let world = world();
    world
        .run_with("pull_request.opened", &[("GITHUB_RUN_ID", "41")])
        .expect_code(0);
    world.write("other.yaml", &config(QUICK).replace("3.5-4B", "3-0.6B"));
    let other = [("GITHUB_RUN_ID", "42"), ("LLM_DEPLOY_CONFIG", "other.yaml")];
    world.run_with("pull_request.opened", &other).expect_code(0);
    assert_eq!(services(&world), ["qwen3-0-6b-pr-12", SERVICE]);
    let input = [("GITHUB_RUN_ID", "43"), ("LLM_DEPLOY_MODEL", "Qwen/Qwen3-0.6B")];
    world.run_with("pull_request.opened", &input).expect_code(0);
    assert_eq!(services(&world), ["qwen3-0-6b-pr-12", SERVICE]);
}
