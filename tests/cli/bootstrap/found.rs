//! What is there already: brought back, set right, or somebody else's and left alone.

use super::*;

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
fn a_bucket_whose_rule_deletes_everything_gets_the_one_that_spares_the_history() {
    let world = new_project();
    bootstrap(&world, &["--yes"]).expect_code(0);
    let path = "/storage/storage/v1/b/demo-project-llm-deploy";
    let rule = |condition: Value| json!({"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": condition}]}});
    let lifecycle = |world: &World| world.get(path).unwrap()["lifecycle"].clone();
    let ours = lifecycle(&world);
    world.change(Method::PATCH, path, &rule(json!({"age": 7})));
    bootstrap(&world, &["--yes"]).expect_code(0);
    assert_eq!(lifecycle(&world), ours);

    let theirs = rule(json!({"age": 30}));
    world.change(Method::PATCH, path, &theirs);
    let left = bootstrap(&world, &["--yes"]);
    left.expect_code(0);
    assert!(
        left.stdout.contains("deletes production's history"),
        "{}",
        left.stdout
    );
    assert_eq!(lifecycle(&world), theirs["lifecycle"]);
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
