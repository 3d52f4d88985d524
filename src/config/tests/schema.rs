//! The schema says what the program does.

use std::time::Duration;

use super::*;

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
    assert_eq!(at("latency.output-tokens"), model.latency.max_tokens);
    assert_eq!(duration("latency.timeout"), model.latency.timeout);
    assert_eq!(duration("latency.ramp-up"), model.latency.ramp_up);
    assert_eq!(at("latency.warm-up"), model.latency.warm_up);
    assert_eq!(at("latency.arrivals"), serde_json::json!(model.latency.arrivals));
    assert_eq!(
        at("latency.prefix-cache"),
        serde_json::json!(model.latency.prefix_cache)
    );
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
    assert_eq!(at("schedule.history"), config.schedule.history);
    assert_eq!(
        at("schedule.on-failure"),
        serde_json::json!(config.schedule.on_failure)
    );
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
        let value: Value = serde_yaml::from_str(text).unwrap();
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
        let value: Value = serde_yaml::from_str(text).unwrap();
        assert!(!validator.is_valid(&value), "{text}");
    }
}

/// No editor marks as wrong what the program takes.
#[test]
fn the_schemas_patterns_take_what_the_readers_take() {
    let schema = json_schema();
    for (path, good, wrong) in [
        ("project", "example.com:my-project", "My Project"),
        ("region", "us-central1", "europe-west4-a"),
        ("model.id", "Qwen/Qwen3.5-4B", "a/b/c"),
        ("model.name", "qwen3-5-4b", "Qwen3"),
        ("service.memory", "24Gi", "16GB"),
        ("service.request-timeout", "90s", "90"),
        (
            "service.service-account",
            "1-compute@developer.gserviceaccount.com",
            "a@b.com",
        ),
        ("image.hf-token-secret", "hf_token:blue-1", "a b"),
        ("engine.reasoning-parser", "none", "a b"),
        ("latency.duration", "30s", "30"),
        ("latency.objectives.ttft-p95", "7.5ms", "800"),
        ("latency.objectives.error-rate", "1%", "many"),
        ("build.location", "global", "Global"),
        ("build.bucket", "my.bucket_1", "gs://b"),
        ("build.repository", "llm-deploy", "a/b"),
        ("preview.expires", "3d", "3 days"),
    ] {
        let pattern = check::property(&schema, path)["pattern"].as_str().unwrap();
        let pattern = regex::Regex::new(pattern).unwrap();
        for (text, takes) in [(good, true), (wrong, false)] {
            assert_eq!(pattern.is_match(text), takes, "{path}: {text}");
            let yaml = with(path, text);
            assert_eq!(resolve(file(&yaml), &[]).is_ok(), takes, "{yaml}");
        }
    }
}

/// The least file with one key set.
fn with(path: &str, text: &str) -> String {
    let mut all = vec![
        ("project", "my-project"),
        ("region", "europe-west4"),
        ("model.id", "a/b"),
    ];
    all.retain(|(key, _)| *key != path);
    all.push((path, text));
    let mut sections: IndexMap<&str, Vec<String>> = IndexMap::new();
    for (key, value) in all {
        let (section, line) = match key.split_once('.') {
            Some((section, key)) => {
                let (key, value) = match key.split_once('.') {
                    Some((outer, inner)) => (outer, format!("{{{inner}: '{value}'}}")),
                    None => (key, format!("'{value}'")),
                };
                (section, format!("  {key}: {value}\n"))
            }
            None => ("", format!("{key}: '{value}'\n")),
        };
        sections.entry(section).or_default().push(line);
    }
    let shown = |(name, lines): (&str, Vec<String>)| {
        let head = if name.is_empty() {
            String::new()
        } else {
            format!("{name}:\n")
        };
        head + &lines.concat()
    };
    sections.into_iter().map(shown).collect()
}
