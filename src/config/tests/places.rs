//! Where a setting that causes a failure is shown.

use super::*;
use crate::config::Stand;

const FILE: &str = "\
project: acme-llm
region: europe-west4
service:
  memory: 32Gi
models:
  - id: Qwen/Qwen3-4B
    engine:
      args:
        max-num-seqs: 64
    service:
      gpu: nvidia-l4
      env:
        A: b
    smoke:
      checks:
        - name: one
          prompt: x
          contains: x
        - name: two
          prompt: x
          contains: x
    latency:
      objectives:
        ttft-p95: 800ms
  - id: Qwen/Qwen3-8B
build:
  timeout: 1h
preview:
  max-instances: 2
";

fn stand(model: usize, settings: &[&str], inputs: &[(&str, &str)]) -> Option<Stand> {
    let config = good(FILE, inputs);
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    config.models[model].places.of(&settings)
}

fn line(model: usize, settings: &[&str]) -> Option<usize> {
    match stand(model, settings, &[])? {
        Stand::File { file, line } => {
            assert_eq!(file, "llm-deploy.yaml");
            Some(line)
        }
        other @ Stand::Input { .. } => panic!("{other:?}"),
    }
}

#[test]
fn a_setting_is_shown_where_it_is_written() {
    for (setting, expected) in [
        ("service.gpu", 11),
        ("service.env.A", 13),
        ("engine.args.max-num-seqs", 9),
        ("engine.args", 8),
        ("smoke.checks[1]", 19),
        ("latency.objectives.ttft-p95", 24),
        ("id", 6),
        ("region", 2),
        ("build.timeout", 27),
        // At the top of the file, for every model.
        ("service.memory", 4),
    ] {
        assert_eq!(line(0, &[setting]), Some(expected), "{setting}");
    }
}

#[test]
fn a_default_is_shown_on_the_section_around_it_or_on_the_model() {
    for (model, setting, expected) in [
        (0, "service.startup-timeout", Some(10)),
        (0, "engine.args.quantization", Some(8)),
        (0, "engine.max-model-len", Some(7)),
        (0, "image.base", Some(6)),
        (1, "service.startup-timeout", Some(3)),
        (1, "engine.max-model-len", Some(25)),
        (0, "build.disk-gb", Some(26)),
        (0, "preview.expires", Some(28)),
        (0, "schedule.on-failure", None),
    ] {
        assert_eq!(line(model, &[setting]), expected, "{model} {setting}");
    }
}

#[test]
fn what_is_written_goes_before_what_is_only_likelier() {
    assert_eq!(line(0, &["service.max-instances", "service.gpu"]), Some(11));
    assert_eq!(
        line(0, &["engine.max-num-seqs", "engine.args.max-num-seqs"]),
        Some(9)
    );
    assert_eq!(line(0, &[]), None);
}

#[test]
fn an_input_has_no_line_and_is_named() {
    assert_eq!(
        stand(0, &["region"], &[("region", "us-central1")]),
        Some(Stand::Input {
            setting: "region".to_owned(),
            input: "region".to_owned()
        })
    );
}

#[test]
fn a_previews_size_is_the_previews_setting() {
    let config = good(FILE, &[]);
    let places = config.models[0].places.clone();
    let line = |places: &Places, setting: &str| places.of(&[setting.to_owned()]);
    let at = |line| {
        Some(Stand::File {
            file: "infra/llm.yaml".to_owned(),
            line,
        })
    };
    let preview = places.named("infra/llm.yaml").of_a_preview();
    assert_eq!(line(&preview, "service.max-instances"), at(29));
    assert_eq!(line(&preview, "service.memory"), at(28));
    assert_eq!(line(&preview, "service.gpu"), at(11));
}

#[test]
fn without_a_file_there_is_no_line() {
    let given = [
        ("project", "acme-llm"),
        ("region", "europe-west4"),
        ("model", "Qwen/Qwen3-4B"),
    ];
    let config = resolve(None, &inputs(&given)).unwrap();
    let places = &config.models[0].places;
    assert_eq!(places.of(&["service.gpu".to_owned()]), None);
    assert_eq!(
        places.of(&["id".to_owned()]),
        Some(Stand::Input {
            setting: "id".to_owned(),
            input: "model".to_owned()
        })
    );
}
