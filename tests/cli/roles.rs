//! Roles: the least that work, and what a run says that lacks one of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use llm_deploy_emulator::{
    Settings,
    iam::Iam,
    seed::{DOCUMENTED, Grant, On},
};

use crate::support::{PROJECT, REGION, Ran, World};

const SERVICE: &str = "gemma-3-4b-it";

/// A project with a bucket and a repository and with exactly the documented roles; a configuration that makes use
/// of each of them.
fn world(change: impl FnOnce(&mut Settings)) -> World {
    let world = World::with(change);
    world.emulator.emulator.settle(REGION);
    let account = |name: &str| format!("{name}@{PROJECT}.iam.gserviceaccount.com");
    let (builder, runtime) = (account("llm-builder"), account("llm-runtime"));
    let text = format!(
        "project: {PROJECT}\nregion: {REGION}\nmodel: google/gemma-3-4b-it\nbuild: {{ service-account: {builder} }}\nservice: {{ service-account: {runtime}, secrets: {{ OTLP_HEADERS: hf-token }} }}\nimage: {{ hf-token-secret: hf-token }}\nlatency: {{ requests: 1, concurrency: [1], max-tokens: 2 }}\n"
    );
    world.write("llm-deploy.yaml", &text);
    world.allow("image.hf-token-secret: [hf-token], service.secrets: [hf-token]");
    world
}

/// Signs in as a job does, by federation.
fn run(world: &World, event: &str) -> Ran {
    let provider = Iam::provider_name();
    let federation = [
        ("CLOUDSDK_AUTH_ACCESS_TOKEN", ""),
        ("LLM_DEPLOY_WORKLOAD_IDENTITY_PROVIDER", provider.as_str()),
    ];
    world.run_with(event, &federation)
}

#[test]
fn production_and_a_preview_work_with_exactly_the_documented_roles() {
    let world = world(|_| ());
    for event in ["push", "pull_request.opened", "pull_request.closed"] {
        run(&world, event).expect_code(0);
    }
    assert!(world.service(SERVICE).is_some());
}

/// What a run without the role says and how it ends.
fn consequence(lost: &Grant) -> Option<(i32, &'static [&'static str])> {
    let consequence: (i32, &[&str]) = match (lost.account, lost.role, lost.on) {
        ("jobs", ..) => (
            1,
            &[
                "iam.serviceAccounts.getAccessToken",
                "roles/iam.workloadIdentityUser",
            ],
        ),
        (_, "roles/run.developer", _) => (1, &["run.services."]),
        (_, "roles/cloudbuild.builds.editor", _) => (1, &["cloudbuild.builds."]),
        (_, "roles/iam.serviceAccountUser", _) => (1, &["iam.serviceAccounts.actAs"]),
        ("llm-deployer", "roles/storage.objectUser", _) => (1, &["storage.objects.create"]),
        ("llm-deployer", "roles/storage.legacyBucketReader", _) => (1, &["storage.buckets.get"]),
        // What it sees, it sees by the next role as well.
        (_, "roles/artifactregistry.reader", _) => (0, &[]),
        // The build itself reads the secret, as another account.
        ("llm-deployer", "roles/secretmanager.viewer", _) => (0, &["secretmanager.versions.get"]),
        ("llm-builder", "roles/storage.objectUser", _) => (1, &["storage.objects.get"]),
        ("llm-builder", "roles/storage.legacyBucketReader", _) => (1, &["storage.buckets.get"]),
        (_, "roles/artifactregistry.writer", _) => (1, &["artifactregistry.repositories.uploadArtifacts"]),
        ("llm-builder", "roles/secretmanager.secretAccessor", _) => (1, &["secretmanager.versions.access"]),
        ("llm-runtime", "roles/secretmanager.secretAccessor", _) => {
            (1, &["roles/secretmanager.secretAccessor"])
        }
        // These have tests of their own: what they give shows elsewhere.
        (
            _,
            "roles/logging.viewer"
            | "roles/serviceusage.serviceUsageConsumer"
            | "roles/cloudquotas.viewer"
            | "roles/artifactregistry.repoAdmin",
            _,
        ) => (0, &[]),
        _ => return None,
    };
    Some(consequence)
}

