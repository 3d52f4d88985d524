//! `--protect-production`: pull requests' jobs can't sign in as the account that deploys production.

use super::*;

const PROTECT: [&str; 4] = ["--yes", "--write", "--json", "--protect-production"];
const MAIN: &str = "refs/heads/main";
const PULL: &str = "refs/pull/12/merge";

fn protected(world: &World, arguments: &[&str]) -> Value {
    let mut command = command(world, arguments);
    command.env("HF_TOKEN", llm_deploy_emulator::hugging_face::TOKEN);
    serde_json::from_str(&ran(command).expect_code(0).stdout).unwrap()
}

/// Runs the action as a job of `git_ref` that signs in as `name`.
fn job(world: &World, made: &Value, name: &str, event: &str, git_ref: &str) -> Ran {
    let claims = [
        ("repository", REPOSITORY),
        ("repository_id", "1296269"),
        ("repository_owner_id", "583231"),
        ("ref", git_ref),
    ];
    for (claim, value) in claims {
        world.emulator.emulator.tokens.set_claim(claim, value);
    }
    let variables = [
        ("CLOUDSDK_AUTH_ACCESS_TOKEN", ""),
        (
            "LLM_DEPLOY_WORKLOAD_IDENTITY_PROVIDER",
            made["workload-identity-provider"].as_str().unwrap(),
        ),
        ("LLM_DEPLOY_SERVICE_ACCOUNT", &account(name)),
    ];
    world.run_with(event, &variables)
}

/// Who may act as an account by signing in from GitHub.
fn jobs_of(world: &World, name: &str) -> Value {
    let path = format!("/iam/v1/projects/{PROJECT}/serviceAccounts/{}", account(name));
    let roles = roles(world, &path);
    let role = |binding: &&Value| binding["role"] == "roles/iam.workloadIdentityUser";
    roles.as_array().unwrap().iter().find(role).unwrap()["members"].clone()
}

fn members(attribute: &str) -> Value {
    let pool = format!("projects/{NUMBER}/locations/global/workloadIdentityPools/llm-deploy");
    json!([format!(
        "principalSet://iam.googleapis.com/{pool}/attribute.{attribute}"
    )])
}

#[test]
fn only_the_default_branch_signs_in_as_productions_account() {
    let world = new_project();
    let made = protected(&world, &PROTECT);
    assert_eq!(made["preview-service-account"], account("llm-preview-deployer"));
    assert_eq!(
        jobs_of(&world, "llm-deployer"),
        members("repository_ref/1296269:refs/heads/main")
    );
    assert_eq!(
        jobs_of(&world, "llm-preview-deployer"),
        members("repository_id/1296269")
    );
    for git_ref in [PULL, "refs/heads/other", "refs/tags/main", "refs/heads/main2"] {
        let refused = job(&world, &made, "llm-deployer", "pull_request.opened", git_ref);
        assert_ne!(refused.code, 0, "{git_ref}");
    }
    job(&world, &made, "llm-deployer", "push", MAIN).expect_code(0);
    for event in ["pull_request.opened", "pull_request.closed"] {
        job(&world, &made, "llm-preview-deployer", event, PULL).expect_code(0);
    }
    let workflow = world.read(".github/workflows/llm.yml");
    let line = format!(
        "service-account: ${{{{ github.event_name == 'pull_request' && '{}' || '{}' }}}}",
        account("llm-preview-deployer"),
        account("llm-deployer")
    );
    assert!(workflow.contains(&line), "{workflow}");
}

#[test]
fn what_was_open_before_is_closed_and_stays_closed() {
    let world = new_project();
    protected(&world, &["--yes", "--json"]);
    assert_eq!(jobs_of(&world, "llm-deployer"), members("repository_id/1296269"));
    protected(&world, &PROTECT);
    let closed = members("repository_ref/1296269:refs/heads/main");
    assert_eq!(jobs_of(&world, "llm-deployer"), closed);
    world.forget_requests();
    // Without the option nothing is opened again.
    let again = protected(&world, &["--yes", "--write", "--json"]);
    assert_eq!(jobs_of(&world, "llm-deployer"), closed);
    assert_eq!(again["preview-service-account"], account("llm-preview-deployer"));
    assert_eq!(writes(&world), Vec::<Value>::new());
}

#[test]
fn another_way_to_sign_in_as_productions_account_is_shown_and_left() {
    let world = new_project();
    protected(&world, &["--yes", "--json"]);
    let path = format!(
        "/iam/v1/projects/{PROJECT}/serviceAccounts/{}",
        account("llm-deployer")
    );
    let mut policy = world.post(&format!("{path}:getIamPolicy"), &Value::Null);
    let other = members(&format!("repository/{REPOSITORY}"))[0].clone();
    policy["bindings"][0]["members"]
        .as_array_mut()
        .unwrap()
        .push(other.clone());
    world.post(&format!("{path}:setIamPolicy"), &json!({ "policy": policy }));
    let made = protected(&world, &PROTECT);
    let step = made["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["id"] == "other members")
        .unwrap();
    assert_eq!(step["state"], "left");
    assert_eq!(step["details"], json!([other]));
    assert!(
        jobs_of(&world, "llm-deployer")
            .as_array()
            .unwrap()
            .contains(&other)
    );
}

#[test]
fn a_dry_run_shows_what_is_taken_away() {
    let world = new_project();
    protected(&world, &["--yes", "--json"]);
    world.forget_requests();
    let ran = bootstrap(&world, &["--dry-run", "--protect-production"]);
    let shown = &ran.expect_code(0).stdout;
    assert!(
        shown.contains("gcloud iam service-accounts remove-iam-policy-binding llm-deployer@"),
        "{shown}"
    );
    assert_eq!(writes(&world), Vec::<Value>::new());
}
