//! Who a run is to Google, for how long, and what it says when it is nobody.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use llm_deploy::{
    auth::{CLOUD_PLATFORM, Credentials, WorkloadIdentity},
    environment::Environment,
};
use llm_deploy_emulator::{
    faults::{Fault, Hook, Pattern, Rule},
    iam::Iam,
    tokens::{Kind, Minted},
};

use crate::support::{Ran, World, config, ran};

/// Real seconds that stand for an hour.
const HOUR: f64 = 2.5;

fn minted(world: &World, kind: Kind) -> Vec<Minted> {
    let all = world.emulator.emulator.tokens.minted();
    let ready = world.emulator.emulator.tokens.ready();
    all.into_iter()
        .filter(|m| m.kind == kind && m.token != ready)
        .collect()
}

#[test]
fn a_run_of_three_hours_sends_no_token_that_has_expired() {
    // Pretended delays make the run longer than three such hours.
    let world = World::with(|settings| settings.pace = 1.5);
    let tokens = &world.emulator.emulator.tokens;
    tokens.scale_lifetimes(HOUR / 3600.0);
    let began = std::time::Instant::now();
    world.run_federated("pull_request.opened", &[]).expect_code(0);
    let hours = began.elapsed().as_secs_f64() / HOUR;
    assert!(hours >= 3.0, "{hours} hours");
    assert_eq!(tokens.refused(), 0, "requests with an expired token");
    let access = minted(&world, Kind::Access);
    assert!(
        access.len() >= 3,
        "{} access tokens in {hours} hours",
        access.len()
    );
    let oidc = minted(&world, Kind::Oidc);
    assert!(oidc.iter().all(|t| t.presented == 1), "{oidc:?}");
    assert_eq!(oidc.len(), minted(&world, Kind::Federated).len());
    println!(
        "{hours:.1} hours: {} access tokens, {} ID tokens, {} OIDC tokens; 0 refused",
        access.len(),
        minted(&world, Kind::Id).len(),
        oidc.len()
    );
}

#[test]
fn direct_federation_outlives_its_ten_minute_tokens() {
    const LIFE: f64 = 2.0;
    let world = World::new();
    world.emulator.emulator.tokens.scale_lifetimes(LIFE / 600.0);
    let environment: Environment = world.emulator.environment().into_iter().collect();
    let wif = WorkloadIdentity {
        provider: Iam::provider_name(),
        service_account: None,
    };
    let seen = world.block_on(async {
        let credentials = Credentials::discover(&environment, Some(wif), None)
            .await
            .unwrap();
        assert!(credentials.limits().unwrap().contains("ten minutes"));
        assert!(credentials.invoker().is_err());
        let until = std::time::Instant::now() + std::time::Duration::from_secs_f64(2.2 * LIFE);
        let mut seen = std::collections::BTreeSet::new();
        while std::time::Instant::now() < until {
            let token = credentials.access().token(&[CLOUD_PLATFORM]).await.unwrap();
            assert!(world.emulator.emulator.tokens.access_token_ok(token.as_str()));
            seen.insert(token.as_str().to_owned());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        seen
    });
    assert!((3..=8).contains(&seen.len()), "{} tokens", seen.len());
    let oidc = minted(&world, Kind::Oidc);
    assert!(oidc.iter().all(|t| t.presented == 1), "{oidc:?}");
}

/// Ends every token of a kind, after the `skip`th request of this method id, `times` times.
fn revoke(world: &World, kind: Kind, id: &str, skip: u32, times: u32) -> Arc<AtomicUsize> {
    let revoked = Arc::new(AtomicUsize::new(0));
    let (count, emulator) = (Arc::clone(&revoked), world.emulator.emulator.clone());
    let hook = Hook(Arc::new(move || {
        emulator.tokens.revoke(kind);
        count.fetch_add(1, Ordering::SeqCst);
    }));
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            id: Some(id.to_owned()),
            ..Pattern::default()
        },
        skip,
        times,
        fault: Fault::After(hook),
    });
    revoked
}

