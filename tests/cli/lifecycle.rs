//! The life of previews: their names among those of other repositories, and what goes when they end.

use std::time::Duration;

use llm_deploy::emulator::{
    faults::{Fault, Pattern, Rule},
    seed::DOCUMENTED,
};
use serde_json::{Value, json};

use crate::{
    race::{CREATE, NEWER, held_at},
    support::{PROJECT, PULL_REQUEST, REGION, REPOSITORY, Ran, World, config},
};

const SERVICE: &str = "qwen3-5-4b-pr-12";
const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
/// Another image than the default's.
const OTHER_BASE: &str =
    "image: { base: 'vllm/vllm-openai:v0.30.0' }\nlatency: { requests: 1, concurrency: [1], max-tokens: 2 }";
const OTHERS: &str = "octo-org/another";

fn world() -> World {
    let world = World::new();
    world.write("llm-deploy.yaml", &config(QUICK));
    world
}

/// A configuration whose production service has this name.
fn named(service: &str) -> String {
    let model = format!("model: {{ id: Qwen/Qwen3.5-4B, name: {service} }}");
    config(QUICK).replace("model: Qwen/Qwen3.5-4B", &model)
}

fn github(world: &World) -> &llm_deploy::emulator::github::GitHub {
    &world.emulator.emulator.github
}

/// Runs the event in another repository of the same project.
fn run_in(world: &World, repository: &str, event: &str) -> Ran {
    github(world).seed(repository);
    let payload = llm_deploy::emulator::github::event_payload(event, repository, PULL_REQUEST).unwrap();
    world.write("event.json", &payload.to_string());
    let name = event.split('.').next().unwrap();
    world.actions(&["run"], name, &[("GITHUB_REPOSITORY", repository)])
}

fn close(world: &World, merged: bool) -> Ran {
    if merged {
        github(world).merge_pull_request(REPOSITORY, PULL_REQUEST);
    } else {
        github(world).close_pull_request(REPOSITORY, PULL_REQUEST);
    }
    let (name, mut payload) = world.event("pull_request.closed");
    payload["pull_request"]["merged"] = merged.into();
    world.write("event.json", &payload.to_string());
    world.actions(&["run"], &name, &[])
}

