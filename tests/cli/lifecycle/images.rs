//! Which images go with a preview, and which stay.

use std::time::Duration;

use llm_deploy_emulator::{
    faults::{Fault, Pattern, Rule},
    seed::DOCUMENTED,
};
use serde_json::json;

use super::{OTHER_BASE, QUICK, SERVICE, close, detail, github, images, runs, services, world};
use crate::support::{PROJECT, PULL_REQUEST, REGION, REPOSITORY, World, config};

#[test]
fn a_closed_pull_requests_images_go_with_its_preview_and_those_of_production_stay() {
    let world = world();
    world.allow("image.base: ['*']");
    world.run("push").expect_code(0);
    // The first commit's image is production's, the second's its own.
    world.run("pull_request.opened").expect_code(0);
    world.write("llm-deploy.yaml", &config(OTHER_BASE));
    world.run("pull_request.synchronize").expect_code(0);
    let (production, own) = (runs(&world, "qwen3-5-4b"), runs(&world, SERVICE));
    assert_eq!(images(&world).len(), 2);
    close(&world, false).expect_code(0);
    assert_eq!(images(&world), std::slice::from_ref(&production));
    assert!(world.service(SERVICE).is_none());
    let said = detail(&world);
    let short = |digest: &str| digest["sha256:".len()..][..12].to_owned();
    assert!(said.contains(&format!("image {} deleted", short(&own))), "{said}");
    let kept = format!(
        "image {} kept: qwen3-5-4b has a revision with it",
        short(&production)
    );
    assert!(said.contains(&kept), "{said}");
    assert!(
        world.comments()[0].contains(&short(&own)),
        "{}",
        world.comments()[0]
    );
}

#[test]
fn a_merged_pull_requests_last_image_stays_for_production_and_its_earlier_ones_go() {
    let world = world();
    world.allow("image.base: ['*']");
    world.run("pull_request.opened").expect_code(0);
    world.write("llm-deploy.yaml", &config(OTHER_BASE));
    world.run("pull_request.synchronize").expect_code(0);
    let last = runs(&world, SERVICE);
    close(&world, true).expect_code(0);
    assert_eq!(images(&world), [last]);
    assert!(
        detail(&world).contains("kept: it was merged, so production uses it next"),
        "{}",
        detail(&world)
    );
    world.forget_requests();
    world.run("push").expect_code(0);
    assert!(
        world
            .requests()
            .iter()
            .all(|r| r["id"] != "cloudbuild.projects.locations.builds.create")
    );
}

#[test]
fn an_image_that_another_pull_requests_preview_runs_stays() {
    let world = world();
    world.run("pull_request.opened").expect_code(0);
    github(&world).open_pull_request(REPOSITORY, 13);
    let payload = llm_deploy_emulator::github::event_payload("pull_request.opened", REPOSITORY, 13).unwrap();
    world.write("event.json", &payload.to_string());
    world.actions(&["run"], "pull_request", &[]).expect_code(0);
    close(&world, false).expect_code(0);
    assert_eq!(images(&world), [runs(&world, "qwen3-5-4b-pr-13")]);
}

#[test]
fn an_image_that_somebody_gave_a_tag_of_their_own_stays() {
    let world = world();
    world.run("pull_request.opened").expect_code(0);
    let digest = runs(&world, SERVICE);
    let registry = &world.emulator.emulator.registry;
    registry
        .push(REGION, "llm-deploy", "qwen3-5-4b", "demo-for-sales", &digest, 1)
        .unwrap();
    close(&world, false).expect_code(0);
    assert_eq!(images(&world), [digest]);
    assert!(
        detail(&world).contains("kept: it has the tag demo-for-sales"),
        "{}",
        detail(&world)
    );
    assert!(world.service(SERVICE).is_none());
}

