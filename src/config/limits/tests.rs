use super::*;

fn of(text: &str) -> Result<Allowance, Mistakes> {
    base_file(Source {
        name: "main:llm-deploy.yaml",
        text,
    })
    .map(|base| base.allowance)
}

#[test]
fn a_pattern_is_the_whole_id_with_any_text_for_each_star() {
    for (pattern, id, expected) in [
        ("Qwen/*", "Qwen/Qwen3.5-4B", true),
        ("Qwen/*", "Qwenta/Qwen3.5-4B", false),
        ("Qwen/*", "evil/Qwen/x", false),
        ("Qwen/*", "qwen/Qwen3.5-4B", false),
        ("*", "anything/at-all", true),
        ("Qwen/Qwen3.5-4B", "Qwen/Qwen3.5-4B", true),
        ("Qwen/Qwen3.5-4B", "Qwen/Qwen3.5-4B-AWQ", false),
        ("*/*-4B", "Qwen/Qwen3.5-4B", true),
        ("*/*-4B", "Qwen/Qwen3.5-4B-AWQ", false),
        ("Qwen/*4B*4B", "Qwen/4B", false),
        ("Qwen/*4B*4B", "Qwen/4B-4B-4B", true),
        ("a*a", "a", false),
        ("**", "", true),
        ("Qwen3", "Qwen3", true),
    ] {
        assert_eq!(
            Pattern(pattern.to_owned()).matches(id),
            expected,
            "{pattern} {id}"
        );
    }
}

#[test]
fn a_branch_without_a_file_allows_what_an_empty_file_does() {
    assert_eq!(of("").unwrap(), Allowance::default());
    assert_eq!(of("# nothing yet\n").unwrap(), Allowance::default());
    let least = "project: acme-llm\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n";
    assert_eq!(of(least).unwrap(), Allowance::default());
}

#[test]
fn what_is_not_written_is_what_the_branchs_own_previews_take() {
    let text = "
service: {gpu: nvidia-rtx-pro-6000}
models:
  - a/one
  - {id: a/two, service: {gpu: nvidia-l4}}
  - a/three
preview: {max-instances: 2, expires: 24h}
";
    let found = of(text).unwrap();
    assert_eq!(found.gpus, ["nvidia-rtx-pro-6000", "nvidia-l4"]);
    assert_eq!((found.max_instances, found.expires), (2, 24 * HOUR));
    assert_eq!((found.models, found.hourly_cost, found.label), (None, None, None));
}

#[test]
fn what_is_written_counts_instead() {
    let text = "
model: {id: a/one, service: {gpu: nvidia-rtx-pro-6000}}
preview:
  label: deploy-preview
  max-instances: 3
  limits: {gpus: [nvidia-l4], max-instances: 1, expires: 2h, models: ['Qwen/*'], hourly-cost: 2.5}
";
    let found = of(text).unwrap();
    let expected = Allowance {
        label: Some("deploy-preview".to_owned()),
        gpus: vec!["nvidia-l4".to_owned()],
        max_instances: 1,
        expires: 2 * HOUR,
        models: Some(vec![Pattern("Qwen/*".to_owned())]),
        hourly_cost: Some(2.5),
    };
    assert_eq!(found, expected);
}

#[test]
fn a_file_with_a_mistake_anywhere_allows_nothing() {
    for (text, words) in [
        ("preview: {limit: {gpus: [nvidia-l4]}}", "unknown key `limit`"),
        ("preview: {limits: {gpu: [nvidia-l4]}}", "did you mean `gpus`"),
        (
            "preview: {limits: {gpus: [nvidia-l5]}}",
            "did you mean `nvidia-l4`",
        ),
        ("preview: {limits: {gpus: []}}", "1 to 10 items"),
        ("preview: {limits: {max-instances: 0}}", "from 1 to 100"),
        ("preview: {limits: {expires: 60d}}", "1h to 30d"),
        ("preview: {limits: {models: ['Qwen /x']}}", "any text"),
        ("preview: {limits: {hourly-cost: $2}}", "a number"),
        ("preview: {label: ''}", "1 to 50"),
        (
            "preview: {limits: {allow: {service.acces: [public]}}}",
            "unknown key `service.acces`",
        ),
        (
            "preview: {limits: {allow: {build.timeout: [soon]}}}",
            "expected an amount",
        ),
        (
            "preview: {limits: {allow: {service.access: public}}}",
            "expected a list",
        ),
        ("latency: {request: 5}", "unknown key `request`"),
        ("preview: {", "not valid YAML"),
        ("preview: {}\n---\npreview: {}", "document"),
    ] {
        let said = of(text).unwrap_err().to_string();
        assert!(said.contains(words), "{text}: {said}");
    }
}
