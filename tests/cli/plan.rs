//! `plan` shows what would happen and changes nothing.

use serde_json::{Value, json};

use crate::support::{REPOSITORY, World, ran};

#[test]
fn a_plan_names_the_steps_and_each_settings_origin_and_writes_nothing() {
    let world = World::new();
    let plan = ran(world.command(&["plan", "--gpu", "nvidia-l4"]));
    plan.expect_code(0);
    for part in [
        "create service qwen3-5-4b",
        "build the image",
        "per hour",
        "(default)",
        "(input `gpu`)",
        "of the file",
    ] {
        assert!(plan.stdout.contains(part), "no `{part}` in:\n{}", plan.stdout);
    }
    let writes: Vec<_> = world
        .requests()
        .into_iter()
        .filter(|r| r["method"] != "GET")
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
}

#[test]
fn a_plan_on_a_live_service_shows_the_fields_that_differ() {
    let world = World::new();
    world.run("push").expect_code(0);
    let plan = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env("GITHUB_REPOSITORY", REPOSITORY);
        let plan = ran(command);
        serde_json::from_str::<Value>(&plan.expect_code(0).stdout).unwrap()["models"][0].clone()
    };
    let same = plan(&["plan", "--json"]);
    assert_eq!(
        (&same["action"], &same["changes"]),
        (&json!("nothing"), &json!([]))
    );
    let longer = plan(&["plan", "--json", "--max-model-len", "2048", "--memory", "24Gi"]);
    assert_eq!(longer["action"], "update");
    let changes = longer["changes"].to_string();
    assert!(
        changes.contains("--max-model-len=2048") && changes.contains("32Gi → 24Gi"),
        "{changes}"
    );
}

#[test]
fn weights_that_can_not_fit_are_refused_before_anything_is_built() {
    let world = World::new();
    let plan = ran(world.command(&["plan", "--model", "Qwen/Qwen3-32B", "--name", "big"]));
    plan.expect_code(2);
    assert!(plan.stderr.contains("nvidia-rtx-pro-6000"), "{}", plan.stderr);
}

#[test]
fn a_file_too_large_for_a_documented_layer_and_a_flag_that_vllm_lacks_are_warnings_of_the_plan() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        "project: demo-project\nregion: europe-west4\nmodel:\n  id: octo-org/one-large-file\n  engine: { args: { max-nun-seqs: 8, max-num-seq: 8 } }\n",
    );
    let plan = ran(world.command(&["plan"]));
    plan.expect_code(0);
    for part in [
        "`model.safetensors` has 14.5 GB: its image layer is above the 9.9 GB",
        "no flag `--max-nun-seqs`; did you mean `max-num-seqs`?",
        "write `max-num-seqs` in full; vLLM takes `--max-num-seq` for it",
    ] {
        assert!(plan.stdout.contains(part), "no `{part}` in:\n{}", plan.stdout);
    }
}
