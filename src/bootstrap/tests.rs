//! What is pure: wanted, roles, plan, files.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::{
    config::{self, Config, Source},
    doctor::permissions,
    github::Repository,
    google::resource::Resource,
};

const NUMBER: &str = "481516234200";

fn config(text: &str) -> Config {
    let source = Source {
        name: "llm-deploy.yaml",
        text,
    };
    config::resolve(Some(source), &[]).unwrap()
}

fn wanted(more: &str) -> (Wanted, Config) {
    let config = config(&format!(
        "project: my-project\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n{more}"
    ));
    (Wanted::new(&config, None, None, repository()).unwrap(), config)
}

fn repository() -> Repository {
    Repository {
        full_name: "octo-org/app".to_owned(),
        id: 77,
        owner_id: 8,
        default_branch: "main".to_owned(),
    }
}

fn everything() -> Wanted {
    wanted("build: {logs: cloud-logging}\nimage: {hf-token-secret: hf-token}\nservice: {secrets: {A: one}}\n")
        .0
}

#[test]
fn every_role_that_is_given_is_in_the_documentations_table_with_its_account() {
    let page = include_str!("../../docs/google-cloud.md");
    let (_, table) = page.split_once("\n| account | role |").unwrap();
    let table = table.split("\n\n").next().unwrap();
    // An empty first cell repeats the one above.
    let mut listed: BTreeMap<String, String> = BTreeMap::new();
    let mut account = String::new();
    for row in table.lines().skip(2) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if !cells[1].is_empty() {
            account = cells[1].to_owned();
        }
        *listed.entry(account.clone()).or_default() += &cells[2..].join("|");
    }
    let mut given = BTreeMap::new();
    for grant in roles::grants(&everything(), NUMBER) {
        let account = match grant.member.strip_prefix("serviceAccount:") {
            Some(email) => format!("`{}`", email.split('@').next().unwrap()),
            None => "the repository's jobs".to_owned(),
        };
        let role = format!("`{}`", grant.role);
        assert!(
            listed.get(&account).is_some_and(|row| row.contains(&role)),
            "{account} {role}"
        );
        *given.entry(account).or_insert(String::new()) += &role;
    }
    // And none is listed that isn't given, but for what the text says of other ways of use.
    for (account, rows) in &listed {
        for role in rows.split('`').filter(|word| word.starts_with("roles/")) {
            let known = role == "roles/run.admin" || given[account].contains(role);
            assert!(known, "{account} {role} is listed and not given");
        }
    }
}

#[test]
fn only_what_a_run_makes_anew_is_granted_on_the_whole_project() {
    let grants = roles::grants(&everything(), NUMBER);
    let on_project: Vec<&str> = grants
        .iter()
        .filter(|grant| matches!(grant.on, Resource::Project(_)))
        .map(|grant| grant.role)
        .collect();
    assert_eq!(
        on_project,
        [
            "roles/run.developer",
            "roles/cloudbuild.builds.editor",
            "roles/logging.viewer",
            "roles/serviceusage.serviceUsageConsumer",
            "roles/cloudquotas.viewer",
            "roles/logging.logWriter",
        ]
    );
    let runtime = "serviceAccount:llm-runtime@my-project.iam.gserviceaccount.com";
    let of_runtime: Vec<String> = grants
        .iter()
        .filter(|grant| grant.member == runtime)
        .map(|grant| format!("{} on {}", grant.role, grant.on))
        .collect();
    assert_eq!(of_runtime, ["roles/secretmanager.secretAccessor on secret one"]);
}

/// What doctor asks for, bootstrap has given, with the role that is named where it is missing.
#[test]
fn every_permission_that_a_run_needs_has_its_role_among_those_given() {
    let (_, config) = wanted("image: {hf-token-secret: hf-token}\nservice: {access: private}\n");
    let grants = roles::grants(&everything(), NUMBER);
    let needs = [
        (permissions::on_project(&config), "project"),
        (permissions::on_bucket(), "bucket"),
        (permissions::on_repository(), "repository"),
        (permissions::on_secret(), "secret"),
        (permissions::on_account(), "service account"),
    ];
    for (needs, on) in needs {
        for need in needs {
            let given =
                |grant: &roles::Grant| grant.role == need.role() && grant.on.to_string().starts_with(on);
            assert!(grants.iter().any(given), "{need:?} on {on}: {}", need.role());
        }
    }
}

