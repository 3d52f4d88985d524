use std::time::Duration;

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
build: {location: us-central1, machine: E2_HIGHCPU_32, disk-gb: 200, timeout: 2h, keep: 5}
preview: {expires: 24h}
"#;
    insta::assert_debug_snapshot!(good(text, &[]));
}

#[test]
fn every_mistake_is_shown_at_once_with_its_place() {
    let text = r#"project: My Project
region: europe-west4-a
models:
  - id: Qwen/Qwen3-4B
    servce:
      cpu: 4
    engine:
      dtype: bfloat
      tensor-parallel-size: 2
      max_model_len: 8192
      args:
        port: 9000
        api-key: s3cret-value
    service:
      cpu: "8"
      memory: 32GB
      request-timeout: 2h
      concurrency: 5000
      env:
        PORT: 80
        HF_TOKEN: hf_abcdefghijklmnopqrstuvwx
      secrets:
        VLLM_API_KEY: hf_abcdefghijklmnopqrstuvwx
  - revision: main
  - id: https://huggingface.co/Qwen/Qwen3-4B
  - id: b/Qwen3-4B
    smoke:
      checks:
        - prompt: hello
        - prompt: x
          matches: "(["
        - contains: x
memory: 32Gi
latency:
  concurrency: 4
preview: yes
build:
  keep: three
  keep: 3
"#;
    let shown = bad(
        text,
        &[
            ("gpu", "l4"),
            ("max-model-len", "4k"),
            ("name", "x"),
            ("access", "Public"),
        ],
    );
    assert!(
        !shown.contains("s3cret") && !shown.contains("abcdefghijklm"),
        "{shown}"
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn what_cloud_run_cannot_do_is_said_where_it_was_asked_for() {
    for (more, expected) in [
        (
            "service: {cpu: 2}",
            "`service.cpu`: nvidia-l4 needs `4`, `6` or `8` CPUs",
        ),
        (
            "service: {cpu: 4, memory: 32Gi}",
            "`service.memory`: 4 CPUs take at most 16Gi",
        ),
        ("service: {memory: 64Gi}", "needs 16Gi to 32Gi of memory"),
        (
            "service: {gpu: nvidia-rtx-pro-6000, cpu: 8}",
            "`service.cpu`: nvidia-rtx-pro-6000 needs",
        ),
        (
            "service: {gpu: nvidia-h100-80gb}",
            "`region`: Cloud Run has no nvidia-h100-80gb in `europe-west4`",
        ),
        (
            "service: {min-instances: 2}",
            "`service.min-instances`: expected at most `max-instances`, which is 1",
        ),
        ("service: {request-timeout: 61m}", "from 1.0 s to 1h 00m"),
        ("preview: {cpu: 2}", "`preview.cpu`: nvidia-l4 needs"),
        (
            "preview: {memory: 32Gi}",
            "`preview.memory`: 4 CPUs take at most 16Gi",
        ),
        ("engine: {tensor-parallel-size: 2}", "one GPU per instance"),
        (
            "service: {env: {A: b}, secrets: {A: b}}",
            "under `env` and under `secrets`",
        ),
    ] {
        let shown = bad(&format!("{LEAST}{more}\n"), &[]);
        assert!(
            shown.contains(expected) && shown.contains("llm-deploy.yaml:"),
            "{more}\n{shown}"
        );
        assert!(shown.contains("\n1 mistake in"), "{more}\n{shown}");
    }
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
fn what_is_missing_is_named_with_the_input_that_would_do() {
    insta::assert_snapshot!(bad("", &[]));
}

#[test]
fn one_wrong_input_names_the_input() {
    for (name, value, expected) in [
        (
            "cpu",
            "eight",
            "input `cpu`: expected a whole number, got `eight`",
        ),
        ("cpu", "2", "input `cpu`: nvidia-l4 needs"),
        ("memory", "32", "input `memory`: expected an amount of memory"),
        ("gpu", "nvidia-l40", "did you mean `nvidia-l4`?"),
        (
            "model-revision",
            "a b",
            "input `model-revision`: expected a branch",
        ),
        (
            "hf-token-secret",
            "hf_abcdefghijklmnopqrstuvwx",
            "input `hf-token-secret`: expected the name of a secret",
        ),
        ("region", "mars", "input `region`: expected a region"),
        (
            "max-instances",
            "0",
            "input `max-instances`: expected a number from 1 to 1000",
        ),
    ] {
        let shown = bad(LEAST, &[(name, value)]);
        assert!(
            shown.contains(expected) && shown.contains("1 mistake in"),
            "{name}: {shown}"
        );
    }
}

#[test]
fn inputs_for_one_model_are_refused_when_the_file_has_several() {
    let text = "project: my-project\nregion: europe-west4\nmodels: [a/one, a/two]\n";
    for name in ["model", "model-revision", "name"] {
        let shown = bad(text, &[(name, "x")]);
        assert!(
            shown.contains(&format!("input `{name}`: the file has 2 models")),
            "{shown}"
        );
    }
    assert_eq!(
        good(text, &[("cpu", "4")])
            .models
            .iter()
            .map(|m| m.service.cpu)
            .collect::<Vec<_>>(),
        [4, 4]
    );
}

#[test]
fn names_must_differ() {
    let text = "project: my-project\nregion: europe-west4\nmodels: [a/one, b/one]\n";
    assert!(bad(text, &[]).contains("`models[1].id`: the name `one` is also that of models[0]"));
    let both = format!("{LEAST}models: [a/b]\n");
    assert!(bad(&both, &[]).contains("`model` and `models` are both given"));
}

#[test]
fn syntax_errors_and_duplicate_keys_have_a_place() {
    insta::assert_snapshot!(bad("project: my-project\nmodel: [a\nregion: b\n", &[]));
    assert!(
        bad(&format!("{LEAST}region: us-central1\n"), &[])
            .contains("`region` is given twice, first on line 2")
    );
}

/// saphyr reads a tab that libyaml refuses: what serde_yaml says is shown with its place.
#[test]
fn what_only_one_parser_refuses_has_a_place_too() {
    let shown = bad("\tproject: my-project\n", &[]);
    assert!(shown.contains("--> llm-deploy.yaml:1:"), "{shown}");
}

#[test]
fn a_wrong_item_does_not_hide_the_mistakes_of_the_others() {
    let text = "project: my-project\nregion: europe-west4\nmodels:\n  - 3\n  - id: a/b\n    name: A\n  - ~\n";
    let shown = bad(text, &[]);
    assert!(
        shown.contains("`models[0]`: expected text or a map, got the number `3`"),
        "{shown}"
    );
    assert!(
        shown.contains("llm-deploy.yaml:6:11") && shown.contains("`models[1].name`"),
        "{shown}"
    );
    assert!(
        shown.contains("`models[2]`: expected text or a map, got nothing"),
        "{shown}"
    );
    assert!(shown.contains("\n3 mistakes in"), "{shown}");
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
fn a_secret_of_the_wrong_type_or_under_the_wrong_key_is_not_shown() {
    for more in [
        "service: {secrets: {A: 918273645}}",
        "engine: {api_key: s918273645}",
        "hf_token: x918273645",
        "service: {env: {A: [s918273645]}}",
    ] {
        let shown = bad(&format!("{LEAST}{more}\n"), &[]);
        assert!(
            !shown.contains("918273645") && shown.contains("llm-deploy.yaml:4:"),
            "{shown}"
        );
    }
}

#[test]
fn hostile_text_reaches_no_terminal() {
    let text = "\"a\\e[31m\\n::error::b\\u202e\": 1\nx: \"\u{9b}31m\u{202e}\"\n";
    let shown = bad(
        text,
        &[("model", "x\u{1b}]0;y\u{7}"), ("region", "a\n::error::b")],
    );
    let odd = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    assert!(!shown.contains(odd), "{shown:?}");
    assert!(!shown.lines().any(|l| l.starts_with("::")), "{shown}");
}

#[test]
fn huge_files_end_soon_in_short_messages() {
    let long_line = format!("project: {}\n", "x".repeat(900_000));
    let many: String = (0..40_000).map(|i| format!("key{i}: 1\n")).collect();
    let long_keys: String = (0..20)
        .map(|i| format!("{i}{}: 1\n", "k".repeat(40_000)))
        .collect();
    let deep_keys = format!("{}: 1\n", "{a: ".repeat(30) + &"}".repeat(30));
    for text in [&long_line, &many, &long_keys, &deep_keys] {
        assert!(bad(text, &[]).len() < 40_000);
    }
}

#[test]
fn colours_are_only_there_when_asked_for() {
    let mistakes = resolve(file("projct: a\n"), &[]).unwrap_err();
    assert!(!mistakes.render(false).contains('\u{1b}'));
    assert!(mistakes.render(true).contains("\u{1b}["));
    assert_eq!(
        console::strip_ansi_codes(&mistakes.render(true)),
        mistakes.to_string()
    );
}

#[test]
fn the_schemas_defaults_are_the_real_ones() {
    let schema = json_schema();
    let config = good(LEAST, &[]);
    let model = &config.models[0];
    let at = |path: &str| check::property(&schema, path)["default"].clone();
    let duration = |path: &str| crate::units::parse_duration(at(path).as_str().unwrap()).unwrap();
    assert_eq!(at("engine.dtype"), model.engine.dtype);
    assert_eq!(
        at("engine.gpu-memory-utilization"),
        model.engine.gpu_memory_utilization
    );
    assert_eq!(
        at("engine.tensor-parallel-size"),
        model.engine.tensor_parallel_size
    );
    assert_eq!(at("engine.max-model-len"), model.engine.max_model_len);
    assert_eq!(at("service.gpu"), model.service.gpu);
    assert_eq!(at("service.cpu"), model.service.cpu);
    assert_eq!(at("service.memory"), model.service.memory.to_string());
    assert_eq!(at("service.port"), model.service.port);
    assert_eq!(at("service.min-instances"), model.service.min_instances);
    assert_eq!(at("service.max-instances"), model.service.max_instances);
    assert_eq!(at("service.concurrency"), model.service.concurrency);
    assert_eq!(duration("service.request-timeout"), model.service.request_timeout);
    assert_eq!(at("smoke.max-tokens"), model.smoke.max_tokens);
    assert_eq!(duration("smoke.timeout"), model.smoke.timeout);
    assert_eq!(at("latency.requests"), model.latency.requests);
    assert_eq!(
        at("latency.concurrency"),
        serde_json::json!(model.latency.concurrency)
    );
    assert_eq!(at("latency.max-tokens"), model.latency.max_tokens);
    assert_eq!(duration("latency.timeout"), model.latency.timeout);
    assert_eq!(at("build.location"), config.build.location);
    assert_eq!(at("build.repository"), config.build.repository);
    assert_eq!(at("build.keep"), config.build.keep);
    assert_eq!(
        duration("build.delete-older-than"),
        config.build.delete_older_than
    );
    assert_eq!(at("preview.cpu"), config.preview.cpu);
    assert_eq!(at("preview.memory"), config.preview.memory.to_string());
    assert_eq!(at("preview.max-instances"), config.preview.max_instances);
    assert_eq!(duration("preview.expires"), config.preview.expires);
    assert_eq!(config.preview.expires, Duration::from_secs(72 * 3600));
}

#[test]
fn gpus_in_the_schema_are_those_that_are_known() {
    let schema = json_schema();
    let names: Vec<_> = gpu::ACCELERATORS.iter().map(|a| a.name).collect();
    assert_eq!(
        check::property(&schema, "service.gpu")["enum"],
        serde_json::json!(names)
    );
}

/// An editor that follows the schema and the program agree on what is good.
#[test]
fn the_schema_accepts_what_is_accepted() {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    for text in [
        LEAST,
        "project: my-project\nregion: us-central1\nmodels:\n- id: a/b\n  service: {secrets: {A: b}}\n",
    ] {
        good(text, &[]);
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        assert!(
            validator.is_valid(&value),
            "{:?}",
            validator
                .iter_errors(&value)
                .map(|e| e.to_string())
                .collect::<Vec<_>>()
        );
    }
    for text in [
        "region: europe",
        "service: {memory: 16GB}",
        "modles: []",
        "smoke: {checks: [{contains: x}]}",
    ] {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        assert!(!validator.is_valid(&value), "{text}");
    }
}
#[test]
fn zz_dump() {
    std::fs::write(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/llm-deploy.schema.json"),
        serde_json::to_string_pretty(&json_schema()).unwrap() + "\n",
    )
    .unwrap();
}
