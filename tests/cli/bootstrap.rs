//! `bootstrap` sets a new project up, again and again to the same end.

use std::{
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use llm_deploy::emulator::faults::{Fault, Hook, Pattern, Rule};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PROJECT, REGION, REPOSITORY, Ran, World, ended, found_below, ran};

const NUMBER: &str = "481516234200";
const TOKEN: &str = "hf_NeverToBeSeenAnywhere42";

/// A project as Google makes it, and a folder with a configuration for a gated model.
fn new_project() -> World {
    let world = World::with(|settings| settings.bare = true);
    world.write("llm-deploy.yaml", &configuration(""));
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
        "gcloud projects add-iam-policy-binding demo-project --condition=None --member=serviceAccount:llm-deployer@demo-project.iam.gserviceaccount.com --role=roles/run.developer",
        "gcloud secrets versions add hf-token --data-file=-",
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
    println!("bootstrap was killed after each of {} writes", all.len());
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

#[test]
fn what_was_deleted_or_disabled_comes_back() {
    let world = new_project();
    bootstrap(&world, &["--yes"]).expect_code(0);
    let made = state(&world);
    world.change(Method::DELETE, &provider(), &Value::Null);
    world.change(Method::DELETE, &pool(), &Value::Null);
    let builder = format!(
        "/iam/v1/projects/{PROJECT}/serviceAccounts/{}",
        account("llm-builder")
    );
    world.change(Method::POST, &format!("{builder}:disable"), &json!({}));
    let again = bootstrap(&world, &["--yes"]);
    again.expect_code(0);
    assert!(
        again
            .stdout
            .contains("restore, it was deleted in the last 30 days"),
        "{}",
        again.stdout
    );
    assert_eq!(state(&world), made);
}

#[test]
fn a_provider_that_was_changed_is_set_right_and_the_difference_is_shown() {
    let world = new_project();
    bootstrap(&world, &["--yes"]).expect_code(0);
    let made = state(&world);
    let open = json!({"attributeCondition": "assertion.repository_owner == 'octo-org'"});
    world.change(
        Method::PATCH,
        &format!("{}?updateMask=attributeCondition", provider()),
        &open,
    );
    let again = bootstrap(&world, &["--yes"]);
    again.expect_code(0);
    let difference =
        "condition: assertion.repository_owner == 'octo-org' → assertion.repository_id == '1296269'";
    assert!(again.stdout.contains(difference), "{}", again.stdout);
    assert_eq!(state(&world), made);
}

#[test]
fn somebody_elses_provider_is_not_changed_and_nothing_else_is_done() {
    let world = new_project();
    bootstrap(&world, &["--yes"]).expect_code(0);
    let foreign = json!({"description": "", "attributeMapping": {"google.subject": "assertion.sub"}});
    world.change(
        Method::PATCH,
        &format!("{}?updateMask=description,attributeMapping", provider()),
        &foreign,
    );
    world.write(
        "llm-deploy.yaml",
        &configuration("build: {bucket: another-bucket-of-ours}\n"),
    );
    world.forget_requests();
    let refused = bootstrap(&world, &["--yes"]);
    refused.expect_code(1);
    assert!(
        refused.stdout.contains("llm-deploy did not make it"),
        "{}",
        refused.stdout
    );
    assert_eq!(writes(&world), Vec::<Value>::new());
}

#[test]
fn a_cleanup_policy_of_ours_follows_the_configuration_and_a_foreign_one_is_left() {
    let world = new_project();
    bootstrap(&world, &["--yes"]).expect_code(0);
    world.write("llm-deploy.yaml", &configuration("build: {keep: 5}\n"));
    let changed = bootstrap(&world, &["--yes"]);
    changed.expect_code(0);
    for part in [
        "was: keep-recent: keep the newest 3",
        "will be: of each model the newest 5 images stay",
    ] {
        assert!(
            changed.stdout.contains(part),
            "no `{part}` in:\n{}",
            changed.stdout
        );
    }
    let keep = |world: &World| world.get(IMAGES).unwrap()["cleanupPolicies"].clone();
    assert_eq!(keep(&world)["keep-recent"]["mostRecentVersions"]["keepCount"], 5);

    let foreign = json!({"labels": {}, "cleanupPolicies": {"mine": {"id": "mine", "action": "KEEP", "mostRecentVersions": {"keepCount": 9}}}});
    world.change(
        Method::PATCH,
        &format!("{IMAGES}?updateMask=labels,cleanupPolicies"),
        &foreign,
    );
    let left = bootstrap(&world, &["--yes"]);
    left.expect_code(0);
    assert!(
        left.stdout
            .contains("cleanup policy that llm-deploy did not make"),
        "{}",
        left.stdout
    );
    assert_eq!(keep(&world), foreign["cleanupPolicies"]);
}

#[test]
fn a_bucket_of_another_project_is_refused() {
    let world = new_project();
    world
        .emulator
        .emulator
        .storage
        .add_foreign_bucket("demo-project-llm-deploy");
    let refused = bootstrap(&world, &["--yes"]);
    refused.expect_code(1);
    assert!(
        refused.stderr.contains("not in project `demo-project`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn grants_leave_other_bindings_and_their_conditions_alone() {
    let world = new_project();
    bootstrap(&world, &["--yes"]).expect_code(0);
    let project = format!("/cloudresourcemanager/v3/projects/{PROJECT}");
    let others = json!([
        {"role": "roles/run.developer", "members": ["user:a@example.com"],
            "condition": {"title": "office hours", "expression": "request.time.getHours('UTC') < 18"}},
        {"role": "roles/viewer", "members": ["user:b@example.com", "deleted:user:c@example.com?uid=1"]},
    ]);
    let policy = json!({"policy": {"version": 3, "bindings": others}});
    world.change(Method::POST, &format!("{project}:setIamPolicy"), &policy);
    bootstrap(&world, &["--yes"]).expect_code(0);
    let options = json!({"options": {"requestedPolicyVersion": 3}});
    let after = world.post(&format!("{project}:getIamPolicy"), &options)["bindings"].clone();
    assert_eq!(after.as_array().unwrap()[..2], others.as_array().unwrap()[..]);
    let deployer = json!([format!("serviceAccount:{}", account("llm-deployer"))]);
    let granted = |role: &str| {
        after
            .as_array()
            .unwrap()
            .iter()
            .any(|b| b["role"] == role && b["members"] == deployer)
    };
    assert!(
        granted("roles/run.developer") && granted("roles/cloudbuild.builds.editor"),
        "{after}"
    );
}

#[test]
fn a_public_service_takes_run_admin_and_a_private_one_does_not() {
    let world = new_project();
    let shown = |arguments: &[&str]| bootstrap(&world, &[&["--dry-run"], arguments].concat()).stdout;
    assert!(!shown(&[]).contains("roles/run.admin"));
    assert!(shown(&["--access", "public"]).contains("roles/run.admin"));
}

#[test]
fn a_refusal_says_whose_move_it_is() {
    let cases = [
        (
            "iam.projects.serviceAccounts.create",
            error(
                403,
                "PERMISSION_DENIED",
                "Permission 'iam.serviceAccounts.create' denied on resource (or it may not exist).",
            ),
            &[
                "the permission iam.serviceAccounts.create",
                "roles/iam.serviceAccountAdmin",
            ][..],
        ),
        (
            "cloudresourcemanager.projects.setIamPolicy",
            error(403, "PERMISSION_DENIED", "The caller does not have permission"),
            &[
                "resourcemanager.projects.setIamPolicy",
                "roles/resourcemanager.projectIamAdmin",
            ],
        ),
        (
            "serviceusage.services.batchEnable",
            error(
                400,
                "FAILED_PRECONDITION",
                "Billing account for project '481516234200' is not found. Billing must be enabled for activation of service(s) 'run.googleapis.com' to proceed.",
            ),
            &["https://console.cloud.google.com/billing/linkedaccount?project=demo-project"],
        ),
        (
            "iam.projects.locations.workloadIdentityPools.providers.create",
            error(
                400,
                "FAILED_PRECONDITION",
                "Precondition check failed. Org policy violated for value: 'https://token.actions.githubusercontent.com', constraint: constraints/iam.workloadIdentityPoolProviders.",
            ),
            &["A rule of your organization, constraints/iam.workloadIdentityPoolProviders, forbids it"],
        ),
    ];
    for (id, body, parts) in cases {
        let world = new_project();
        let status = u16::try_from(body["error"]["code"].as_u64().unwrap()).unwrap();
        refuse(&world, id, status, body);
        let refused = bootstrap(&world, &["--yes"]);
        refused.expect_code(1);
        for part in parts {
            assert!(
                refused.stderr.contains(part),
                "no `{part}` in:\n{}",
                refused.stderr
            );
        }
        // It takes up where it ended.
        bootstrap(&world, &["--yes"]).expect_code(0);
    }
}

#[test]
fn the_token_comes_from_standard_input_as_well_and_is_never_shown() {
    use std::io::Write;
    let world = new_project();
    let mut command = command(&world, &["--yes", "--write"]);
    command
        .env_remove("HF_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{TOKEN}\n").as_bytes())
        .unwrap();
    let done = ended(child);
    done.expect_code(0);
    assert_eq!(
        world.emulator.emulator.secrets.value("hf-token", "latest"),
        Some(TOKEN.into())
    );
    assert!(!done.stdout.contains(TOKEN) && !done.stderr.contains(TOKEN));
    assert_eq!(
        found_below(world.folder.path(), TOKEN),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn without_a_token_for_the_secret_nothing_is_done_and_one_that_is_there_is_left() {
    let world = new_project();
    let without = |arguments: &[&str]| {
        let mut command = command(&world, arguments);
        command.env_remove("HF_TOKEN");
        ran(command)
    };
    let missing = without(&["--yes"]);
    missing.expect_code(2);
    assert!(missing.stderr.contains("HF_TOKEN"), "{}", missing.stderr);
    assert_eq!(writes(&world), Vec::<Value>::new());
    bootstrap(&world, &["--yes"]).expect_code(0);
    // Now it is there, and none is asked for.
    without(&["--yes"]).expect_code(0);
}

#[test]
fn the_repositorys_ids_can_be_given_by_hand() {
    let world = new_project();
    let by_hand = bootstrap(&world, &["--dry-run", "--repository-id", "77", "--owner-id", "8"]);
    by_hand.expect_code(0);
    assert!(
        by_hand.stdout.contains("(repository id 77, owner id 8)"),
        "{}",
        by_hand.stdout
    );
    assert!(world.requests().iter().all(|r| r["service"] != "github"));
    bootstrap(&world, &["--repository-id", "77"]).expect_code(2);
}

#[test]
fn a_repository_that_github_does_not_show_is_explained() {
    let world = new_project();
    let mut command = world.command(&[
        "bootstrap",
        "--dry-run",
        "--repository",
        "octo-org/private-endpoint",
    ]);
    command.env_remove("GITHUB_TOKEN").env("PATH", "");
    let refused = ran(command);
    refused.expect_code(2);
    for part in [
        "knows no repository octo-org/private-endpoint",
        "GITHUB_TOKEN",
        "--repository-id",
    ] {
        assert!(
            refused.stderr.contains(part),
            "no `{part}` in:\n{}",
            refused.stderr
        );
    }
}

#[test]
fn as_json_it_gives_steps_and_what_a_workflow_needs() {
    let world = new_project();
    let read = |arguments: &[&str]| -> Value {
        serde_json::from_str(&bootstrap(&world, arguments).expect_code(0).stdout).unwrap()
    };
    let shown = read(&["--json", "--dry-run"]);
    assert_eq!(shown["steps"][0]["state"], "to-do");
    assert!(
        shown["steps"][0]["gcloud"][0]
            .as_str()
            .unwrap()
            .starts_with("gcloud services enable")
    );
    let done = read(&["--json", "--yes"]);
    assert!(
        done["steps"]
            .as_array()
            .unwrap()
            .iter()
            .all(|step| step["state"] == "done"),
        "{done:#}"
    );
    assert_eq!(
        done["workload-identity-provider"],
        format!(
            "projects/{NUMBER}/locations/global/workloadIdentityPools/llm-deploy/providers/github-1296269"
        )
    );
    assert_eq!(done["service-account"], account("llm-deployer"));
}

#[test]
fn the_deployer_that_it_made_deploys_for_this_repository_and_for_no_other() {
    let world = new_project();
    let gated = configuration("latency: {requests: 1, concurrency: [1], max-tokens: 2}\n")
        .replace("Qwen/Qwen3.5-4B", "google/gemma-3-4b-it");
    world.write("llm-deploy.yaml", &gated);
    let mut command = command(&world, &["--yes", "--write", "--json"]);
    command.env("HF_TOKEN", llm_deploy::emulator::hugging_face::TOKEN);
    let made = ran(command);
    let made: Value = serde_json::from_str(&made.expect_code(0).stdout).unwrap();
    let provider = made["workload-identity-provider"].as_str().unwrap();
    let job = |claims: &[(&str, &str)], event: &str| {
        for (name, value) in claims {
            world.emulator.emulator.tokens.set_claim(name, value);
        }
        // As the workflow signs in, with nothing of the owner's.
        let federation = [
            ("CLOUDSDK_AUTH_ACCESS_TOKEN", ""),
            ("LLM_DEPLOY_WORKLOAD_IDENTITY_PROVIDER", provider),
        ];
        world.run_with(event, &federation)
    };
    let own = [
        ("repository", REPOSITORY),
        ("repository_id", "1296269"),
        ("repository_owner_id", "583231"),
    ];
    for event in ["push", "pull_request.opened", "pull_request.closed"] {
        job(&own, event).expect_code(0);
    }
    // Somebody took the name over after a rename: the ids tell.
    for taken in [("repository_id", "99"), ("repository_owner_id", "99")] {
        job(&own, "push").expect_code(0);
        let refused = job(&[taken], "push");
        assert_ne!(refused.code, 0);
        assert!(
            format!("{}{}", refused.stdout, refused.stderr).contains("attribute condition"),
            "{}{}",
            refused.stdout,
            refused.stderr
        );
    }
}

#[test]
fn files_that_are_there_keep_what_they_say() {
    let world = new_project();
    world.write(
        "llm-deploy.yaml",
        &configuration("build: # ours\n  keep: 4 # more\n"),
    );
    std::fs::create_dir_all(world.path(".github/workflows")).unwrap();
    world.write(".github/workflows/llm.yml", "name: mine\n");
    let done = bootstrap(&world, &["--yes", "--write"]);
    done.expect_code(0);
    assert_eq!(world.read(".github/workflows/llm.yml"), "name: mine\n");
    assert!(done.stdout.contains("it is not overwritten"), "{}", done.stdout);
    assert!(
        done.stdout.contains("workload-identity-provider: projects/"),
        "{}",
        done.stdout
    );
    let file = world.read("llm-deploy.yaml");
    let lines = format!(
        "build: # ours\n  service-account: {}\n  keep: 4 # more\n",
        account("llm-builder")
    );
    assert!(file.contains(&lines), "{file}");
    assert!(
        file.ends_with(&format!(
            "service:\n  service-account: {}\n",
            account("llm-runtime")
        )),
        "{file}"
    );
}
