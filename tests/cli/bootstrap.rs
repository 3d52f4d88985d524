//! `bootstrap` sets a new project up, again and again to the same end.

mod answers;
mod found;
mod protect;

use std::{
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use llm_deploy_emulator::faults::{Fault, Hook, Pattern, Rule};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PROJECT, REGION, REPOSITORY, Ran, World, ended, found_below, ran};

const NUMBER: &str = "481516234200";
const TOKEN: &str = "hf_NeverToBeSeenAnywhere42";

/// A project as Google makes it, and a folder with a configuration for a gated model.
fn new_project() -> World {
    let world = World::with(|settings| settings.bare = true);
    world.write("llm-deploy.yaml", &configuration(""));
    world.allow("image.hf-token-secret: [hf-token]");
    world
}

fn configuration(more: &str) -> String {
    format!(
        "project: {PROJECT}\nregion: {REGION}\nmodel: Qwen/Qwen3.5-4B\nimage:\n  hf-token-secret: hf-token\n{more}"
    )
}

fn command(world: &World, arguments: &[&str]) -> Command {
    let all = [&["bootstrap", "--repository", REPOSITORY], arguments].concat();
    let mut command = world.command(&all);
    command.env("HF_TOKEN", TOKEN).stdin(Stdio::null());
    command
}

fn bootstrap(world: &World, arguments: &[&str]) -> Ran {
    ran(command(world, arguments))
}

/// Requests that change something.
fn writes(world: &World) -> Vec<Value> {
    let reads = |r: &Value| {
        let id = r["id"].as_str().unwrap_or("");
        r["method"] == "GET" || id.ends_with(".getIamPolicy")
    };
    let mut all = world.requests();
    all.retain(|r| !reads(r));
    all
}

fn account(name: &str) -> String {
    format!("{name}@{PROJECT}.iam.gserviceaccount.com")
}

fn pool() -> String {
    format!("/iam/v1/projects/{PROJECT}/locations/global/workloadIdentityPools/llm-deploy")
}

fn provider() -> String {
    format!("{}/providers/github-1296269", pool())
}

const BUCKET: &str = "/storage/storage/v1/b/demo-project-llm-deploy";
const IMAGES: &str =
    "/artifactregistry/v1/projects/demo-project/locations/europe-west4/repositories/llm-deploy";
const SECRET: &str = "/secretmanager/v1/projects/demo-project/secrets/hf-token";

/// A policy's roles with their members, without what changes from run to run.
fn roles(world: &World, path: &str) -> Value {
    let read = if path.starts_with("/iam/") || path.starts_with("/cloudresourcemanager/") {
        world.post(&format!("{path}:getIamPolicy"), &Value::Null)
    } else if path.starts_with("/storage/") {
        world.get(&format!("{path}/iam")).unwrap()
    } else {
        world.get(&format!("{path}:getIamPolicy")).unwrap()
    };
    read["bindings"].clone()
}

/// Everything that bootstrap makes, as the APIs show it.
fn state(world: &World) -> Value {
    let without = |mut value: Value, fields: &[&str]| {
        for field in fields {
            value.as_object_mut().unwrap().remove(*field);
        }
        value
    };
    let accounts: Vec<Value> = ["llm-deployer", "llm-builder", "llm-runtime"]
        .iter()
        .map(|name| {
            let path = format!("/iam/v1/projects/{PROJECT}/serviceAccounts/{}", account(name));
            let found = without(world.get(&path).unwrap(), &["uniqueId", "oauth2ClientId"]);
            json!({"account": found, "roles": roles(world, &path)})
        })
        .collect();
    let times = [
        "createTime",
        "updateTime",
        "timeCreated",
        "updated",
        "metageneration",
    ];
    let versions = world.get(&format!("{SECRET}/versions")).unwrap();
    json!({
        "accounts": accounts,
        "pool": world.get(&pool()),
        "provider": world.get(&provider()),
        "bucket": without(world.get(BUCKET).unwrap(), &times),
        "images": without(world.get(IMAGES).unwrap(), &times),
        "versions": versions["versions"].as_array().unwrap().len(),
        "roles": [
            roles(world, &format!("/cloudresourcemanager/v3/projects/{PROJECT}")),
            roles(world, BUCKET), roles(world, IMAGES), roles(world, SECRET),
        ],
        "workflow": world.read(".github/workflows/llm.yml"),
        "configuration": world.read("llm-deploy.yaml"),
    })
}