#[test]
fn an_access_token_that_is_revoked_in_the_middle_is_replaced_and_nothing_fails() {
    let world = World::new();
    let revoked = revoke(
        &world,
        Kind::Access,
        "cloudbuild.projects.locations.builds.create",
        0,
        1,
    );
    let later = revoke(
        &world,
        Kind::Access,
        "run.projects.locations.services.create",
        0,
        1,
    );
    world.run_federated("pull_request.opened", &[]).expect_code(0);
    assert_eq!(
        (revoked.load(Ordering::SeqCst), later.load(Ordering::SeqCst)),
        (1, 1)
    );
    assert_eq!(
        minted(&world, Kind::Access).len(),
        3,
        "one more for each that was revoked"
    );
    assert!(world.emulator.emulator.tokens.refused() >= 2);
}

#[test]
fn an_id_token_that_is_revoked_is_replaced_and_the_checks_pass() {
    let world = World::new();
    let id = "iamcredentials.projects.serviceAccounts.generateIdToken";
    let revoked = revoke(&world, Kind::Id, id, 0, 1);
    world.run_federated("pull_request.opened", &[]).expect_code(0);
    assert_eq!(revoked.load(Ordering::SeqCst), 1);
    let tokens = minted(&world, Kind::Id);
    assert_eq!(tokens.len(), 2);
    assert_eq!(
        tokens.iter().filter(|t| t.presented == 0).count(),
        1,
        "the revoked one never served"
    );
    assert_eq!(world.emulator.emulator.tokens.refused(), 1);
}

#[test]
fn an_id_token_is_for_the_service_s_own_url_where_a_tag_s_url_is_called() {
    let world = World::new();
    let emulator = &world.emulator.emulator;
    world.run_federated("push", &[]).expect_code(0);
    let more = "engine: { max-model-len: 2048 }\nlatency: { requests: 1, concurrency: [1], max-tokens: 2 }";
    world.write("llm-deploy.yaml", &config(more));
    emulator.recorder.keep();
    world.run_federated("push", &[]).expect_code(0);
    let url = world.service("qwen3-5-4b").unwrap()["uri"]
        .as_str()
        .unwrap()
        .to_owned();
    let tokens = minted(&world, Kind::Id);
    assert_eq!(tokens.len(), 2, "one for each run");
    for minted in tokens {
        assert_eq!(emulator.tokens.id_token(&minted.token).unwrap().audience, url);
    }
    let host = |call: &llm_deploy_emulator::Call| call.headers["host"].to_str().unwrap().to_owned();
    let kept = emulator.recorder.kept();
    let mut hosts = kept
        .iter()
        .filter(|(service, _)| service == "endpoint")
        .map(|(_, call)| host(call));
    assert!(hosts.any(|host| !url.ends_with(&host)), "a tag's URL was called");
    assert_eq!(emulator.tokens.refused(), 0);
}

/// The log, in one line: where it wraps is the terminal's business.
fn log(ran: &Ran) -> String {
    let words = ran.stdout.split_whitespace().chain(ran.stderr.split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_job_without_the_id_token_permission_is_told_so() {
    let world = World::new();
    let none = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", ""),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", ""),
    ];
    let ran = world.run_federated("pull_request.opened", &none);
    ran.expect_code(2);
    assert!(
        log(&ran).contains("`permissions: id-token: write`"),
        "{}",
        log(&ran)
    );
    assert!(
        world.requests().iter().all(|r| r["service"] == "github"),
        "nothing was asked of Google"
    );
}

#[test]
fn a_branch_name_that_makes_the_subject_too_long_is_told_so() {
    let world = World::new();
    let subject = format!("repo:org/app:ref:refs/heads/{}", "long-".repeat(30));
    world.emulator.emulator.tokens.set_claim("sub", &subject);
    let ran = world.run_federated("push", &[]);
    ran.expect_code(1);
    let log = log(&ran);
    assert!(log.contains("127 bytes limit"), "{log}");
    assert!(
        log.contains("has 178 bytes") && log.contains("shorter name for the branch"),
        "{log}"
    );
}

#[test]
fn a_repository_that_the_provider_does_not_admit_is_told_so() {
    let world = World::new();
    let tokens = &world.emulator.emulator.tokens;
    tokens.set_claim("repository", "stranger/fork");
    tokens.set_claim("repository_owner", "stranger");
    let ran = world.run_federated("push", &[]);
    ran.expect_code(1);
    let log = log(&ran);
    assert!(log.contains("rejected by the attribute condition"), "{log}");
    assert!(
        log.contains("does not admit this job of repository `stranger/fork`"),
        "{log}"
    );
}