/// Digests of the model's images.
fn images(world: &World) -> Vec<String> {
    let package =
        format!("projects/{PROJECT}/locations/{REGION}/repositories/llm-deploy/packages/qwen3-5-4b");
    let found = world
        .get(&format!("/artifactregistry/v1/{package}/versions"))
        .unwrap_or_default();
    let versions = found["versions"].as_array().cloned().unwrap_or_default();
    let name = |version: &Value| {
        version["name"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    versions.iter().map(name).collect()
}

/// Digest of the image that a service runs.
fn runs(world: &World, service: &str) -> String {
    let service = world.service(service).unwrap();
    let image = service["template"]["containers"][0]["image"].as_str().unwrap();
    image.split('@').nth(1).unwrap().to_owned()
}

fn services(world: &World) -> Vec<String> {
    let found = world.get(&format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services"));
    let found = found.unwrap()["services"].as_array().cloned().unwrap_or_default();
    let name = |service: &Value| {
        service["name"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    let mut names: Vec<String> = found.iter().map(name).collect();
    names.sort();
    names
}

fn relabel(world: &World, service: &str, change: impl FnOnce(&mut Value)) {
    let mut labels = world.service(service).unwrap()["labels"].clone();
    change(&mut labels);
    let path = format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services/{service}?updateMask=labels");
    world.change(reqwest::Method::PATCH, &path, &json!({ "labels": labels }));
}

fn without(key: &'static str) -> impl FnOnce(&mut Value) {
    move |labels| {
        labels.as_object_mut().unwrap().remove(key);
    }
}

fn detail(world: &World) -> String {
    world.report()["models"][0]["stages"][0]["detail"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn two_repositories_with_the_same_model_and_number_have_a_preview_each() {
    let world = world();
    run_in(&world, OTHERS, "pull_request.opened").expect_code(0);
    let theirs = world.service(SERVICE).unwrap();
    world.run("pull_request.opened").expect_code(0);
    assert_eq!(
        world.service(SERVICE).unwrap()["generation"],
        theirs["generation"]
    );
    let all = services(&world);
    assert_eq!(all.len(), 2, "{all:?}");
    let ours = all.iter().find(|name| *name != SERVICE).unwrap();
    assert!(
        ours.starts_with("qwen3-5-4b-") && ours.ends_with("-pr-12"),
        "{ours}"
    );
    // Every surface tells the name that it got.
    let url = world.service(ours).unwrap()["uri"].as_str().unwrap().to_owned();
    assert_eq!(world.output("url"), Some(url));
    let report = &world.report()["models"][0];
    assert_eq!(report["service"], ours.as_str());
    assert!(
        report["links"].to_string().contains(&format!("/{ours}/logs")),
        "{report}"
    );

    // The next commit updates it, also when the plain name has become free.
    run_in(&world, OTHERS, "pull_request.closed").expect_code(0);
    assert!(world.service(SERVICE).is_none());
    world.write(
        "llm-deploy.yaml",
        &config(&format!("engine: {{ max-model-len: 2048 }}\n{QUICK}")),
    );
    world.run("pull_request.synchronize").expect_code(0);
    assert_eq!(services(&world), [ours.as_str()]);
    close(&world, false).expect_code(0);
    assert_eq!(services(&world), Vec::<String>::new());
}

#[test]
fn a_production_service_with_the_previews_name_is_left_alone_and_the_preview_has_another() {
    let world = world();
    world.write("llm-deploy.yaml", &named(SERVICE));
    world.run("push").expect_code(0);
    let production = world.service(SERVICE).unwrap();
    world.write("llm-deploy.yaml", &config(QUICK));
    world.run("pull_request.opened").expect_code(0);
    assert_eq!(world.service(SERVICE), Some(production));
    assert_eq!(services(&world).len(), 2);
    close(&world, false).expect_code(0);
    assert_eq!(services(&world), [SERVICE]);
}

#[test]
fn production_is_not_put_over_a_preview_and_the_refusal_names_the_label() {
    let world = world();
    world.run("pull_request.opened").expect_code(0);
    world.write("llm-deploy.yaml", &named(SERVICE));
    let before = world.service(SERVICE).unwrap();
    world.run("push").expect_code(2);
    let summary = world.read("summary.md").replace('\u{200b}', "");
    assert!(
        summary.contains("llm-deploy-kind") && summary.contains("preview"),
        "{summary}"
    );
    assert_eq!(
        world.service(SERVICE).unwrap()["generation"],
        before["generation"]
    );
}

#[test]
fn of_two_repositories_that_create_the_same_name_at_once_each_gets_its_own_preview() {
    let world = world();
    let held = held_at(&world, CREATE, NEWER, "pull_request.opened", true);
    run_in(&world, OTHERS, "pull_request.opened").expect_code(0);
    NEWER.expect(&world, &held.let_go(), "succeeded");
    let all = services(&world);
    assert_eq!(all.len(), 2, "{all:?}");
    let ours = all.iter().find(|name| *name != SERVICE).unwrap();
    let label = |service: &str| world.service(service).unwrap()["labels"]["llm-deploy-repository"].clone();
    assert_eq!(
        (label(SERVICE), label(ours)),
        (json!("octo-org_another"), json!("octo-org_llm-endpoint"))
    );
    let report = world.json("newer-report/report.json");
    assert_eq!(report["models"][0]["service"], ours.as_str());
}

#[test]
fn a_closed_pull_requests_images_go_with_its_preview_and_those_of_production_stay() {
    let world = world();
    world.run("push").expect_code(0);
    // The first commit's image is production's, the second's its own.
    world.run("pull_request.opened").expect_code(0);
    world.write("llm-deploy.yaml", &config(OTHER_BASE));
    world.run("pull_request.synchronize").expect_code(0);
    let (production, own) = (runs(&world, "qwen3-5-4b"), runs(&world, SERVICE));
    assert_eq!(images(&world).len(), 2);
    close(&world, false).expect_code(0);
    assert_eq!(images(&world), [production.clone()]);
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
    let payload = llm_deploy::emulator::github::event_payload("pull_request.opened", REPOSITORY, 13).unwrap();
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
    let hook = llm_deploy::emulator::faults::Hook(std::sync::Arc::new(move || {
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

#[test]
fn an_expired_previews_images_stay_for_the_next_push() {
    let world = world();
    world.run("push").expect_code(0);
    world.write("llm-deploy.yaml", &config(OTHER_BASE));
    world.run("pull_request.opened").expect_code(0);
    relabel(&world, SERVICE, |labels| {
        labels["llm-deploy-expires"] = "1700000000".into()
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
            labels["llm-deploy-expires"] = "1700000000".into()
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
        labels["llm-deploy-expires"] = "1700000000".into()
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
        labels["llm-deploy-expires"] = "soon".into()
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
        labels["llm-deploy-pull-request"] = "404".into()
    });
    let ran = world.run("schedule");
    ran.expect_code(0);
    assert!(world.service(SERVICE).is_some());
    assert!(ran.stdout.contains("pull request #404"), "{}", ran.stdout);
    relabel(&world, SERVICE, |labels| {
        labels["llm-deploy-expires"] = "1700000000".into()
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
        labels["llm-deploy-expires"] = "1700000000".into()
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
