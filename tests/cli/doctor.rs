//! The diagnosis: everything that a run needs, looked at without changing anything; and its quick form in a run.

use llm_deploy_emulator::{
    faults::{Fault, Pattern, Rule},
    run::Limits,
};
use serde_json::{Value, json};

use crate::support::{PROJECT, REGION, Ran, World, config, ran};

const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
const ACCOUNTS: &str = "build: { service-account: llm-builder@demo-project.iam.gserviceaccount.com }
service: { service-account: llm-runtime@demo-project.iam.gserviceaccount.com }
image: { hf-token-secret: hf-token }";

fn doctor(world: &World, more: &[&str]) -> Ran {
    ran(world.command(&[&["doctor"], more].concat()))
}

/// The checks with one of these verdicts, `group subject`.
fn with_verdict(ran: &Ran, verdicts: &[&str]) -> Vec<String> {
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let checks = document["checks"].as_array().unwrap();
    checks
        .iter()
        .filter(|c| verdicts.contains(&c["verdict"].as_str().unwrap()))
        .map(|c| {
            format!(
                "{} {}",
                c["group"].as_str().unwrap(),
                c["subject"].as_str().unwrap()
            )
        })
        .collect()
}

/// Methods of Google's that change something and were asked for.
fn changes(world: &World) -> Vec<String> {
    let reads = ["testIamPermissions", "generateIdToken"];
    let changes = world.requests().into_iter().filter(|r| r["method"] != "GET");
    let ids = changes.filter_map(|r| r["id"].as_str().map(str::to_owned));
    ids.filter(|id| !reads.iter().any(|read| id.ends_with(read)))
        .collect()
}

fn refuse(world: &World, service: &str, id: &str, status: u16, body: Option<Value>) {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: some(service),
            id: some(id),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault: Fault::Answer {
            status,
            retry_after: None,
            body,
        },
    });
}

/// With bucket and repository, which the first run makes, and the binding that the documentation asks for.
fn prepared() -> World {
    let world = World::new();
    world.write("llm-deploy.yaml", &config(&format!("{ACCOUNTS}\n{QUICK}")));
    world.run("push").expect_code(0);
    let member = format!("serviceAccount:llm-builder@{PROJECT}.iam.gserviceaccount.com");
    let policy = json!({"policy": {"bindings": [{"role": "roles/secretmanager.secretAccessor", "members": [member]}]}});
    let path = format!("/secretmanager/v1/projects/{PROJECT}/secrets/hf-token:setIamPolicy");
    world.change(reqwest::Method::POST, &path, &policy);
    world.emulator.emulator.run.set_limits(Limits {
        memory_bytes: 64 << 30,
        ..Limits::default()
    });
    world.forget_requests();
    world
}

#[test]
fn a_prepared_project_passes_and_nothing_is_changed() {
    let world = prepared();
    let ran = doctor(&world, &["--json"]);
    ran.expect_code(0);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["schema_version"], 1);
    assert_eq!(
        with_verdict(&ran, &["warn", "fail"]),
        ["credentials limits"],
        "a given token ends"
    );
    assert_eq!(with_verdict(&ran, &["skipped"]), ["workflow workflow files"]);
    assert!(with_verdict(&ran, &["pass"]).len() >= 15, "{}", ran.stdout);
    assert_eq!(changes(&world), Vec::<String>::new());
}

#[test]
fn what_is_missing_fails_with_its_fix_and_hides_no_other() {
    let world = World::with(|settings| settings.bare = true);
    world.write("llm-deploy.yaml", &config(ACCOUNTS));
    let ran = doctor(&world, &[]);
    ran.expect_code(1);
    for part in [
        "run.googleapis.com: is not enabled",
        "gcloud services enable run.googleapis.com --project demo-project",
        "the API that tells it is not enabled",
        "Qwen/Qwen3.5-4B: is there",
        "nvidia-l4 in europe-west4: Cloud Run offers it",
    ] {
        assert!(ran.stdout.contains(part), "{part}:\n{}", ran.stdout);
    }
}

#[test]
fn missing_permissions_name_their_role_and_the_command() {
    let world = prepared();
    refuse(
        &world,
        "cloudresourcemanager",
        "cloudresourcemanager.projects.testIamPermissions",
        200,
        Some(json!({})),
    );
    refuse(
        &world,
        "iam",
        "iam.projects.serviceAccounts.testIamPermissions",
        200,
        Some(json!({})),
    );
    let ran = doctor(&world, &[]);
    ran.expect_code(1);
    for part in [
        "run.services.create (to create services)",
        "gcloud projects add-iam-policy-binding demo-project --condition=None --member=\"user:$(gcloud config get account)\" --role=roles/run.developer",
        "gcloud iam service-accounts add-iam-policy-binding llm-runtime@demo-project.iam.gserviceaccount.com --project=demo-project",
    ] {
        let flat = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(part), "{part}:\n{}", ran.stdout);
    }
}

#[test]
fn what_may_not_be_looked_at_is_skipped_with_the_reason_and_is_no_failure() {
    let world = prepared();
    for (service, id) in [
        ("cloudquotas", ""),
        ("serviceusage", ""),
        ("secretmanager", "secretmanager.projects.secrets.getIamPolicy"),
        ("storage", "storage.buckets.get"),
    ] {
        refuse(&world, service, id, 403, None);
    }
    let ran = doctor(&world, &["--json"]);
    ran.expect_code(0);
    let skipped = with_verdict(&ran, &["skipped"]);
    for check in [
        "apis all",
        "quota vCPU",
        "secrets hf-token: read by builds",
        "bucket demo-project-llm-deploy: lifecycle",
    ] {
        assert!(skipped.iter().any(|s| s == check), "{check}: {skipped:?}");
    }
    assert!(
        ran.stdout.contains("The caller does not have permission"),
        "{}",
        ran.stdout
    );
}