#[test]
fn a_secret_of_the_container_that_is_not_there_is_told_and_left() {
    let (wanted, _) = wanted("service: {secrets: {A: one}}\n");
    let found = Found {
        number: Some(NUMBER.to_owned()),
        ..Found::default()
    };
    let steps = plan(&wanted, &found, Vec::new());
    let step = steps.iter().find(|step| step.id == "grants secret one").unwrap();
    assert!(
        matches!(&step.state, State::Left(why) if why.contains("create it")),
        "{step:?}"
    );
}

#[test]
fn accounts_of_the_configuration_are_used_and_one_of_another_project_is_not_made() {
    let (wanted, _) = wanted(
        "build: {service-account: own-builder@my-project.iam.gserviceaccount.com}\nservice: {service-account: they@other-project.iam.gserviceaccount.com}\n",
    );
    let steps = plan(&wanted, &Found::default(), Vec::new());
    let state = |id: &str| &steps.iter().find(|step| step.id == id).unwrap().state;
    assert!(matches!(
        state("account own-builder@my-project.iam.gserviceaccount.com"),
        State::ToDo(Action::CreateAccount { id, .. }) if id == "own-builder"
    ));
    assert!(matches!(
        state("account they@other-project.iam.gserviceaccount.com"),
        State::Refused(_)
    ));
}

#[test]
fn accounts_of_a_domains_project_have_its_domain_turned_round() {
    let config = config("project: example.com:my-project\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n");
    let wanted = Wanted::new(&config, None, None, repository()).unwrap();
    assert_eq!(
        wanted.deployer,
        "llm-deployer@my-project.example.com.iam.gserviceaccount.com"
    );
    assert_eq!(wanted.account_id(&wanted.builder), Some("llm-builder"));
}

#[test]
fn a_bucket_and_a_repository_with_names_of_their_own_are_not_told_to_delete_anything() {
    let (wanted, _) = wanted("build: {bucket: some-bucket, repository: images}\n");
    let found = Found {
        bucket: Some(serde_json::from_value(json!({"name": "some-bucket"})).unwrap()),
        repository: Some(serde_json::from_value(json!({"format": "DOCKER"})).unwrap()),
        ..Found::default()
    };
    for id in ["bucket", "repository"] {
        let steps = plan(&wanted, &found, Vec::new());
        let step = steps.iter().find(|step| step.id == id).unwrap();
        assert!(matches!(step.state, State::Left(_)), "{step:?}");
    }
}

#[test]
fn the_workflow_has_no_placeholder_left_and_only_the_inputs_that_the_file_lacks() {
    let (mut wanted, config) = wanted("");
    wanted.github.default_branch = "on".to_owned();
    let inputs = [("region".to_owned(), "europe-west1".to_owned())];
    let text = files::workflow(&wanted, NUMBER, &inputs);
    for placeholder in ["my-org", "projects/1/", "$default-branch", "model:"] {
        assert!(!text.contains(placeholder), "`{placeholder}` in:\n{text}");
    }
    let workflow: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let step = &workflow["jobs"]["llm"]["steps"][1]["with"];
    let with: Vec<&str> = step
        .as_mapping()
        .unwrap()
        .keys()
        .filter_map(|key| key.as_str())
        .collect();
    assert_eq!(with, ["region", "workload-identity-provider", "service-account"]);
    assert_eq!(
        step["workload-identity-provider"],
        wanted.provider_name(NUMBER).as_str()
    );
    // `on` is a word of YAML's own.
    assert_eq!(workflow["on"]["push"]["branches"][0], "on");
    let again = config::resolve(
        Some(Source {
            name: "llm-deploy.yaml",
            text: &files::configuration(&wanted, &config),
        }),
        &[],
    )
    .unwrap();
    assert_eq!(again.build.service_account.as_ref(), Some(&wanted.builder));
    assert_eq!(
        again.models[0].service.service_account.as_ref(),
        Some(&wanted.default_runtime)
    );
    assert_eq!(again.models[0].id, "Qwen/Qwen3.5-4B");
}
