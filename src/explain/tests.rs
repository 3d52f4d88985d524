//! Each known cause by the words in which it was seen.

mod cases;

use super::{
    Evidence, Explanation, Facts, PATTERNS,
    Source::{self, Answer, Build, BuildLog, Condition, ContainerLog},
    catalogue::entries,
    explain, page,
};
use cases::CASES;

fn deployment() -> Facts {
    [
        ("project", "p"),
        ("region", "europe-west4"),
        ("service", "qwen"),
        ("model", "m/gated"),
        ("gpu", "nvidia-l4"),
        ("cpu", "8"),
        ("memory", "32Gi"),
        ("port", "8080"),
        ("deployer", "d@p.iam.gserviceaccount.com"),
        ("build-account", "b@p.iam.gserviceaccount.com"),
        ("runtime-account", "rt@p.iam.gserviceaccount.com"),
        ("secret", "hf-token"),
        ("token-secret", "hf-token"),
        ("bucket", "p-llm-deploy"),
        ("repository", "llm-deploy"),
        ("location", "global"),
        ("window", "10m 00s"),
    ]
    .into_iter()
    .fold(Facts::default(), |facts, (name, value)| facts.with(name, value))
}

fn known(said: &[(Source, &str)]) -> Option<Explanation> {
    let mut evidence = Evidence::default();
    for (source, text) in said {
        evidence.add(*source, *text);
    }
    explain(&evidence, &deployment())
}

#[test]
fn every_known_cause_is_recognised_by_its_real_words() {
    for (name, source, text, named) in CASES {
        let found = known(&[(*source, text)]);
        let found = found.unwrap_or_else(|| panic!("{name} is not recognised"));
        assert_eq!(found.name, *name, "{text}");
        let told = format!("{} {}", found.cause, found.fix);
        assert!(told.contains(named), "{name}: {told}");
    }
    let without: Vec<_> = entries()
        .map(|e| e.name)
        .filter(|name| *name != "invalid-argument" && !CASES.iter().any(|(case, ..)| case == name))
        .collect();
    assert!(without.is_empty(), "no case: {without:?}");
}

#[test]
fn every_pattern_is_one_and_every_entry_says_where_it_was_seen() {
    for (entry, patterns) in entries().zip(PATTERNS.iter()) {
        assert_eq!(entry.patterns.len(), patterns.len(), "{}", entry.name);
        assert!(
            !entry.seen.is_empty() && !entry.sources.is_empty(),
            "{}",
            entry.name
        );
        assert!(
            entry.cause.ends_with('.') && !entry.fix.ends_with('.'),
            "{}",
            entry.name
        );
        let twins = entries().filter(|e| e.name == entry.name).count();
        assert_eq!(twins, 1, "{}", entry.name);
    }
}

#[test]
fn what_the_container_says_comes_before_what_cloud_run_says() {
    let (_, source, generic, _) = CASES.iter().find(|(name, ..)| *name == "not-listening").unwrap();
    for (name, log_source, log, _) in CASES.iter().filter(|(_, source, ..)| *source == ContainerLog) {
        let found = known(&[(*source, generic), (*log_source, log)]).unwrap();
        assert_eq!(found.name, *name);
    }
}

#[test]
fn a_root_cause_comes_before_the_crash_that_follows_from_it() {
    let log = "ERROR [core.py:708] ValueError: No available memory for the cache blocks. Try increasing\n\
               RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n\
               Container called exit(1).";
    let found = known(&[(ContainerLog, log)]).unwrap();
    assert_eq!(found.name, "kv-cache");
    assert!(found.line.unwrap().contains("cache blocks"));
}

#[test]
fn a_container_that_listens_where_cloud_run_looks_was_only_too_slow() {
    let log = "Starting vLLM server on http://0.0.0.0:8080\n\
               STARTUP HTTP probe failed 60 times consecutively for container \"vllm\" on port 8080";
    assert_eq!(known(&[(ContainerLog, log)]).unwrap().name, "startup-timeout");
}

#[test]
fn each_field_violation_is_shown() {
    let mut evidence = Evidence::default();
    evidence.add(
        Answer,
        "Bad request.; a: too long; b: too short (HTTP 400, INVALID_ARGUMENT)",
    );
    let facts = deployment().with("violations", "a: too long; b: too short");
    let found = explain(&evidence, &facts).unwrap();
    assert_eq!(
        found.cause,
        "Google does not take a value that was sent: a: too long; b: too short."
    );
    assert_eq!(
        explain(&evidence, &deployment()),
        None,
        "without violations Google's words are all there is"
    );
}