#[test]
fn without_credentials_the_rest_is_looked_at_all_the_same() {
    let world = World::new();
    let mut command = world.command(&["doctor", "--json"]);
    command.env("CLOUDSDK_AUTH_ACCESS_TOKEN", "ya29.made-up");
    let ran = ran(command);
    assert!(
        with_verdict(&ran, &["pass"]).contains(&"model Qwen/Qwen3.5-4B".to_owned()),
        "{}",
        ran.stdout
    );
    let mut command = world.command(&["doctor", "--json", "--workload-identity-provider", "nonsense"]);
    command.env_remove("CLOUDSDK_AUTH_ACCESS_TOKEN");
    let ran = crate::support::ran(command);
    ran.expect_code(1);
    assert_eq!(with_verdict(&ran, &["fail"]), ["credentials access token"]);
    assert!(
        with_verdict(&ran, &["pass"]).contains(&"model Qwen/Qwen3.5-4B".to_owned()),
        "{}",
        ran.stdout
    );
}

#[test]
fn in_actions_what_is_wrong_with_the_workflow_is_on_its_line() {
    let world = prepared();
    std::fs::create_dir_all(world.path(".github/workflows")).unwrap();
    let workflow = include_str!("../../workflow-templates/llm-deploy.yml").replace(", closed", "");
    world.write(
        ".github/workflows/llm.yml",
        &workflow.replace("cancel-in-progress: false", "cancel-in-progress: true"),
    );
    let line = 1 + workflow
        .lines()
        .position(|l| l.contains("cancel-in-progress"))
        .unwrap();
    let ran = world.actions(&["doctor", "--json"], "push", &[]);
    ran.expect_code(0);
    serde_json::from_str::<Value>(&ran.stdout).unwrap();
    assert!(
        ran.stderr.contains("::warning title=workflow%3A concurrency"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stdout.contains(&format!("\"line\": {line}")),
        "{}",
        ran.stdout
    );
    assert!(
        with_verdict(&ran, &["warn"]).contains(&"workflow on.pull_request".to_owned()),
        "{}",
        ran.stdout
    );
}

#[test]
fn an_api_that_is_off_ends_a_run_before_anything_is_built() {
    let world = World::new();
    for name in ["cloudbuild", "storage"] {
        world
            .emulator
            .emulator
            .services
            .disable(&format!("{name}.googleapis.com"));
    }
    world.run("pull_request.opened").expect_code(1);
    let fix =
        "gcloud services enable cloudbuild.googleapis.com storage.googleapis.com --project demo-project";
    assert!(world.comments()[0].contains(fix), "{}", world.comments()[0]);
    assert!(
        world.requests().iter().all(|r| r["service"] != "cloudbuild"),
        "nothing was built"
    );
    let path = format!("/artifactregistry/v1/projects/{PROJECT}/locations/{REGION}/repositories/llm-deploy");
    assert_eq!(world.get(&path), None, "nothing was made");
}

#[test]
fn a_run_goes_on_when_its_quick_checks_can_t_be_made() {
    let world = World::new();
    for service in ["serviceusage", "cloudquotas"] {
        refuse(&world, service, "", 403, None);
    }
    refuse(
        &world,
        "cloudresourcemanager",
        "cloudresourcemanager.projects.testIamPermissions",
        400,
        None,
    );
    let ran = world.run("push");
    ran.expect_code(0);
    assert_eq!(world.report()["notices"], json!([]), "{}", ran.stdout);
}

#[test]
fn what_a_run_lacks_for_all_that_is_known_is_told_in_its_report() {
    let world = World::new();
    let held = json!({"permissions": ["run.services.create"]});
    refuse(
        &world,
        "cloudresourcemanager",
        "cloudresourcemanager.projects.testIamPermissions",
        200,
        Some(held),
    );
    world.run("push").expect_code(0);
    let notices = world.report()["notices"].to_string();
    assert!(
        notices.contains("cloudbuild.builds.create") && notices.contains("roles/cloudbuild.builds.editor"),
        "{notices}"
    );
    assert!(!notices.contains("run.services.create"), "{notices}");
}

#[test]
fn the_quick_checks_of_an_unchanged_run_are_five_reads() {
    let world = World::new();
    world.run("push").expect_code(0);
    world.forget_requests();
    world.run("push").expect_code(0);
    let measured = ["storage.objects.insert"; 2];
    assert_eq!(changes(&world), measured, "the history and the baseline");
    let services = ["serviceusage", "cloudresourcemanager", "cloudquotas"];
    let quick = world
        .requests()
        .iter()
        .filter(|r| services.contains(&r["service"].as_str().unwrap()))
        .count();
    assert_eq!(
        quick, 5,
        "APIs, permissions, and the quota of GPU, CPU and memory"
    );
}

#[test]
fn deleting_a_preview_asks_for_nothing_that_could_keep_it() {
    let world = World::new();
    world.run("pull_request.opened").expect_code(0);
    world.forget_requests();
    world
        .emulator
        .emulator
        .services
        .disable("cloudbuild.googleapis.com");
    world.run("pull_request.closed").expect_code(0);
    assert_eq!(world.service("qwen3-5-4b-pr-12"), None);
    assert!(
        world
            .requests()
            .iter()
            .all(|r| r["service"] != "serviceusage" && r["service"] != "cloudquotas")
    );
}