/// What the run told its reader, anywhere.
fn said(world: &World, ran: &Ran) -> String {
    [&ran.stdout, &ran.stderr, &world.read("summary.md")]
        .map(String::as_str)
        .join("\n")
        .replace('\u{200b}', "")
}

fn without(lost: &Grant) -> Result<(), String> {
    let world = world(|_| ());
    if !world.emulator.emulator.take(lost, REGION) {
        return Err(format!("{lost:?} was not given"));
    }
    let Some((code, words)) = consequence(lost) else {
        return Err(format!("{lost:?} has no row in the table above"));
    };
    let ran = run(&world, "push");
    let said = said(&world, &ran);
    // Whoever reads it wants to know which role to grant.
    let role = (!words.is_empty()).then_some(&lost.role);
    let unsaid: Vec<&&str> = words
        .iter()
        .chain(role)
        .filter(|w| !said.to_lowercase().contains(&w.to_lowercase()))
        .collect();
    if ran.code == code && unsaid.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{lost:?}: exit code {}, not said: {unsaid:?}\n{said}",
        ran.code
    ))
}

#[test]
fn a_run_without_one_of_its_roles_names_the_permission() {
    let next = AtomicUsize::new(0);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            while let Some(lost) = DOCUMENTED.get(next.fetch_add(1, Ordering::SeqCst)) {
                failures.extend(without(lost).err());
            }
            failures
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|w| w.join().unwrap()).collect()
    });
    crate::support::say(&format!("{} roles taken away, one at a time", DOCUMENTED.len()));
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn without_logging_viewer_only_the_log_lines_of_a_container_that_does_not_start_are_missing() {
    let crashing = |s: &mut Settings| s.serve = Some("echo torch is out of memory; exit 1".to_owned());
    let world = world(crashing);
    let ran = run(&world, "push");
    ran.expect_code(1);
    assert!(
        said(&world, &ran).contains("torch is out of memory"),
        "{}",
        said(&world, &ran)
    );

    let viewer = DOCUMENTED
        .iter()
        .find(|g| g.role == "roles/logging.viewer")
        .unwrap();
    assert_eq!((viewer.account, viewer.on), ("llm-deployer", On::Project));
    assert!(world.emulator.emulator.take(viewer, REGION));
    let ran = run(&world, "push");
    ran.expect_code(1);
    let said = said(&world, &ran);
    assert!(!said.contains("torch is out of memory"), "{said}");
    assert!(said.contains("logging.logEntries.list"), "{said}");
}

/// `account | role | on` of each row of the documentation's table; a row without an account belongs to the one before.
fn documented_rows() -> Vec<(String, String)> {
    let page = include_str!("../../docs/google-cloud.md");
    let table = page.split("| account | role | on | for |").nth(1).unwrap();
    let mut account = String::new();
    let mut rows = Vec::new();
    for line in table.lines().skip(2).take_while(|l| l.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if !cells[1].is_empty() {
            account = cells[1].trim_matches('`').to_owned();
        }
        let roles = cells[2].split('`').filter(|part| part.starts_with("roles/"));
        rows.extend(roles.map(|role| (account.clone(), role.to_owned())));
    }
    rows
}

#[test]
fn the_documentation_lists_the_roles_that_are_tested_here_and_no_others() {
    let mut listed = documented_rows();
    for (account, _) in &mut listed {
        if account == "the repository's jobs" {
            "jobs".clone_into(account);
        }
    }
    let mut tested: Vec<(String, String)> = DOCUMENTED
        .iter()
        .map(|g| (g.account.to_owned(), g.role.to_owned()))
        .collect();
    for rows in [&mut listed, &mut tested] {
        rows.sort();
        rows.dedup();
    }
    assert_eq!(listed, tested);
}
