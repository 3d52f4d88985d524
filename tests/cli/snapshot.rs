//! What a job leaves behind, in a form in which two worlds can be compared: without ids, times and ports.

use serde_json::{Value, json};

use crate::support::{PROJECT, REGION, REPOSITORY, World};

/// The state of everything that a run changes.
pub fn end_state(world: &World) -> Value {
    json!({
        "services": services(world),
        "images": images(world),
        "builds": build_states(world),
        "bucket": bucket(world),
        "comments": world.comments().iter().map(|body| comment(body)).collect::<Vec<_>>(),
    })
}

/// Statuses of all builds, oldest first.
pub fn build_states(world: &World) -> Vec<String> {
    let builds = builds(world);
    builds
        .iter()
        .map(|build| build["status"].as_str().unwrap().to_owned())
        .collect()
}

/// All builds, oldest first.
pub fn builds(world: &World) -> Vec<Value> {
    let path = format!("/cloudbuild/v1/projects/{PROJECT}/locations/global/builds");
    let mut builds = list(world, &path, "builds");
    builds.reverse();
    builds
}

/// What GitHub's deployments must look like after a run that succeeded, whatever was killed before it.
#[track_caller]
pub fn expect_ended_deployments(world: &World) {
    let deployments = world.emulator.emulator.github.deployments(REPOSITORY);
    let states: Vec<&str> = deployments
        .iter()
        .map(|one| one.states.last().map_or("none", String::as_str))
        .collect();
    let (last, earlier) = states.split_last().unwrap();
    assert_eq!(*last, "success", "{states:?}");
    let open = ["none", "queued", "pending", "in_progress"];
    assert!(earlier.iter().all(|state| !open.contains(state)), "{states:?}");
}

fn list(world: &World, path: &str, key: &str) -> Vec<Value> {
    let found = world.get(path).unwrap_or_default();
    found[key].as_array().cloned().unwrap_or_default()
}

fn services(world: &World) -> Vec<Value> {
    let path = format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services");
    let mut services = list(world, &path, "services");
    services.sort_by_key(|service| service["name"].to_string());
    services
        .iter()
        .map(|service| one_service(world, service))
        .collect()
}

fn one_service(world: &World, service: &Value) -> Value {
    let name = service["name"].as_str().unwrap();
    let mut revisions = list(world, &format!("/run/v2/{name}/revisions"), "revisions");
    revisions.sort_by_key(|revision| revision["createTime"].to_string());
    let mut shown = service.clone();
    for volatile in [
        "uid",
        "etag",
        "createTime",
        "updateTime",
        "conditions",
        "terminalCondition",
        "uri",
        "urls",
        "observedGeneration",
    ] {
        shown.as_object_mut().unwrap().remove(volatile);
    }
    for label in ["llm-deploy-run", "llm-deploy-expires"] {
        shown["labels"].as_object_mut().unwrap().remove(label);
    }
    for status in shown["trafficStatuses"].as_array_mut().unwrap() {
        status.as_object_mut().unwrap().remove("uri");
    }
    let mut text = json!({"service": shown, "revisions": revisions.len()}).to_string();
    // A first revision's name is Cloud Run's, and random.
    for (index, revision) in revisions.iter().enumerate() {
        let short = revision["name"].as_str().unwrap().rsplit('/').next().unwrap();
        text = text.replace(short, &format!("revision-{index}"));
    }
    serde_json::from_str(&text).unwrap()
}

/// Tags and digests of every image, and what keeps them.
fn images(world: &World) -> Value {
    let path = format!("/artifactregistry/v1/projects/{PROJECT}/locations/{REGION}/repositories");
    let repositories = list(world, &path, "repositories");
    let shown = repositories.iter().map(|repository| {
        let name = repository["name"].as_str().unwrap();
        let below = format!("/artifactregistry/v1/{name}/packages");
        let packages = list(world, &below, "packages");
        let tags = packages.iter().map(|package| {
            let package = package["name"].as_str().unwrap();
            json!({
                "tags": list(world, &format!("/artifactregistry/v1/{package}/tags"), "tags"),
                "versions": list(world, &format!("/artifactregistry/v1/{package}/versions"), "versions").len(),
            })
        });
        json!({
            "name": name, "policies": repository["cleanupPolicies"], "format": repository["format"],
            "packages": tags.collect::<Vec<_>>(),
        })
    });
    Value::Array(shown.collect())
}

fn bucket(world: &World) -> Value {
    let path = format!("/storage/storage/v1/b?project={PROJECT}");
    let buckets = list(world, &path, "items");
    let shown = buckets.iter().map(|bucket| {
        let name = bucket["name"].as_str().unwrap();
        let objects = list(world, &format!("/storage/storage/v1/b/{name}/o"), "items");
        let mut objects: Vec<&str> = objects.iter().filter_map(|object| object["name"].as_str()).collect();
        // A log is named by its build's random id.
        objects.iter_mut().filter(|name| name.starts_with("logs/")).for_each(|name| *name = "logs/log");
        json!({
            "name": name, "lifecycle": bucket["lifecycle"], "access": bucket["iamConfiguration"], "objects": objects,
        })
    });
    Value::Array(shown.collect())
}

/// The lines of a comment, without figures and addresses, and without what tells how a run got there: it leaves out
/// what a run that was killed had done. Nor is what was measured the same twice: two tokens that a busy machine lets
/// arrive at once leave out a line of the table and add a note.
fn comment(body: &str) -> Vec<String> {
    // A first revision's name is random.
    let own = [
        "| Revision",
        "<!-- llm-deploy-run",
        "<!-- llm-deploy-memory",
        "llm-deploy ",
    ];
    let (before, stages) = body.split_once("<summary>⏱️").unwrap();
    let after = stages.split_once("</details>").unwrap().1;
    let unit = |word: &str| if word == "ms" { "s" } else { word }.to_owned();
    let (before, checks) = before.split_once("<summary>✅ <b>Smoke checks").unwrap();
    let before = before.split_once("#### Latency\n\n| Requests").unwrap().0;
    let lines = before.lines().chain(checks.lines()).chain(after.lines());
    lines
        .filter(|line| !own.iter().any(|start| line.starts_with(start)))
        .map(|line| line.replace(|c: char| c.is_ascii_digit() || c == '.', ""))
        .map(|line| line.split_whitespace().map(unit).collect::<Vec<_>>().join(" "))
        .map(|line| {
            let parts = line.split(" · ").filter(|part| !part.starts_with("[Build log]"));
            parts.collect::<Vec<_>>().join(" · ")
        })
        .collect()
}