fn refuse(world: &World, id: &str, status: u16, body: Value) {
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            id: Some(id.to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: 1,
        fault: Fault::Answer {
            status,
            retry_after: None,
            body: Some(body),
        },
    });
}

fn error(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "status": status, "message": message}})
}

#[test]
fn a_new_project_is_set_up_and_a_second_run_writes_nothing() {
    let world = new_project();
    let first = bootstrap(&world, &["--yes", "--write"]);
    first.expect_code(0);
    let made = state(&world);
    assert_eq!(
        made["provider"]["attributeCondition"],
        "assertion.repository_id == '1296269' && assertion.repository_owner_id == '583231'"
    );
    let jobs = format!(
        "principalSet://iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/llm-deploy/attribute.repository_id/1296269"
    );
    assert_eq!(
        made["accounts"][0]["roles"],
        json!([{"role": "roles/iam.workloadIdentityUser", "members": [jobs]}])
    );
    assert_eq!(
        made["accounts"][2]["roles"][0]["members"],
        json!([format!("serviceAccount:{}", account("llm-deployer"))])
    );
    assert_eq!(made["bucket"]["lifecycle"]["rule"][0]["condition"]["age"], 7);
    assert_eq!(
        made["images"]["cleanupPolicies"]["keep-recent"]["mostRecentVersions"]["keepCount"],
        3
    );
    assert_eq!(
        world.emulator.emulator.secrets.value("hf-token", "latest"),
        Some(TOKEN.into())
    );
    let workflow = made["workflow"].as_str().unwrap();
    for part in [
        &format!(
            "projects/{NUMBER}/locations/global/workloadIdentityPools/llm-deploy/providers/github-1296269"
        ),
        &format!("service-account: {}", account("llm-deployer")),
        "branches: [main]",
    ] {
        assert!(workflow.contains(part), "no `{part}` in:\n{workflow}");
    }

    world.forget_requests();
    let second = bootstrap(&world, &["--yes", "--write"]);
    second.expect_code(0);
    assert_eq!(writes(&world), Vec::<Value>::new());
    assert_eq!(state(&world), made);
    let steps = second
        .stdout
        .lines()
        .filter(|line| line.starts_with("  "))
        .count();
    assert_eq!(
        second.stdout.matches("· exists").count(),
        steps,
        "{}",
        second.stdout
    );
    // Nothing to do is nothing to ask.
    bootstrap(&world, &["--write"]).expect_code(0);
}

#[test]
fn a_dry_run_shows_every_step_with_its_gcloud_command_and_does_none() {
    let world = new_project();
    let shown = bootstrap(&world, &["--dry-run", "--write"]);
    shown.expect_code(0);
    assert_eq!(writes(&world), Vec::<Value>::new());
    assert!(!world.path(".github").exists());
    for part in [
        "gcloud services enable cloudresourcemanager.googleapis.com",
        "gcloud iam service-accounts create llm-builder",
        "gcloud iam workload-identity-pools providers create-oidc github-1296269",
        "--attribute-condition=\"assertion.repository_id == '1296269'",
        "gcloud storage buckets create gs://demo-project-llm-deploy --location=europe-west4",
        r#"--lifecycle-file=<(echo '{"rule":[{"action":{"type":"Delete"},"condition":{"age":7,"matchesPrefix":["source/","logs/"]}}]}')"#,
        "gcloud artifacts repositories set-cleanup-policies llm-deploy --project=demo-project",
        "gcloud projects add-iam-policy-binding demo-project --condition=None --member=serviceAccount:llm-deployer@demo-project.iam.gserviceaccount.com --role=roles/run.developer",
        "gcloud secrets versions add hf-token --data-file=-",
        // The project's number can't be seen while Resource Manager is off.
        "roles/iam.workloadIdentityUser → jobs of repository 1296269",
        "others go after 7 days",
        "file .github/workflows/llm.yml · write",
    ] {
        assert!(shown.stdout.contains(part), "no `{part}` in:\n{}", shown.stdout);
    }
}

