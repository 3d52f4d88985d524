//! A red run gives its reason: in the comment, the summary and the exit code.

use base64::Engine;
use llm_deploy::emulator::hugging_face::UNGRANTED_TOKEN;

use crate::support::{PROJECT, World, config};

#[test]
fn a_container_that_ends_at_once_is_told_with_its_last_log_lines() {
    let world = World::with(|settings| {
        settings.serve =
            Some("echo 'torch.OutOfMemoryError: CUDA out of memory' >&2; exit 1; true".to_owned());
    });
    world.run("pull_request.opened").expect_code(1);
    let comment = &world.comments()[0];
    assert!(
        comment.contains("failed to start and listen on the port"),
        "{comment}"
    );
    assert!(comment.contains("CUDA out of memory"), "{comment}");
    assert_eq!(world.output("status").as_deref(), Some("failed"));
}

#[test]
fn a_gated_model_without_a_token_is_refused_before_anything_is_built() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        &config("").replace("Qwen/Qwen3.5-4B", "google/gemma-3-4b-it"),
    );
    world.run("pull_request.opened").expect_code(2);
    let comment = &world.comments()[0];
    assert!(comment.contains("hf-token-secret"), "{comment}");
    assert!(
        world.requests().iter().all(|r| r["service"] != "cloudbuild"),
        "no build was asked for"
    );
}

#[test]
fn a_token_that_was_not_granted_the_model_fails_in_the_build_with_the_next_step() {
    let world = World::new();
    let stranger = base64::engine::general_purpose::STANDARD.encode(UNGRANTED_TOKEN);
    let path = format!("/secretmanager/v1/projects/{PROJECT}/secrets/hf-token:addVersion");
    world.change(
        reqwest::Method::POST,
        &path,
        &serde_json::json!({"payload": {"data": stranger}}),
    );
    world.write(
        "llm-deploy.yaml",
        &config("image: { hf-token-secret: hf-token }").replace("Qwen/Qwen3.5-4B", "google/gemma-3-4b-it"),
    );
    world.run("pull_request.opened").expect_code(1);
    let comment = &world.comments()[0];
    assert!(
        comment.contains("Accept the model") && comment.contains("licence"),
        "{comment}"
    );
    assert!(
        world.service("gemma-3-4b-it-pr-12").is_none(),
        "nothing was deployed"
    );
}

#[test]
fn a_gated_model_with_the_secret_is_built() {
    let world = World::new();
    let text = config(
        "image: { hf-token-secret: hf-token }\nlatency: { requests: 1, concurrency: [1], max-tokens: 2 }",
    );
    world.write(
        "llm-deploy.yaml",
        &text.replace("Qwen/Qwen3.5-4B", "google/gemma-3-4b-it"),
    );
    world.run("pull_request.opened").expect_code(0);
}

#[test]
fn a_model_that_does_not_exist_is_the_users_mistake() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        &config("").replace("Qwen/Qwen3.5-4B", "Qwen/Qwen99-1B"),
    );
    world.run("pull_request.opened").expect_code(2);
    assert!(world.comments()[0].contains("Qwen99"), "{}", world.comments()[0]);
}

#[test]
fn a_project_without_a_running_api_is_a_service_fault() {
    let world = World::new();
    let ran = world.run_with(
        "pull_request.opened",
        &[("CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN", "http://127.0.0.1:9/")],
    );
    ran.expect_code(3);
    assert!(
        world.comments()[0].contains("127.0.0.1"),
        "{}",
        world.comments()[0]
    );
}
