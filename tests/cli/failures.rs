//! A red run gives its reason: in the comment, the summary and the exit code.

use base64::Engine;
use llm_deploy_emulator::{hugging_face::UNGRANTED_TOKEN, run::Limits};

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
    assert!(comment.contains("The GPU's memory ran out"), "{comment}");
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
    world.allow("image.hf-token-secret: [hf-token]");
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
    world.allow("image.hf-token-secret: [hf-token]");
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

#[test]
fn a_context_that_does_not_fit_is_told_with_the_length_that_does() {
    let world = World::with(|settings| {
        let said = "ValueError: To serve at least one request with the model's max seq len (262144), (24.00 GiB KV cache is \
                    needed, which is larger than the available KV cache memory (8.04 GiB). Based on the available memory, \
                    the estimated maximum model length is 87840.";
        // The traceback of the process above it follows, as vLLM's does.
        settings.serve = Some(format!(
            "exec 1>&2; echo \"{said}\"; for n in $(seq 60); do echo \"  File core.py, line $n\"; done; exit 1; true"
        ));
    });
    world.run("pull_request.opened").expect_code(1);
    let failure = &world.report()["models"][0]["failure"];
    assert!(
        failure["fix"]
            .as_str()
            .unwrap()
            .contains("engine.max-model-len: 87840"),
        "{failure}"
    );
    assert!(failure["log"][0].as_str().unwrap().contains("87840"), "{failure}");
    assert!(
        failure["said"]
            .as_str()
            .unwrap()
            .contains("failed to start and listen"),
        "{failure}"
    );
}

#[test]
fn a_region_without_gpu_quota_is_told_with_where_to_ask_for_it() {
    let world = World::new();
    world.emulator.emulator.run.set_limits(Limits {
        gpus: 0,
        ..Limits::default()
    });
    world.run("pull_request.opened").expect_code(1);
    let failure = &world.report()["models"][0]["failure"];
    assert!(
        failure["fix"]
            .as_str()
            .unwrap()
            .contains("https://console.cloud.google.com/iam-admin/quotas?project=demo-project"),
        "{failure}"
    );
}

#[test]
fn a_region_that_runs_no_builds_is_told_with_another() {
    let world = World::new();
    world.emulator.emulator.builds.restrict("us-central1");
    world.allow("build.location: [us-central1]");
    world.write("llm-deploy.yaml", &config("build: { location: us-central1 }"));
    world.run("pull_request.opened").expect_code(1);
    let failure = &world.report()["models"][0]["failure"];
    assert_eq!(failure["cause"], "The project may not run builds in us-central1.");
    assert!(
        failure["fix"]
            .as_str()
            .unwrap()
            .contains("build.location: global"),
        "{failure}"
    );
}

#[test]
fn an_api_that_is_off_is_told_with_the_command_that_enables_it() {
    let world = World::new();
    world
        .emulator
        .emulator
        .services
        .disable("cloudbuild.googleapis.com");
    world.run("pull_request.opened").expect_code(1);
    let failure = &world.report()["models"][0]["failure"];
    assert!(
        failure["fix"]
            .as_str()
            .unwrap()
            .contains("gcloud services enable cloudbuild.googleapis.com --project demo-project"),
        "{failure}"
    );
}

#[test]
fn a_flag_that_vllm_does_not_have_is_named() {
    let world = World::new();
    world.allow("engine.args: [frobnicate]");
    world.write(
        "llm-deploy.yaml",
        &config("engine: { args: { frobnicate: true } }"),
    );
    world.run("pull_request.opened").expect_code(1);
    let failure = &world.report()["models"][0]["failure"];
    assert_eq!(failure["cause"], "This vLLM has no flag `--frobnicate`.");
}

#[test]
fn a_model_that_loads_too_slowly_is_told_with_how_far_it_had_come() {
    let world = World::with(|settings| {
        let load = "Loading safetensors checkpoint shards:  40% Completed | 2/5 [00:01<00:02,  1.00s/it]";
        settings.serve = Some(format!("echo '{load}'; exec sleep 60; true"));
    });
    world.write("llm-deploy.yaml", &config("service: { startup-timeout: 2s }"));
    world.run("pull_request.opened").expect_code(1);
    let failure = &world.report()["models"][0]["failure"];
    let cause = failure["cause"].as_str().unwrap();
    assert!(
        cause.starts_with("vLLM was not ready within")
            && cause.contains("40 % of the weights' files were loaded"),
        "{failure}"
    );
    assert!(
        failure["fix"]
            .as_str()
            .unwrap()
            .contains("service.startup-timeout"),
        "{failure}"
    );
}
