//! A service whose vLLM asks for a key of its own, besides Cloud Run's ID token.

use base64::Engine;

use crate::support::{PROJECT, World, config};

pub const KEY: &str = "sk-own-api-key-1234";

/// A world whose service takes the key from Secret Manager.
pub fn guarded() -> World {
    let world = World::new();
    let secrets = format!("/secretmanager/v1/projects/{PROJECT}/secrets");
    let post = |path: String, body| world.change(reqwest::Method::POST, &path, &body);
    post(
        format!("{secrets}?secretId=vllm-key"),
        serde_json::json!({"replication": {"automatic": {}}}),
    );
    let data = base64::engine::general_purpose::STANDARD.encode(KEY);
    post(
        format!("{secrets}/vllm-key:addVersion"),
        serde_json::json!({"payload": {"data": data}}),
    );
    world.allow("service.secrets: [vllm-key], image.hf-token-secret: [hf-token]");
    world.write(
        "llm-deploy.yaml",
        &config("service: { secrets: { VLLM_API_KEY: vllm-key } }\nlatency: { requests: 1, concurrency: [1], max-tokens: 2 }"),
    );
    world
}

#[test]
fn the_checks_and_the_measurement_pass_with_the_key_and_never_show_it() {
    let world = guarded();
    let ran = world.run_with("pull_request.opened", &[("LLM_DEPLOY_API_KEY", KEY)]);
    ran.expect_code(0);
    for surface in [
        &ran.stdout,
        &ran.stderr,
        &world.comments()[0],
        &world.read("report/report.json"),
    ] {
        assert!(!surface.contains(KEY), "{surface}");
    }
}

#[test]
fn without_the_key_the_failed_check_names_what_to_give() {
    let world = guarded();
    world.run("pull_request.opened").expect_code(1);
    assert!(
        world.comments()[0].contains("LLM_DEPLOY_API_KEY"),
        "{}",
        world.comments()[0]
    );
}
