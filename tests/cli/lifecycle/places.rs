//! A preview is found and deleted wherever it was deployed, and nothing else is.

use serde_json::{Value, json};

use super::{QUICK, SERVICE, close, github, services, world};
use crate::support::{PROJECT, PULL_REQUEST, REPOSITORY, Ran, World, config};

const ELSEWHERE: &str = "us-central1";

fn services_in(world: &World, region: &str) -> Vec<String> {
    let found = world.get(&format!("/run/v2/projects/{PROJECT}/locations/{region}/services"));
    let found = found.unwrap_or_default()["services"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let name = |service: &Value| {
        service["name"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    found.iter().map(name).collect()
}

fn configured(region: &str) -> String {
    config(QUICK).replace("europe-west4", region)
}

/// A preview in another region, which the base branch allowed then and no longer names.
fn preview_elsewhere() -> World {
    let world = world();
    world.allow("region: ['us-*']");
    world.write("llm-deploy.yaml", &configured(ELSEWHERE));
    world.run("pull_request.opened").expect_code(0);
    assert_eq!(services_in(&world, ELSEWHERE), [SERVICE]);
    github(&world).remove_file(REPOSITORY, "main", "llm-deploy.yaml");
    world.write("llm-deploy.yaml", &config(QUICK));
    world
}

#[test]
fn a_pull_request_takes_the_base_branchs_region_unless_a_limit_allows_another() {
    let world = world();
    github(&world).put_file(REPOSITORY, "main", "llm-deploy.yaml", &config(""));
    world.write("llm-deploy.yaml", &configured(ELSEWHERE));
    world.run("pull_request.opened").expect_code(2);
    assert!(services_in(&world, ELSEWHERE).is_empty());
    world.allow(&format!("region: [{ELSEWHERE}]"));
    world.run("pull_request.opened").expect_code(0);
    assert_eq!(services_in(&world, ELSEWHERE), [SERVICE]);
}

#[test]
fn previews_in_two_regions_go_when_the_pull_request_is_closed() {
    for merged in [false, true] {
        let world = preview_elsewhere();
        // A repeated run never deletes what an earlier one deployed.
        world
            .run_with("pull_request.synchronize", &[("GITHUB_RUN_ATTEMPT", "2")])
            .expect_code(0);
        assert_eq!(
            (services(&world).len(), services_in(&world, ELSEWHERE).len()),
            (1, 1)
        );
        close(&world, merged).expect_code(0);
        assert!(services(&world).is_empty() && services_in(&world, ELSEWHERE).is_empty());
        assert_eq!(world.report()["models"].as_array().unwrap().len(), 2);
    }
}

/// A record may be forged; there the name alone is not enough.
#[test]
fn elsewhere_nothing_without_the_repositorys_number_is_deleted() {
    let world = preview_elsewhere();
    relabel(&world, |labels| {
        labels.as_object_mut().unwrap().remove("llm-deploy-repository-id");
    });
    world
        .run_with("pull_request.synchronize", &[("GITHUB_RUN_ID", "43")])
        .expect_code(0);
    close(&world, false).expect_code(0);
    assert_eq!(services_in(&world, ELSEWHERE), [SERVICE]);
}

#[test]
fn a_preview_that_moved_leaves_none_behind_once_the_new_one_is_tested() {
    let world = preview_elsewhere();
    world
        .run_with("pull_request.synchronize", &[("GITHUB_RUN_ID", "43")])
        .expect_code(0);
    assert_eq!(services(&world), [SERVICE]);
    assert!(services_in(&world, ELSEWHERE).is_empty());
}

#[test]
fn a_merged_pull_request_that_moved_production_leaves_no_preview_behind() {
    let world = world();
    world.run("pull_request.opened").expect_code(0);
    // Its own file, which is the default branch's from now on, names the new region.
    github(&world).put_file(REPOSITORY, "main", "llm-deploy.yaml", &configured(ELSEWHERE));
    world.write("llm-deploy.yaml", &configured(ELSEWHERE));
    close(&world, true).expect_code(0);
    assert!(services(&world).is_empty());
}

fn cleanup_by_hand(world: &World) -> Ran {
    let mut command = world.command(&["cleanup", "--report-dir", "report"]);
    command.env("GITHUB_REPOSITORY", REPOSITORY);
    crate::support::ran(command)
}

#[test]
fn the_schedule_and_a_person_find_previews_that_were_deployed_elsewhere() {
    for by_hand in [false, true] {
        for closed in [false, true] {
            let world = preview_elsewhere();
            world.write("llm-deploy.yaml", &configured("us-east4"));
            if closed {
                github(&world).close_pull_request(REPOSITORY, PULL_REQUEST);
            } else {
                expire(&world);
            }
            if by_hand {
                cleanup_by_hand(&world).expect_code(0);
            } else {
                world.run("schedule");
            }
            assert!(services_in(&world, ELSEWHERE).is_empty(), "{by_hand} {closed}");
        }
    }
}

fn path(region: &str) -> String {
    format!("/run/v2/projects/{PROJECT}/locations/{region}/services/{SERVICE}")
}

fn relabel(world: &World, change: impl FnOnce(&mut Value)) {
    let mut labels = world.get(&path(ELSEWHERE)).unwrap()["labels"].clone();
    change(&mut labels);
    let update = format!("{}?updateMask=labels", path(ELSEWHERE));
    world.change(reqwest::Method::PATCH, &update, &json!({ "labels": labels }));
}

fn expire(world: &World) {
    relabel(world, |labels| labels["llm-deploy-expires"] = "1700000000".into());
}

#[test]
fn a_record_deletes_nothing_that_lacks_one_of_our_labels() {
    for (key, value) in [
        ("managed-by", "another-tool"),
        ("llm-deploy-repository-id", "99"),
        ("llm-deploy-kind", "production"),
        ("llm-deploy-pull-request", "13"),
    ] {
        let world = preview_elsewhere();
        relabel(&world, |labels| labels[key] = value.into());
        close(&world, false).expect_code(0);
        assert_eq!(services_in(&world, ELSEWHERE), [SERVICE], "{key}");
    }
}

/// Anyone with write access can make a record.
#[test]
fn a_record_of_a_place_that_the_account_may_not_see_is_told_and_stops_nothing() {
    let world = world();
    world.run("pull_request.opened").expect_code(0);
    let forged = json!({"llm-deploy-run": "1-0", "images": {"other-project/europe-west4/qwen": "key"}});
    for _ in 0..2 {
        let body = json!({
            "ref": "main", "environment": "preview/pr-12", "auto_merge": false, "required_contexts": [], "payload": forged,
        });
        world.github("POST", "deployments", Some(&body));
    }
    let ran = close(&world, false);
    ran.expect_code(0);
    assert!(services(&world).is_empty());
    let warned = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("::warning") && line.contains("other-project"));
    assert_eq!(warned.count(), 1, "{}", ran.stdout);
}

#[test]
fn labels_name_the_repository_by_its_number_and_a_renamed_one_keeps_its_preview() {
    let world = preview_elsewhere();
    let labels = world.get(&path(ELSEWHERE)).unwrap()["labels"].clone();
    assert_eq!(labels["llm-deploy-repository-id"], "1296269");
    relabel(&world, |labels| {
        labels["llm-deploy-repository"] = "octo-org_old-name".into();
    });
    close(&world, false).expect_code(0);
    assert!(services_in(&world, ELSEWHERE).is_empty());
}

/// The last commit's configuration names a project that the account may not see: it was refused, and so is its listing.
#[test]
fn a_preview_is_deleted_though_the_last_commit_names_a_place_that_can_not_be_listed() {
    let world = world();
    github(&world).put_file(REPOSITORY, "main", "llm-deploy.yaml", &config(""));
    world.run("pull_request.opened").expect_code(0);
    world.write(
        "llm-deploy.yaml",
        &config(QUICK).replace(PROJECT, "other-project-1"),
    );
    world.run("pull_request.synchronize").expect_code(2);
    let ran = close(&world, false);
    assert!(services(&world).is_empty(), "{}", ran.stdout);
    ran.expect_code(1);
}

/// Two jobs deploy one file to two regions, each named by an input.
#[test]
fn a_job_deletes_no_preview_of_another_job_in_another_region() {
    let world = world();
    for run in ["42", "43"] {
        for region in ["europe-west4", ELSEWHERE] {
            let job = [("GITHUB_RUN_ID", run), ("LLM_DEPLOY_REGION", region)];
            world.run_with("pull_request.synchronize", &job).expect_code(0);
        }
        assert_eq!(
            (services(&world).len(), services_in(&world, ELSEWHERE).len()),
            (1, 1)
        );
    }
}

#[test]
fn more_records_than_are_looked_at_make_the_end_red_and_hide_none_that_is_newer() {
    let world = world();
    let models: serde_json::Map<String, Value> = (0..210)
        .map(|n| (format!("{PROJECT}/nowhere{n}/qwen"), json!("key")))
        .collect();
    let body = json!({
        "ref": "main", "environment": "preview/pr-12", "auto_merge": false, "required_contexts": [],
        "payload": {"llm-deploy-run": "1-0", "images": models},
    });
    world.github("POST", "deployments", Some(&body));
    world.run("pull_request.opened").expect_code(0);
    close(&world, false).expect_code(1);
    assert!(services(&world).is_empty());
    let said = world.report().to_string();
    assert!(said.contains("200 projects and regions only"), "{said}");
}
