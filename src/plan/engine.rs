//! vLLM's command line from the configuration. All of it is container arguments, none of it part of the image.

use serde_json::Value;

use crate::config::{
    Model, nearest,
    vllm_flags::{self, MANY, REASONING_PARSERS, SWITCHES, VALUED, VERSION},
};

/// The arguments that follow `vllm serve /model`; host and port are the entrypoint's.
pub fn arguments(model: &Model) -> Vec<String> {
    let engine = &model.engine;
    let mut out = vec![
        format!("--served-model-name={}", model.id),
        format!("--dtype={}", engine.dtype),
        format!("--gpu-memory-utilization={}", engine.gpu_memory_utilization),
        format!("--tensor-parallel-size={}", engine.tensor_parallel_size),
        format!("--max-model-len={}", engine.max_model_len),
    ];
    out.extend(
        engine
            .reasoning_parser
            .as_ref()
            .map(|parser| format!("--reasoning-parser={parser}")),
    );
    for (flag, value) in &engine.args {
        push_flag(&mut out, flag, value);
    }
    out
}

fn push_flag(out: &mut Vec<String>, flag: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(true) => out.push(format!("--{flag}")),
        Value::Bool(false) => out.push(format!("--no-{flag}")),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            out.push(format!("--{flag}"));
            out.extend(items.iter().map(scalar));
        }
        Value::Array(_) | Value::Object(_) => out.push(format!("--{flag}={value}")),
        other => out.push(format!("--{flag}={}", scalar(other))),
    }
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns a sentence for each of the user's flags that vLLM's command line would refuse. They are warnings, because the
/// base image may hold another version than the one whose flags are known here.
pub fn warnings(model: &Model) -> Vec<String> {
    let engine = &model.engine;
    let parser = engine.reasoning_parser.as_deref().and_then(unknown_parser);
    let flags = engine.args.iter().filter_map(|(flag, value)| {
        let why = refusal(flag, value)?;
        Some(format!("`engine.args.{flag}`: {why}"))
    });
    parser.into_iter().chain(flags).collect()
}

fn unknown_parser(name: &str) -> Option<String> {
    (!REASONING_PARSERS.contains(&name)).then(|| {
        format!(
            "`engine.reasoning-parser`: vLLM {VERSION} has no reasoning parser `{name}`{}",
            suggestion(name, REASONING_PARSERS)
        )
    })
}

/// Why vLLM would refuse the flag as [`push_flag`] writes it.
fn refusal(flag: &str, value: &Value) -> Option<String> {
    // `flag.key` sets one key of a flag's JSON value.
    let name = flag.split('.').next().unwrap_or(flag);
    let switch = name.strip_prefix("no-").unwrap_or(name);
    if SWITCHES.contains(&name) || SWITCHES.contains(&switch) {
        return (!value.is_boolean())
            .then(|| "vLLM takes no value for this flag: write `true` or `false`".to_owned());
    }
    if let Some(meant) = vllm_flags::abbreviated(name) {
        return Some(format!("write `{meant}` in full; vLLM takes `--{name}` for it"));
    }
    if !VALUED.contains(&name) {
        let known: Vec<&str> = VALUED.iter().chain(SWITCHES).copied().collect();
        return Some(format!(
            "vLLM {VERSION} has no flag `--{name}`{}. It ends at once when it does not know a flag",
            suggestion(name, &known)
        ));
    }
    match value {
        Value::Bool(_) => Some("vLLM wants a value for this flag, not `true` or `false`".to_owned()),
        Value::Array(items)
            if items.len() > 1 && !items.iter().any(Value::is_object) && !MANY.contains(&name) =>
        {
            Some("vLLM takes one value for this flag, not several".to_owned())
        }
        _ => None,
    }
}

