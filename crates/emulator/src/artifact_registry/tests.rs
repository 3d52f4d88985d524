use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::testing::Bench;

const ROOT: &str = "/artifactregistry/v1/projects/demo-project/locations/europe-west4";

fn digest(n: u8) -> String {
    format!("sha256:{}", format!("{n:02x}").repeat(32))
}

async fn with_repository(settings: &Value) -> Bench {
    let bench = Bench::start().await;
    let created = bench
        .post(&format!("{ROOT}/repositories?repositoryId=models"), settings)
        .await;
    assert_eq!(created.status, 200, "{}", created.text);
    bench
}

fn push(bench: &Bench, package: &str, tag: &str, n: u8) {
    let registry = &bench.running.emulator.registry;
    registry
        .push("europe-west4", "models", package, tag, &digest(n), 1000)
        .unwrap();
}

#[tokio::test]
async fn creating_is_an_operation_that_ends_with_the_repository() {
    let bench = Bench::start().await;
    let path = format!("{ROOT}/repositories?repositoryId=models");
    let started = bench.post(&path, &json!({"format": "DOCKER"})).await.json;
    assert_eq!(started["done"], Value::Null);
    let name = started["name"].as_str().unwrap();
    let done = bench.get(&format!("/artifactregistry/v1/{name}")).await.json;
    assert_eq!(done["done"], true);
    assert_eq!(
        done["response"]["name"],
        "projects/demo-project/locations/europe-west4/repositories/models"
    );
    let again = bench.post(&path, &json!({"format": "DOCKER"})).await;
    assert_eq!(
        (again.status, &again.json["error"]["status"]),
        (409, &json!("ALREADY_EXISTS"))
    );
}

#[tokio::test]
async fn bad_cleanup_policies_are_refused() {
    let bench = Bench::start().await;
    let recent = json!({"keepCount": 3});
    for (policy, words) in [
        (
            json!({"action": "DELETE", "mostRecentVersions": recent}),
            "goes with the action KEEP only",
        ),
        (json!({"action": "KEEP"}), "exactly one of"),
        (
            json!({"action": "KEEP", "mostRecentVersions": recent, "condition": {}}),
            "exactly one of",
        ),
        (json!({"condition": {}}), "must be DELETE or KEEP"),
        (
            json!({"action": "KEEP", "mostRecentVersions": {"keepCount": 0}}),
            "at least 1",
        ),
        (
            json!({"id": "other", "action": "DELETE", "condition": {}}),
            "differs from the key",
        ),
    ] {
        let body = json!({"format": "DOCKER", "cleanupPolicies": {"p": policy}});
        let answer = bench
            .post(&format!("{ROOT}/repositories?repositoryId=r"), &body)
            .await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains(words), "{}", answer.text);
    }
}

#[tokio::test]
async fn cleanup_deletes_old_versions_but_keeps_the_newest() {
    let bench = with_repository(&json!({"format": "DOCKER", "cleanupPolicies": {
        "keep": {"id": "keep", "action": "KEEP", "mostRecentVersions": {"keepCount": 1}},
        "old": {"id": "old", "action": "DELETE", "condition": {"tagState": "ANY", "olderThan": "86400s"}},
    }}))
    .await;
    for n in 1..=3 {
        push(&bench, "qwen", &format!("t{n}"), n);
    }
    push(&bench, "other", "t", 9);
    let registry = &bench.running.emulator.registry;
    assert_eq!(
        registry.clean_up(Utc::now()),
        Vec::<String>::new(),
        "nothing is old yet"
    );
    let mut gone = registry.clean_up(Utc::now() + TimeDelta::days(2));
    gone.sort();
    assert_eq!(gone, [digest(1), digest(2)]);
    let image = "europe-west4-docker.pkg.dev/demo-project/models/qwen";
    let has = |image: &str| registry.has("demo-project", image);
    assert!(has(&format!("{image}:t3")));
    assert!(has(&format!("{image}@{}", digest(3))));
    assert!(!has(&format!("{image}:t1")));
    let elsewhere = image.replace("demo-project", "somebody-else");
    assert!(!has(&format!("{elsewhere}:t3")));
}

#[tokio::test]
async fn a_tag_leads_to_its_digest_and_a_tagged_version_goes_by_force_only() {
    let bench = with_repository(&json!({"format": "DOCKER"})).await;
    push(&bench, "team/qwen", "k1", 1);
    let package = format!("{ROOT}/repositories/models/packages/team%2Fqwen");
    let tag = bench.get(&format!("{package}/tags/k1")).await.json;
    let version = tag["version"].as_str().unwrap();
    assert!(
        version.ends_with(&format!("packages/team%2Fqwen/versions/{}", digest(1))),
        "{version}"
    );
    let images = bench
        .get(&format!("{ROOT}/repositories/models/dockerImages"))
        .await
        .json;
    assert_eq!(images["dockerImages"][0]["tags"], json!(["k1"]));
    let path = format!("{package}/versions/{}", digest(1));
    let refused = bench.send("DELETE", &path, None).await;
    assert_eq!(refused.json["error"]["status"], "FAILED_PRECONDITION");
    let forced = bench.send("DELETE", &format!("{path}?force=true"), None).await;
    assert_eq!(forced.status, 200, "{}", forced.text);
    assert_eq!(bench.get(&format!("{package}/tags/k1")).await.status, 404);
}

#[tokio::test]
async fn a_pushed_image_needs_its_repository_and_an_immutable_tag_stays() {
    let bench = with_repository(&json!({"format": "DOCKER", "dockerConfig": {"immutableTags": true}})).await;
    let registry = &bench.running.emulator.registry;
    push(&bench, "p", "t", 1);
    let moved = registry.push("europe-west4", "models", "p", "t", &digest(2), 1);
    assert!(moved.unwrap_err().contains("immutability"));
    let nowhere = registry.push("us-central1", "models", "p", "t", &digest(2), 1);
    assert_eq!(
        nowhere.unwrap_err(),
        "name unknown: Repository \"models\" not found"
    );
}

#[tokio::test]
async fn docker_looks_a_tag_up_by_head() {
    let mut bench = with_repository(&json!({"format": "DOCKER"})).await;
    push(&bench, "qwen", "k1", 1);
    let path = "/docker/v2/demo-project/models/qwen/manifests";
    let found = bench.send("HEAD", &format!("{path}/k1"), None).await;
    assert_eq!(
        found.headers["docker-content-digest"].to_str().unwrap(),
        digest(1)
    );
    let missing = bench.get(&format!("{path}/k2")).await;
    assert_eq!(
        (missing.status, &missing.json["errors"][0]["code"]),
        (404, &json!("MANIFEST_UNKNOWN"))
    );
    bench.token = None;
    assert_eq!(bench.get(&format!("{path}/k1")).await.status, 401);
}

#[tokio::test]
async fn only_the_masked_fields_change() {
    let bench = with_repository(&json!({"format": "DOCKER", "description": "old"})).await;
    let path = format!("{ROOT}/repositories/models");
    let body = json!({"description": "new", "cleanupPolicyDryRun": true});
    let patched = bench
        .send(
            "PATCH",
            &format!("{path}?updateMask=cleanupPolicyDryRun"),
            Some(&body),
        )
        .await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    let read = bench.get(&path).await.json;
    assert_eq!(
        (&read["description"], &read["cleanupPolicyDryRun"]),
        (&json!("old"), &json!(true))
    );
}
