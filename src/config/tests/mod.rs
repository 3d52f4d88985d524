//! What a file and inputs become.

mod latency;
mod mistakes;
mod places;
mod schema;

use super::*;

fn file(text: &str) -> Option<Source<'_>> {
    Some(Source {
        name: "llm-deploy.yaml",
        text,
    })
}

fn inputs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}

fn good(text: &str, pairs: &[(&str, &str)]) -> Config {
    resolve(file(text), &inputs(pairs)).unwrap_or_else(|m| panic!("{m}"))
}

fn bad(text: &str, pairs: &[(&str, &str)]) -> String {
    resolve(file(text), &inputs(pairs))
        .map(|c| panic!("{c:?}"))
        .unwrap_err()
        .to_string()
}

const LEAST: &str = "project: my-project\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n";

#[test]
fn the_least_file_gets_every_default() {
    insta::assert_debug_snapshot!(good(LEAST, &[]));
}

#[test]
fn a_service_whose_vllm_asks_for_a_key_is_known() {
    let asks = |more: &str| {
        good(&format!("{LEAST}{more}"), &[]).models[0]
            .service
            .has_api_key()
    };
    assert!(!asks(""));
    assert!(asks("service:\n  secrets:\n    VLLM_API_KEY: vllm-api-key\n"));
}

#[test]
fn windows_files_are_read_too() {
    let text = format!("\u{feff}{}", LEAST.replace('\n', "\r\n"));
    assert_eq!(good(&text, &[]).project, "my-project");
}

#[test]
fn inputs_alone_are_enough() {
    let least = [
        ("model", "Qwen/Qwen3.5-4B"),
        ("project", "my-project"),
        ("region", "europe-west4"),
        ("cpu", ""),
    ];
    let config = resolve(None, &inputs(&least)).unwrap();
    assert_eq!(config.models[0].name, "qwen3-5-4b");
    assert_eq!(config.origins["models[0].id"], Origin::Input("model".to_owned()));
    assert_eq!(config.origins["models[0].service.cpu"], Origin::Default);
    assert_eq!(config.origins["region"], Origin::Input("region".to_owned()));
}

#[test]
fn an_input_wins_over_the_model_which_wins_over_the_top_which_wins_over_the_default() {
    let text = "
project: my-project
region: europe-west4
service:
  cpu: 8
  memory: 24Gi
  concurrency: 7
  env: {A: top, B: top}
models:
  - id: a/one
    service:
      memory: 16Gi
      env: {B: own, C: 1.10}
  - a/two
";
    let config = good(text, &[("memory", "32Gi"), ("max-model-len", "8192")]);
    let [one, two] = &config.models[..] else { panic!() };
    assert_eq!(
        (one.service.memory, two.service.memory),
        (Memory::gib(32), Memory::gib(32))
    );
    let config = good(text, &[]);
    let [one, two] = &config.models[..] else { panic!() };
    assert_eq!(
        (one.service.memory, two.service.memory),
        (Memory::gib(16), Memory::gib(24))
    );
    assert_eq!((one.service.concurrency, one.service.port), (7, 8080));
    let env: Vec<_> = one.service.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["A=top", "B=own", "C=1.10"]);
    assert_eq!(config.origins["models[0].service.memory"], Origin::File(12));
    assert_eq!(config.origins["models[1].service.memory"], Origin::File(6));
    assert_eq!(config.origins["models[0].service.port"], Origin::Default);
}

#[test]
fn a_file_with_everything_is_read() {
    let text = r#"
project: my-project
region: us-central1
model:
  id: Qwen/Qwen3-4B-Instruct-2507
  name: chat
  revision: 1234567
  engine:
    max-model-len: 8192
    args: {max-num-seqs: 64, enable-chunked-prefill: true, speculative-config: {method: ngram, num: 3}}
  service:
    gpu: nvidia-rtx-pro-6000
    request-timeout: 1h
    access: public
    env: {VLLM_LOGGING_LEVEL: INFO, RETRIES: 3, DEBUG: false}
    secrets: {VLLM_API_KEY: "api-key:2"}
  smoke:
    timeout: 90s
    checks:
      - {name: capital, prompt: "Capital of France?", contains: Paris}
      - prompt: List three colours as JSON
        matches: '^\s*[\[{]'
        json-schema: {type: [object, array]}
        deadline: 30s
  latency: {requests: 0}
image: {hf-token-secret: hf}
build: {location: us-central1, machine: E2_HIGHCPU_32, disk-gb: 200, timeout: 2h, keep: 5, logs: cloud-logging}
preview: {expires: 24h, label: deploy-preview, limits: {gpus: [nvidia-l4], max-instances: 1, expires: 72h, models: ['Qwen/*'], hourly-cost: 2.50}}
"#;
    insta::assert_debug_snapshot!(good(text, &[]));
}

#[test]
fn defaults_follow_the_gpu() {
    let config = good(&format!("{LEAST}service: {{gpu: nvidia-rtx-pro-6000}}\n"), &[]);
    let service = &config.models[0].service;
    assert_eq!((service.cpu, service.memory), (20, Memory::gib(80)));
    assert_eq!((config.preview.cpu, config.preview.memory), (20, Memory::gib(80)));
    let small = good(&format!("{LEAST}service: {{cpu: 4}}\n"), &[]);
    assert_eq!(small.models[0].service.memory, Memory::gib(16));
}

#[test]
fn empty_values_count_as_absent_where_something_may_be_absent() {
    good(&format!("{LEAST}service:\n  cpu:\nengine: ~\n"), &[]);
    assert!(
        bad(&format!("{LEAST}service: {{env: {{A: }}}}\n"), &[]).contains("`service.env.A`: expected text")
    );
}

#[test]
fn a_model_without_an_id_can_get_it_from_the_input_only() {
    let text = "project: my-project\nregion: europe-west4\nmodel: {name: chat}\n";
    assert_eq!(good(text, &[("model", "a/b")]).models[0].id, "a/b");
    assert!(bad(text, &[]).contains("`model`: `id` is missing"));
}

#[test]
fn a_region_that_is_new_to_us_is_a_warning_and_no_mistake() {
    let config = resolve(
        Some(Source {
            name: "llm-deploy.yaml",
            text: &LEAST.replace("europe-west4", "europe-north1"),
        }),
        &[],
    )
    .unwrap();
    let warning = config.models[0].region_warning(&config.region).unwrap();
    assert!(
        warning.contains("nvidia-l4") && warning.contains("europe-west4"),
        "{warning}"
    );
    assert_eq!(config.models[0].region_warning("europe-west4"), None);
}

#[test]
fn a_preview_gets_at_least_what_its_accelerator_needs() {
    let config = resolve(
        Some(Source {
            name: "llm-deploy.yaml",
            text: LEAST,
        }),
        &[],
    )
    .unwrap();
    assert_eq!(config.preview.size_on("nvidia-l4"), (4, Memory::gib(16)));
    assert_eq!(
        config.preview.size_on("nvidia-rtx-pro-6000"),
        (20, Memory::gib(80))
    );
}
