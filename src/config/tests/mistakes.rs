//! What a user with mistakes sees.

use super::*;

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
            "service: {min-instances: 2}",
            "`service.min-instances`: expected at most `max-instances`, which is 1",
        ),
        ("service: {request-timeout: 61m}", "from 1s to 1h"),
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
fn of_a_file_that_is_no_map_nothing_is_quoted() {
    for text in [
        "hunter2\n",
        "[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic hunter2\n",
        "machine github.com login x password hunter2\n",
        "PATH=/usr/bin\0TOKEN=hunter2\0",
        "root:x:0:0:hunter2:/root:/bin/bash\n",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nhunter2\n",
        "TOKEN=hunter2\nproject: my-project\n",
        "- hunter2\n",
        "*hunter2\n",
        "!hunter2 x\n",
        "%hunter2\n",
        "hunter2\n---\nproject: my-project\n",
    ] {
        let shown = bad(text, &[]);
        assert!(!shown.contains("hunter2"), "{text}: {shown}");
        assert!(shown.contains("\n1 mistake in"), "{text}: {shown}");
        assert!(shown.contains("expected a map of settings"), "{text}: {shown}");
        assert!(shown.contains(":1:1"), "{text}: {shown}");
    }
}

#[test]
fn of_json_and_of_a_map_without_a_key_of_ours_no_line_is_quoted() {
    for text in [
        r#"{"type": "service_account", "private_key": "hunter2"}"#,
        r#"{"project": "my-project", "private_key": "hunter2"}"#,
        "{\"project\": \"my-project\",\n \"key\": \"hunter2\",\n}x",
        "users:\n- token: hunter2\n",
        "password: hunter2\n",
        "password: 'hunter2\n",
        "{hunter2\n",
        "\"hunter2\": [\n",
    ] {
        let shown = bad(text, &[]);
        assert!(!shown.contains("hunter2"), "{text}: {shown}");
    }
    // A mistyped setting is shown with its line.
    let shown = bad("project: my-project\ncolour: x1\n", &[]);
    assert!(shown.contains("2 | colour: x1"), "{shown}");
}

#[test]
fn a_wrong_way_of_telling_is_named_with_those_that_there_are() {
    for (given, expected) in [
        ("on-failure: mail", "expected `issue`, `webhook` or `none`"),
        ("on-failure: [issue, none]", "expected `issue` or `webhook`"),
        ("on-failure: []", "expected 1 to 2 items"),
        ("on-failure: webhok", "did you mean `webhook`?"),
        ("history: 5", "from 10 to 1000"),
        ("webhook-url: https://hooks.slack.com/x", "unknown key"),
    ] {
        let said = bad(&format!("{LEAST}schedule: {{ {given} }}\n"), &[]);
        assert!(said.contains(expected), "{given}: {said}");
    }
}

#[test]
fn one_way_of_telling_or_several_can_be_named() {
    for (given, issue, webhook) in [
        ("issue", true, false),
        ("webhook", false, true),
        ("[webhook, issue]", true, true),
        ("none", false, false),
    ] {
        let config = good(&format!("{LEAST}schedule: {{ on-failure: {given} }}\n"), &[]);
        assert_eq!(
            config.schedule.on_failure,
            OnFailure { issue, webhook },
            "{given}"
        );
    }
}
