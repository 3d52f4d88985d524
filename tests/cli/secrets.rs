//! No secret of a run reaches a log, a comment, a file, a request's record or the image's context.

use std::io::Read;

use llm_deploy::emulator::hugging_face;

use crate::support::{World, config, found_below};

#[test]
fn no_secret_is_found_anywhere_after_a_full_run() {
    let world = World::new();
    let text = config(
        "image: { hf-token-secret: hf-token }\nlatency: { requests: 1, concurrency: [1], max-tokens: 2 }",
    );
    world.write(
        "llm-deploy.yaml",
        &text.replace("Qwen/Qwen3.5-4B", "google/gemma-3-4b-it"),
    );
    let tokens = &world.emulator.emulator.tokens;
    let in_the_secret = world
        .emulator
        .emulator
        .secrets
        .value("hf-token", "latest")
        .unwrap();
    let in_the_secret = String::from_utf8(in_the_secret).unwrap();
    let api_key = "sk-own-api-key-1234";
    let secrets = [
        &in_the_secret,
        hugging_face::TOKEN,
        tokens.github(),
        tokens.ready(),
        tokens.oidc_request(),
        api_key,
    ];
    let ran = world.run_with(
        "pull_request.opened",
        &[("LLM_DEPLOY_API_KEY", api_key), ("HF_TOKEN", hugging_face::TOKEN)],
    );
    ran.expect_code(0);
    let context = context(&world);
    assert!(context.contains("Dockerfile"), "the context was read");
    for secret in secrets {
        assert!(
            !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
            "{secret} in the log"
        );
        assert!(!world.comments()[0].contains(secret), "{secret} in the comment");
        assert!(!context.contains(secret), "{secret} in the image's context");
        let found = found_below(world.folder.path(), secret);
        assert!(found.is_empty(), "{secret} in {found:?}");
    }
}

/// Names and contents of the uploaded build context.
fn context(world: &World) -> String {
    let list = world
        .get("/storage/storage/v1/b/demo-project-llm-deploy/o?prefix=source/")
        .unwrap();
    let object = list["items"][0]["name"].as_str().unwrap();
    let archive = world
        .emulator
        .emulator
        .storage
        .get("demo-project-llm-deploy", object)
        .unwrap();
    let mut text = String::new();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive.as_ref()));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        text.push_str(&entry.path().unwrap().display().to_string());
        entry.read_to_string(&mut text).unwrap();
    }
    text
}