fn suggestion(name: &str, known: &[&str]) -> String {
    nearest(name, known.iter().copied())
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use llm_deploy_emulator::endpoint::flag_names;
    use serde_json::json;

    use super::*;
    use crate::plan::testing::config;

    #[test]
    fn the_emulators_own_list_of_flags_is_the_same() {
        assert_eq!(VALUED, flag_names::VALUED);
        assert_eq!(MANY, flag_names::MANY);
        assert_eq!(SWITCHES, flag_names::SWITCHES);
        assert_eq!(REASONING_PARSERS, flag_names::REASONING_PARSERS);
    }

    #[test]
    fn a_flag_that_vllm_would_refuse_is_a_warning() {
        for (args, expected) in [
            ("max-num-sequences: 8", "has no flag `--max-num-sequences`"),
            ("max-num-seq: 8", "write `max-num-seqs` in full"),
            ("max-nun-seqs: 8", "did you mean `max-num-seqs`?"),
            ("max-num: 8", "has no flag `--max-num`"),
            ("enable-prefix: true", "write `enable-prefix-caching` in full"),
            (
                "speculative-c.method: ngram",
                "write `speculative-config` in full",
            ),
            ("enable-prefix-caching: 1", "takes no value"),
            ("no-enable-prefix-caching: 'yes'", "takes no value"),
            ("max-num-seqs: true", "wants a value"),
            ("max-num-seqs: [1, 2]", "takes one value"),
        ] {
            let model = &config(&format!("engine: {{ args: {{ {args} }} }}")).models[0];
            let found = warnings(model);
            assert!(
                found.len() == 1 && found[0].contains(expected),
                "{args}: {found:?}"
            );
        }
        let model = &config("engine: { reasoning-parser: qwen }").models[0];
        assert_eq!(warnings(model).len(), 1, "{:?}", warnings(model));
    }

    #[test]
    fn a_flag_that_vllm_takes_is_no_warning() {
        for args in [
            "max-num-seqs: 64",
            "enable-prefix-caching: true",
            "enable-prefix-caching: false",
            "no-enable-prefix-caching: true",
            "override-generation-config.temperature: 0.5",
            "speculative-config: { method: ngram }",
            "cudagraph-capture-sizes: [1, 2, 4]",
            "lora-modules: [{ name: a, path: b }]",
        ] {
            let model = &config(&format!("engine: {{ args: {{ {args} }} }}")).models[0];
            let found = warnings(model);
            assert!(found.is_empty(), "{args}: {found:?}");
        }
        assert!(warnings(&config("").models[0]).is_empty());
    }

    #[test]
    fn every_kind_of_flag_value_becomes_what_vllm_parses() {
        let cases = [
            (json!(true), vec!["--f"]),
            (json!(false), vec!["--no-f"]),
            (json!(8192), vec!["--f=8192"]),
            (json!(0.5), vec!["--f=0.5"]),
            (json!("fp8"), vec!["--f=fp8"]),
            (json!({"a": 1}), vec![r#"--f={"a":1}"#]),
            (json!([{"a": 1}]), vec![r#"--f=[{"a":1}]"#]),
            (json!(["x", 2]), vec!["--f", "x", "2"]),
            (json!(null), vec![]),
        ];
        for (value, expected) in cases {
            let mut out = Vec::new();
            push_flag(&mut out, "f", &value);
            assert_eq!(out, expected, "{value}");
        }
    }

    /// What one YAML reader takes for a number and another for text goes to vLLM as it is written.
    #[test]
    fn a_value_in_a_notation_that_readers_disagree_on_is_passed_as_it_is_checked() {
        for (yaml, expected) in [
            ("0x10", "0x10"),
            ("0o17", "0o17"),
            ("0b11", "0b11"),
            ("010", "010"),
            ("1_000", "1_000"),
            (".inf", ".inf"),
            ("-.inf", "-.inf"),
            (".nan", ".nan"),
            ("1e3", "1000.0"),
            ("1e10", "10000000000.0"),
            ("+4", "4"),
            ("8192", "8192"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            let model = &config(&format!("engine: {{ args: {{ max-num-seqs: {yaml} }} }}")).models[0];
            let last = arguments(model).pop();
            assert_eq!(last, Some(format!("--max-num-seqs={expected}")), "{yaml}");
        }
    }
}