#[test]
fn a_token_service_that_is_out_is_no_mistake_of_the_input() {
    let world = World::new();
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some("oidc".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault: Fault::Answer {
            status: 503,
            retry_after: Some(3600),
            body: None,
        },
    });
    let ran = world.run_federated("push", &[]);
    ran.expect_code(3);
    assert!(log(&ran).contains("no answer from GitHub"), "{}", log(&ran));
}

#[test]
fn a_file_of_a_type_that_is_not_read_is_named_with_its_type() {
    let world = World::new();
    for (content, says) in [
        (
            r#"{"type":"impersonated_service_account","x":"s3cret"}"#,
            "is of type `impersonated_service_account`",
        ),
        (r#"{"installed":{"client_secret":"s3cret"}}"#, "has no `type`"),
        (r#"["s3cret"]"#, "is no JSON object"),
        (
            r#"{"type":"external_account","audience":"s3cret"}"#,
            "lacks a field",
        ),
        (
            r#"{"type":"authorized_user","client_secret":"s3cret"}"#,
            "lacks a field",
        ),
        (
            r#"{"type":"service_account","private_key":"s3cret"}"#,
            "is no usable service account key",
        ),
    ] {
        world.write("creds.json", content);
        let mut command = world.command(&["plan"]);
        command.env("CLOUDSDK_AUTH_ACCESS_TOKEN", "");
        command.env("GOOGLE_APPLICATION_CREDENTIALS", "creds.json");
        let plan = ran(command);
        plan.expect_code(2);
        assert!(
            plan.stderr.contains("the credentials file creds.json"),
            "{}",
            plan.stderr
        );
        assert!(plan.stderr.contains(says), "{says}: {}", plan.stderr);
        assert!(!plan.stderr.contains("s3cret"), "{}", plan.stderr);
    }
}

#[test]
fn a_line_break_in_the_access_token_is_told_as_that() {
    let world = World::new();
    let ready = world.emulator.emulator.tokens.ready();
    let plan = |token: String| {
        let mut command = world.command(&["plan"]);
        command.env("CLOUDSDK_AUTH_ACCESS_TOKEN", token);
        ran(command)
    };
    plan(format!("{ready}\n")).expect_code(0);
    let broken = plan(format!("{ready}\nmore"));
    broken.expect_code(2);
    assert!(
        broken
            .stderr
            .contains("CLOUDSDK_AUTH_ACCESS_TOKEN holds a line break"),
        "{}",
        broken.stderr
    );
    assert!(!broken.stderr.contains(ready), "{}", broken.stderr);
    let stale = plan("ya29.stale".to_owned());
    assert!(
        stale.stderr.contains("CLOUDSDK_AUTH_ACCESS_TOKEN was refused"),
        "{}",
        stale.stderr
    );
}

/// A `gcloud` that keeps its arguments and gives the emulator's token.
#[cfg(unix)]
#[test]
fn gcloud_s_account_comes_last_and_its_arguments_hold_no_secret() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::new();
    let ready = world.emulator.emulator.tokens.ready().to_owned();
    world.write("token.txt", &ready);
    let folder = world.folder.path().display().to_string();
    world.write(
        "gcloud",
        &format!("#!/bin/sh\necho \"$@\" >> '{folder}/arguments.txt'\ncat '{folder}/token.txt'\n"),
    );
    std::fs::set_permissions(world.path("gcloud"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = world.command(&["cleanup"]);
    command.env("CLOUDSDK_AUTH_ACCESS_TOKEN", "");
    command.env(
        "PATH",
        format!("{folder}:{}", std::env::var("PATH").unwrap_or_default()),
    );
    let cleanup = ran(command);
    cleanup.expect_code(0);
    assert!(
        cleanup
            .stderr
            .contains("the account that gcloud is signed in with"),
        "{}",
        cleanup.stderr
    );
    let arguments = world.read("arguments.txt");
    assert!(arguments.contains("print-access-token"), "{arguments}");
    for secret in [
        &ready,
        world.emulator.emulator.tokens.github(),
        world.emulator.emulator.tokens.oidc_request(),
    ] {
        assert!(!arguments.contains(secret), "{arguments}");
    }
}
