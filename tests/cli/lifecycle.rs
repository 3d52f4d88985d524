//! The life of previews: their names among those of other repositories, and what goes when they end.

mod images;
mod names;
mod places;
mod schedule;

use serde_json::{Value, json};

use crate::support::{PROJECT, PULL_REQUEST, REGION, REPOSITORY, Ran, World, config};

const SERVICE: &str = "qwen3-5-4b-pr-12";
const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
/// Another image than the default's.
const OTHER_BASE: &str =
    "image: { base: 'vllm/vllm-openai:v0.30.0' }\nlatency: { requests: 1, concurrency: [1], max-tokens: 2 }";
const OTHERS: &str = "octo-org/another";

fn world() -> World {
    let world = World::new();
    world.write("llm-deploy.yaml", &config(QUICK));
    world
}

/// A configuration whose production service has this name.
fn named(service: &str) -> String {
    let model = format!("model: {{ id: Qwen/Qwen3.5-4B, name: {service} }}");
    config(QUICK).replace("model: Qwen/Qwen3.5-4B", &model)
}

fn github(world: &World) -> &llm_deploy_emulator::github::GitHub {
    &world.emulator.emulator.github
}

/// Runs the event in another repository of the same project.
fn run_in(world: &World, repository: &str, event: &str) -> Ran {
    github(world).seed(repository);
    let payload = llm_deploy_emulator::github::event_payload(event, repository, PULL_REQUEST).unwrap();
    world.write("event.json", &payload.to_string());
    let name = event.split('.').next().unwrap();
    world.actions(&["run"], name, &[("GITHUB_REPOSITORY", repository)])
}

fn close(world: &World, merged: bool) -> Ran {
    if merged {
        github(world).merge_pull_request(REPOSITORY, PULL_REQUEST);
    } else {
        github(world).close_pull_request(REPOSITORY, PULL_REQUEST);
    }
    let (name, mut payload) = world.event("pull_request.closed");
    payload["pull_request"]["merged"] = merged.into();
    world.write("event.json", &payload.to_string());
    world.actions(&["run"], &name, &[])
}

/// Digests of the model's images.
fn images(world: &World) -> Vec<String> {
    let package =
        format!("projects/{PROJECT}/locations/{REGION}/repositories/llm-deploy/packages/qwen3-5-4b");
    let found = world
        .get(&format!("/artifactregistry/v1/{package}/versions"))
        .unwrap_or_default();
    let versions = found["versions"].as_array().cloned().unwrap_or_default();
    let name = |version: &Value| {
        version["name"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    versions.iter().map(name).collect()
}

/// Digest of the image that a service runs.
fn runs(world: &World, service: &str) -> String {
    let service = world.service(service).unwrap();
    let image = service["template"]["containers"][0]["image"].as_str().unwrap();
    image.split('@').nth(1).unwrap().to_owned()
}

fn services(world: &World) -> Vec<String> {
    let found = world.get(&format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services"));
    let found = found.unwrap()["services"].as_array().cloned().unwrap_or_default();
    let name = |service: &Value| {
        service["name"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    let mut names: Vec<String> = found.iter().map(name).collect();
    names.sort();
    names
}

fn relabel(world: &World, service: &str, change: impl FnOnce(&mut Value)) {
    let mut labels = world.service(service).unwrap()["labels"].clone();
    change(&mut labels);
    let path = format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services/{service}?updateMask=labels");
    world.change(reqwest::Method::PATCH, &path, &json!({ "labels": labels }));
}

fn without(key: &'static str) -> impl FnOnce(&mut Value) {
    move |labels| {
        labels.as_object_mut().unwrap().remove(key);
    }
}

fn detail(world: &World) -> String {
    world.report()["models"][0]["stages"][0]["detail"]
        .as_str()
        .unwrap()
        .to_owned()
}
