use serde_json::{Value, json};

use super::*;
use crate::plan::target::label;
use crate::plan::{self, testing};

/// Rows of a preview with `new` settings against a production that was deployed with `old` ones, and then changed as
/// `by_hand` does.
fn rows(old: &str, new: &str, by_hand: impl FnOnce(&mut Value)) -> Vec<String> {
    let facts = testing::facts(None);
    let image = format!("{}@sha256:{}", facts.image_path, "1".repeat(64));
    let deployed = testing::production(old);
    let live = service::desired(&deployed, &image, std::time::Duration::from_secs(240));
    let mut live = testing::read_back(&live);
    live["scaling"] = json!({ "minInstanceCount": deployed.model.service.min_instances });
    by_hand(&mut live);
    let live: Service = serde_json::from_value(live).unwrap();
    let plan = plan::make(
        testing::preview(new),
        plan::Facts {
            image_digest: Some(format!("sha256:{}", "1".repeat(64))),
            image_warnings: Vec::new(),
            ..facts
        },
    )
    .unwrap();
    let production = Production {
        live: &live,
        template: live.template.as_ref().unwrap(),
        base_image: None,
        model_revision: None,
    };
    shown(&differences(&plan, &production))
}

fn shown(rows: &[Difference]) -> Vec<String> {
    let text = |d: &Difference| format!("{}: {} → {}", d.what, d.production, d.preview);
    rows.iter().map(text).collect()
}

fn container(live: &mut Value) -> &mut Value {
    &mut live["template"]["containers"][0]
}

#[test]
fn a_pull_request_that_changes_nothing_shows_no_difference() {
    let settings = "service: { cpu: 8, memory: 32Gi, min-instances: 1, max-instances: 3, env: { A: x, B: '' }, secrets: { K: 'k:2' } }\npreview: { cpu: 4, memory: 16Gi }";
    assert_eq!(rows(settings, settings, |_| ()), Vec::<String>::new());
}

#[test]
fn every_kind_of_change_has_its_row() {
    let old = "engine: { max-model-len: 4096, args: { enable-prefix-caching: true, kv-cache-dtype: fp8, limit: [1, 2] } }\nservice: { cpu: 8, memory: 32Gi, env: { A: x, GONE: y } }";
    let new = "engine: { max-model-len: 8192, args: { enable-prefix-caching: false, limit: [1, 3], seed: 7 } }\nservice: { gpu: nvidia-rtx-pro-6000, cpu: 20, memory: 80Gi, min-instances: 1, max-instances: 2, concurrency: 64, access: public, env: { A: changed }, secrets: { NEW: s } }";
    insta::assert_snapshot!(rows(old, new, |_| ()).join("\n"));
}

#[test]
fn another_image_is_told_by_digest_and_what_is_known_of_it() {
    let facts = testing::facts(None);
    let live: Service = serde_json::from_value(json!({
        "template": {"containers": [{"image": format!("h/p/r/qwen@sha256:{}", "2".repeat(64))}]}
    }))
    .unwrap();
    let target = testing::preview("image: { base: 'vllm/vllm-openai:v2' }");
    let unbuilt = plan::Facts {
        image_digest: None,
        image_warnings: Vec::new(),
        ..facts
    };
    let plan = plan::make(target, unbuilt).unwrap();
    let production = Production {
        live: &live,
        template: live.template.as_ref().unwrap(),
        base_image: Some("vllm/vllm-openai:v1"),
        model_revision: Some("bbbb"),
    };
    let rows = shown(&differences(&plan, &production));
    assert_eq!(
        rows[..3],
        [
            "base image: vllm/vllm-openai:v1 → vllm/vllm-openai:v2".to_owned(),
            format!("model revision: bbbb → {}", "a".repeat(40)),
            "image: qwen@sha256:222222222222 → qwen3-5-4b:key (to be built)".to_owned(),
        ]
    );
}

#[test]
fn no_value_of_a_variable_or_of_a_secret_flag_is_ever_told() {
    let rows = rows(
        "service: { env: { A: mine } }",
        "service: { env: { A: yours } }",
        |live| {
            let container = container(live);
            container["env"]
                .as_array_mut()
                .unwrap()
                .push(json!({"name": "TOKEN", "value": "hf_live"}));
            container["args"]
                .as_array_mut()
                .unwrap()
                .push("--api-key=sk-live".into());
            container["args"]
                .as_array_mut()
                .unwrap()
                .push("--max-num-batched-tokens=64".into());
        },
    );
    assert_eq!(
        rows,
        [
            "--api-key: set → not set",
            "--max-num-batched-tokens: 64 → ",
            "variable A: set → differs",
            "variable TOKEN: set → not set"
        ]
    );
}

#[test]
fn flags_are_compared_however_they_are_written() {
    let of = |args: &[&str]| by_name(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(of(&["--seed", "-1"]), of(&["--seed=-1"]));
    assert_eq!(of(&["--a", "x", "y", "--b"]), [pair("a", "x y"), pair("b", "on")]);
    assert_eq!(of(&["--no-a"]), [pair("a", "off")]);
    assert_eq!(
        of(&["--a=1", "--b", "--a=2"]),
        [pair("a", "1 2"), pair("b", "on")]
    );
    assert_eq!(of(&["stray", "--a="]), [pair("", "stray"), pair("a", "")]);
}

#[test]
fn a_service_with_a_thousand_long_arguments_makes_a_short_table() {
    let rows = rows("", "", |live| {
        let args = container(live)["args"].as_array_mut().unwrap();
        args.extend((0..1000).map(|n| Value::from(format!("--flag-{n}={}", "x".repeat(10_000)))));
    });
    assert_eq!(rows.len(), MOST + 1);
    assert_eq!(rows[MOST], "and 940 more:  → ");
    assert!(rows.iter().all(|row| row.chars().count() < 300));
}

#[test]
fn only_this_repositorys_production_is_compared_with() {
    let target = testing::preview("");
    let with = |change: fn(&mut BTreeMap<String, String>)| {
        let mut labels = testing::production("").labels();
        change(&mut labels);
        let live = Service {
            labels,
            ..Service::default()
        };
        is_production(&target, &live)
    };
    assert!(with(|_| ()));
    assert!(!with(|labels| drop(labels.remove(label::MANAGED_BY))));
    assert!(!with(|labels| drop(
        labels.insert(label::KIND.to_owned(), "preview".to_owned())
    )));
    assert!(!with(|labels| drop(
        labels.insert(label::REPOSITORY.to_owned(), "octo_other".to_owned())
    )));
}