#[test]
fn without_a_terminal_and_without_yes_the_steps_are_shown_and_none_is_done() {
    let world = new_project();
    let asked = bootstrap(&world, &[]);
    asked.expect_code(2);
    assert!(asked.stderr.contains("`--yes`"), "{}", asked.stderr);
    assert!(
        asked.stdout.contains("service account llm-deployer@"),
        "{}",
        asked.stdout
    );
    assert_eq!(writes(&world), Vec::<Value>::new());
}

/// Kills the process once the write had its effect, and begins again.
fn killed_after(write: &Value, skip: usize, wanted: &Value) {
    let world = new_project();
    let child = Arc::new(Mutex::new(None::<u32>));
    let id = Arc::clone(&child);
    let kill = move || {
        // The process is known as soon as it was started, before its first request.
        let id = id.lock().unwrap().take().unwrap();
        assert!(
            Command::new("kill")
                .args(["-9", &id.to_string()])
                .status()
                .unwrap()
                .success()
        );
    };
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            id: Some(write["id"].as_str().unwrap().to_owned()),
            path: Some(write["path"].as_str().unwrap().to_owned()),
            ..Pattern::default()
        },
        skip: u32::try_from(skip).unwrap(),
        times: 1,
        fault: Fault::After(Hook(Arc::new(kill))),
    });
    let started = {
        let mut id = child.lock().unwrap();
        let started = command(&world, &["--yes", "--write"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        *id = Some(started.id());
        started
    };
    assert_eq!(ended(started).code, -1, "killed after {write}");
    bootstrap(&world, &["--yes", "--write"]).expect_code(0);
    assert_eq!(state(&world), *wanted, "after {write}");
}

#[test]
fn killed_after_any_write_and_run_again_it_ends_the_same() {
    let undisturbed = new_project();
    bootstrap(&undisturbed, &["--yes", "--write"]).expect_code(0);
    let wanted = state(&undisturbed);
    let all = writes(&undisturbed);
    assert!(all.len() > 15, "{all:?}");
    // Each with the number of writes before it that look the same.
    let like = |a: &Value, b: &Value| a["id"] == b["id"] && a["path"] == b["path"];
    let before = |n: usize| all[..n].iter().filter(|w| like(w, &all[n])).count();
    let numbered: Vec<(&Value, usize)> = all.iter().enumerate().map(|(n, w)| (w, before(n))).collect();
    // Several at a time: each waits for its own processes most of the time.
    for some in numbered.chunks(6) {
        std::thread::scope(|scope| {
            for (write, skip) in some {
                scope.spawn(|| killed_after(write, *skip, &wanted));
            }
        });
    }
    crate::support::say(&format!(
        "bootstrap was killed after each of {} writes",
        all.len()
    ));
}

#[test]
fn what_google_has_not_spread_yet_is_waited_for() {
    let world = new_project();
    world.emulator.emulator.iam.delay(2);
    let off = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "off", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
            "metadata": {"activationUrl": "https://console.example/enable"}}]}});
    // Once when looking after the API was turned on, once when making something.
    refuse(
        &world,
        "iam.projects.locations.workloadIdentityPools.get",
        403,
        off.clone(),
    );
    refuse(
        &world,
        "artifactregistry.projects.locations.repositories.create",
        403,
        off,
    );
    refuse(
        &world,
        "iam.projects.locations.workloadIdentityPools.providers.create",
        404,
        error(404, "NOT_FOUND", "Requested entity was not found."),
    );
    refuse(
        &world,
        "cloudresourcemanager.projects.setIamPolicy",
        409,
        error(409, "ABORTED", "There were concurrent policy changes."),
    );
    refuse(
        &world,
        "storage.buckets.setIamPolicy",
        412,
        error(
            412,
            "",
            "At least one of the pre-conditions you specified did not hold.",
        ),
    );
    bootstrap(&world, &["--yes"]).expect_code(0);
    world.forget_requests();
    bootstrap(&world, &["--yes"]).expect_code(0);
    assert_eq!(writes(&world), Vec::<Value>::new());
}