#[test]
fn an_image_that_a_build_is_making_anew_stays() {
    let world = World::with(|settings| settings.pace = 0.0);
    world.write("llm-deploy.yaml", &config(QUICK));
    world.run("pull_request.opened").expect_code(0);
    let digest = runs(&world, SERVICE);
    let build = crate::snapshot::builds(&world)[0].clone();
    let tag = build["tags"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t.as_str().unwrap().starts_with("qwen3-5-4b."))
        .unwrap();
    let list = json!({"builds": [{"id": "b-1", "status": "WORKING", "createTime": "2026-01-01T00:00:00Z", "tags": [tag]}]});
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            id: Some("cloudbuild.projects.locations.builds.list".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: 1,
        fault: Fault::Answer {
            status: 200,
            retry_after: None,
            body: Some(list),
        },
    });
    close(&world, false).expect_code(0);
    assert_eq!(images(&world), [digest]);
    assert!(
        detail(&world).contains("kept: build b-1 is making it anew"),
        "{}",
        detail(&world)
    );
}

#[test]
fn without_the_permission_the_images_stay_with_one_warning_that_names_role_and_command() {
    let world = world();
    world.allow("image.base: ['*']");
    world.emulator.emulator.settle(REGION);
    let account = |name: &str| format!("{name}@{PROJECT}.iam.gserviceaccount.com");
    let accounts = format!(
        "build: {{ service-account: {} }}\nservice: {{ service-account: {} }}",
        account("llm-builder"),
        account("llm-runtime")
    );
    world.write("llm-deploy.yaml", &config(&format!("{accounts}\n{QUICK}")));
    world.run_federated("pull_request.opened", &[]).expect_code(0);
    world.write("llm-deploy.yaml", &config(&format!("{accounts}\n{OTHER_BASE}")));
    world
        .run_federated("pull_request.synchronize", &[])
        .expect_code(0);
    let manager = DOCUMENTED
        .iter()
        .find(|g| g.role == "roles/artifactregistry.repoAdmin")
        .unwrap();
    assert!(world.emulator.emulator.take(manager, REGION));
    github(&world).close_pull_request(REPOSITORY, PULL_REQUEST);
    let ran = world.run_federated("pull_request.closed", &[]);
    ran.expect_code(0);
    assert!(world.service(SERVICE).is_none());
    assert_eq!(images(&world).len(), 2);
    let warnings = world.report()["models"][0]["warnings"].clone();
    assert_eq!(warnings.as_array().unwrap().len(), 1, "{warnings}");
    let said = warnings[0].as_str().unwrap();
    for part in [
        "artifactregistry.versions.delete",
        "roles/artifactregistry.repoAdmin",
        "gcloud artifacts repositories add-iam-policy-binding llm-deploy",
    ] {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
}

#[test]
fn a_clean_up_that_was_killed_ends_clean_when_it_is_run_again() {
    let count = {
        let world = world();
        world.run("pull_request.opened").expect_code(0);
        world.forget_requests();
        close(&world, false).expect_code(0);
        u32::try_from(world.requests().len()).unwrap()
    };
    assert!(count > 5, "{count} requests");
    let next = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let skip = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if skip >= count {
                        return;
                    }
                    killed_at(skip);
                }
            });
        }
    });
}

/// Killed when the request before which `skip` others were sent has had its effect.
fn killed_at(skip: u32) {
    let world = world();
    world.run("pull_request.opened").expect_code(0);
    github(&world).close_pull_request(REPOSITORY, PULL_REQUEST);
    let (reached, is_reached) = std::sync::mpsc::channel();
    let reached = std::sync::Mutex::new(reached);
    let hook = llm_deploy_emulator::faults::Hook(std::sync::Arc::new(move || {
        tokio::task::block_in_place(|| {
            let _ = reached.lock().unwrap().send(());
            std::thread::sleep(Duration::from_millis(300));
        });
    }));
    world.emulator.emulator.faults.add(Rule {
        on: Pattern::default(),
        skip,
        times: 1,
        fault: Fault::After(hook),
    });
    let mut run = world.start("pull_request.closed");
    is_reached.recv_timeout(Duration::from_secs(60)).unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    close(&world, false).expect_code(0);
    assert_eq!(
        (services(&world).len(), images(&world).len()),
        (0, 0),
        "killed at request {skip}"
    );
}
