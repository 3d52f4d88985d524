//! What it asks, takes and gives: tokens, files, JSON, refusals.

use super::*;

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
        // Those speak to whoever reads a run's report, of the account that deploys.
        for other in ["DEPLOYER", "The deploying account"] {
            assert!(!refused.stderr.contains(other), "{}", refused.stderr);
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
    command.env("HF_TOKEN", llm_deploy_emulator::hugging_face::TOKEN);
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
    let mut doctor = world.command(&["doctor", "--json"]);
    doctor
        .env("CLOUDSDK_AUTH_ACCESS_TOKEN", "")
        .env("LLM_DEPLOY_WORKLOAD_IDENTITY_PROVIDER", provider)
        .env("LLM_DEPLOY_SERVICE_ACCOUNT", account("llm-deployer"));
    let looked: Value = serde_json::from_str(&ran(doctor).expect_code(0).stdout).unwrap();
    let amiss: Vec<&Value> = looked["checks"]
        .as_array()
        .unwrap()
        .iter()
        // A young project's memory is less than production and a preview of this size may take.
        .filter(|check| check["verdict"] != "pass" && check["subject"] != "memory")
        .collect();
    assert!(amiss.is_empty(), "{amiss:#?}");
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

#[test]
fn the_command_of_the_readme_without_a_configuration_file_finds_its_own_files_again() {
    let world = new_project();
    std::fs::remove_file(world.path("llm-deploy.yaml")).unwrap();
    let options = ["--project", PROJECT, "--region", REGION, "--write", "--yes"];
    bootstrap(&world, &options).expect_code(0);
    let second = bootstrap(&world, &options);
    second.expect_code(0);
    assert!(
        second
            .stdout
            .lines()
            .skip(1)
            .all(|line| line.ends_with("· exists")),
        "{}",
        second.stdout
    );
}

#[test]
fn a_project_or_region_that_is_not_there_is_told_to_be_checked() {
    let world = new_project();
    for (option, part) in [
        (
            "--project=other-project",
            "Check that other-project is the project's id",
        ),
        (
            "--region=europe-west44",
            "Check `--region`: there may be no europe-west44",
        ),
    ] {
        let refused = bootstrap(&world, &["--yes", option]);
        refused.expect_code(1);
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
        assert!(!refused.stderr.contains("DEPLOYER"), "{}", refused.stderr);
    }
}