#[test]
fn logs_are_not_taken_for_googles_words() {
    for text in [
        "Permission 'run.services.get' denied",
        "You do not have quota for using GPUs without zonal redundancy.",
    ] {
        assert_eq!(
            known(&[
                (ContainerLog, text),
                (BuildLog, text),
                (Build, text),
                (Condition, "x")
            ]),
            None
        );
    }
}

#[test]
fn the_deployers_own_bucket_right_is_not_taken_for_the_builds() {
    let text = "d@p.iam.gserviceaccount.com does not have storage.objects.create access to the Google Cloud Storage \
                object. Permission 'storage.objects.create' denied on resource (or it may not exist). (HTTP 403)";
    let found = known(&[(Answer, text)]).unwrap();
    assert_eq!(found.name, "permission");
    assert!(
        found
            .fix
            .contains("gs://p-llm-deploy --member=serviceAccount:d@p"),
        "{}",
        found.fix
    );
}

#[test]
fn the_resource_that_is_named_is_the_one_to_grant_on() {
    let text = "Permission 'secretmanager.versions.get' denied on resource 'projects/p/secrets/other/versions/1' (HTTP 403)";
    let found = known(&[(Answer, text)]).unwrap();
    assert!(
        found.cause.contains("on `projects/p/secrets/other/versions/1`"),
        "{}",
        found.cause
    );
    assert!(
        found
            .fix
            .contains("gcloud secrets add-iam-policy-binding other --project=p"),
        "{}",
        found.fix
    );
}

#[test]
fn a_permission_that_is_not_known_has_no_role_made_up() {
    let found = known(&[(
        Answer,
        "Permission 'compute.instances.create' denied on resource (HTTP 403)",
    )])
    .unwrap();
    assert!(
        found
            .fix
            .starts_with("Grant d@p.iam.gserviceaccount.com a role that has it"),
        "{}",
        found.fix
    );
}

#[test]
fn the_page_of_failures_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/failures.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == page(),
        "docs/failures.md is out of date: run this test with INSTA_UPDATE=always"
    );
}

/// Whether the configuration's schema has the setting, below a model or in the file. What a message fills in stands for
/// any name that is allowed there.
fn is_a_setting(schema: &serde_json::Value, setting: &str) -> bool {
    let follow = |at: &serde_json::Value| {
        let mut at = at.clone();
        while let Some(name) = at["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
            at = schema["$defs"][name].clone();
        }
        at
    };
    let options = |at: &serde_json::Value| match at["anyOf"].as_array() {
        Some(any) => any.iter().map(&follow).collect(),
        None => vec![at.clone()],
    };
    let has = |root: serde_json::Value| {
        let mut at = root;
        for key in setting.split('.') {
            let next = options(&follow(&at)).into_iter().find_map(|option| {
                let property = &option["properties"][key];
                let more = &option["additionalProperties"];
                let open = more.is_object() || *more == serde_json::json!(true);
                match key.starts_with('{') {
                    _ if !property.is_null() => Some(property.clone()),
                    true => Some(serde_json::json!({})),
                    false => open.then(|| option["additionalProperties"].clone()),
                }
            });
            let Some(found) = next else { return false };
            at = found;
        }
        true
    };
    has(schema["$defs"]["Model"].clone()) || has(schema.clone())
}

#[test]
fn every_setting_that_is_blamed_exists() {
    let schema = crate::config::json_schema();
    for entry in entries() {
        for setting in entry.settings {
            assert!(is_a_setting(&schema, setting), "{}: {setting}", entry.name);
        }
    }
    for unknown in [
        "service.gpus",
        "engine.dtype.x",
        "builds.timeout",
        "latency.objective",
    ] {
        assert!(!is_a_setting(&schema, unknown), "{unknown}");
    }
    let blamed = entries().filter(|entry| !entry.settings.is_empty()).count();
    assert!(blamed > 40, "{blamed} entries name a setting");
}

#[test]
fn a_flag_that_vllm_refuses_is_named_as_it_is_written() {
    for (text, expected) in [
        (
            "vllm serve: error: unrecognized arguments: --max_seqs 4",
            vec!["engine.args.max-seqs"],
        ),
        (
            "vllm serve: error: argument --reasoning-parser: invalid choice: 'x'",
            vec!["engine.reasoning-parser", "engine.args.reasoning-parser"],
        ),
    ] {
        assert_eq!(known(&[(ContainerLog, text)]).unwrap().settings, expected);
    }
}
