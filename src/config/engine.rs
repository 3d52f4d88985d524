//! vLLM's settings, and which of its flags can't be given.

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    Engine, defaults,
    layers::{Resolver, Section},
    mistake::quoted,
    names, raw,
    values::Wrong,
    vllm_flags::is_known,
};

/// Flags that are set elsewhere: name, where.
const SET_ELSEWHERE: [(&str, &str); 13] = [
    ("model", "give the model's id under `model`"),
    ("model-tag", "give the model's id under `model`"),
    ("served-model-name", "the endpoint serves the model under its id"),
    ("revision", "use `revision` of the model"),
    ("tokenizer-revision", "use `revision` of the model"),
    ("host", "the container has to listen on every interface"),
    ("port", "use `service.port`"),
    ("dtype", "use `engine.dtype`"),
    ("gpu-memory-utilization", "use `engine.gpu-memory-utilization`"),
    ("tensor-parallel-size", "use `engine.tensor-parallel-size`"),
    ("max-model-len", "use `engine.max-model-len`"),
    ("reasoning-parser", "use `engine.reasoning-parser`"),
    ("download-dir", "the weights are in the image"),
];

/// Flags that can't work behind Cloud Run, or with the container's command line.
const CANNOT_WORK: [(&str, &str); 7] = [
    ("uds", "Cloud Run reaches the container by TCP only"),
    ("headless", "a headless vLLM answers no requests"),
    ("ssl-keyfile", "Cloud Run ends TLS before the container"),
    ("ssl-certfile", "Cloud Run ends TLS before the container"),
    ("ssl-ca-certs", "Cloud Run ends TLS before the container"),
    (
        "config",
        "put the settings of that file under `engine.args`, where they are checked",
    ),
    ("help", "vLLM prints its help and ends"),
];

/// Flags whose value is a secret, in vLLM or in what is built on it.
const SECRET: [&str; 5] = ["api-key", "hf-token", "token", "password", "secret"];

/// Flags that split a model over GPUs.
const PARALLEL: [&str; 2] = ["pipeline-parallel-size", "data-parallel-size"];

const ONE_GPU: &str = "Cloud Run has one GPU per instance, so only 1 works";

/// Resolves the engine's settings for the model `id`.
pub fn resolve(resolver: &mut Resolver, section: &Section<'_, raw::Engine>, id: &str) -> Engine {
    let dtype = resolver.plain(section, "dtype", |e| e.dtype.clone());
    let utilization = resolver.plain(section, "gpu-memory-utilization", |e| e.gpu_memory_utilization);
    let tensor_parallel = resolver.take(
        section,
        "tensor-parallel-size",
        |e| e.tensor_parallel_size,
        |size| {
            if size == 1 {
                Ok(size)
            } else {
                Err(one_gpu(&size.to_string()))
            }
        },
    );
    let max_model_len = resolver.plain(section, "max-model-len", |e| e.max_model_len);
    let parser = resolver.take(
        section,
        "reasoning-parser",
        |e| e.reasoning_parser.clone(),
        |name| parser(&name),
    );
    Engine {
        dtype: dtype.unwrap_or_else(|| defaults::DTYPE.to_owned()),
        gpu_memory_utilization: utilization.unwrap_or(defaults::GPU_MEMORY_UTILIZATION),
        tensor_parallel_size: tensor_parallel.unwrap_or(defaults::TENSOR_PARALLEL_SIZE),
        max_model_len: max_model_len.unwrap_or(defaults::MAX_MODEL_LEN),
        reasoning_parser: parser.unwrap_or_else(|| names::reasoning_parser(id).map(str::to_owned)),
        args: args(resolver, section),
    }
}

fn one_gpu(got: &str) -> Wrong {
    Wrong::from(format!("{ONE_GPU}, got {}", quoted(got)))
        .help("for a larger model take a larger GPU (`service.gpu: nvidia-rtx-pro-6000`) or a quantised one")
}

fn parser(name: &str) -> Result<Option<String>, Wrong> {
    let word = !name.is_empty()
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    match name {
        "none" => Ok(None),
        _ if word && !name.starts_with('-') => Ok(Some(name.to_owned())),
        _ => Err(format!(
            "expected a parser of vLLM such as `qwen3`, or `none`, got {}",
            quoted(name)
        )
        .into()),
    }
}

/// The flags of all layers; a model's own win over the file's top level.
fn args(resolver: &mut Resolver, section: &Section<'_, raw::Engine>) -> IndexMap<String, Value> {
    let mut all = IndexMap::new();
    for (at, layer) in section.layers.iter().rev() {
        for (name, value) in layer.args.iter().flatten() {
            let target = format!("{}.args.{name}", section.target);
            resolver.found(&target, at, &format!("args.{name}"));
            match check_arg(name, value) {
                Ok(()) => drop(all.insert(name.clone(), value.clone())),
                Err(wrong) => resolver.blame(&target, wrong),
            }
        }
    }
    all
}

/// Whether a flag may be given in `engine.args`.
fn check_arg(name: &str, value: &Value) -> Result<(), Wrong> {
    let plain = name.trim_start_matches('-').replace('_', "-").to_lowercase();
    let positive = plain.strip_prefix("no-").unwrap_or(&plain);
    // `flag.key` sets one key of a flag's JSON value: it is the same flag.
    let flag = positive.split('.').next().unwrap_or(positive);
    check_use(flag, value)?;
    if !is_flag(name) {
        let wrong = Wrong::from(format!(
            "expected a flag's name such as `max-num-seqs`, got {}",
            quoted(name)
        ));
        return Err(if is_flag(&plain) {
            wrong.help(format!("write `{plain}`"))
        } else {
            wrong
        });
    }
    check_value(value)
}

/// Whether the flag itself may be given, or what vLLM could take it for.
fn check_use(flag: &str, value: &Value) -> Result<(), Wrong> {
    if meant(flag, SECRET).is_some() {
        return Err(Wrong::from("a secret can't be an argument: arguments are shown in the console and in logs")
            .help("store it in Secret Manager and name it under `service.secrets`, such as `VLLM_API_KEY: vllm-api-key`")
            .secret());
    }
    if let Some(set) = meant(flag, SET_ELSEWHERE.map(|(name, _)| name)) {
        let why = SET_ELSEWHERE.iter().find(|(name, _)| *name == set);
        let wrong = Wrong::from(format!(
            "llm-deploy sets `--{set}` itself{}",
            short_for(flag, set)
        ));
        return Err(wrong.help(why.map_or("", |(_, why)| *why)));
    }
    if let Some(broken) = meant(flag, CANNOT_WORK.map(|(name, _)| name)) {
        let why = CANNOT_WORK.iter().find(|(name, _)| *name == broken);
        return Err(Wrong::from(format!(
            "`--{broken}` can't be used: {}{}",
            why.map_or("", |(_, why)| *why),
            short_for(flag, broken)
        )));
    }
    match meant(flag, PARALLEL) {
        Some(full) if full != flag => Err(Wrong::from(format!(
            "expected a whole flag's name such as `{full}`, got {}",
            quoted(flag)
        ))),
        Some(_) if value.as_u64() != Some(1) => Err(one_gpu(&short(value))),
        _ => Ok(()),
    }
}

/// The one of `flags` that vLLM could take this for: itself, or one that it begins, because argparse takes the beginning
/// of a name for the flag.
fn meant<const N: usize>(flag: &str, flags: [&'static str; N]) -> Option<&'static str> {
    if let Some(same) = flags.iter().find(|name| **name == flag) {
        return Some(same);
    }
    let is_beginning = |name: &&&str| !flag.is_empty() && name.starts_with(flag) && !is_known(flag);
    flags.iter().find(is_beginning).copied()
}

fn short_for(flag: &str, full: &str) -> String {
    if flag == full {
        String::new()
    } else {
        format!(", and vLLM could take `--{flag}` for it")
    }
}

fn is_flag(name: &str) -> bool {
    let (flag, path) = name.split_once('.').unwrap_or((name, ""));
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 100
        && flag.starts_with(|c: char| c.is_ascii_lowercase())
        && flag.chars().all(inner)
        && !flag.ends_with('-')
        && path
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn check_value(value: &Value) -> Result<(), Wrong> {
    let scalar = |v: &Value| v.is_string() || v.is_number() || v.is_boolean();
    match value {
        Value::Null => Err(Wrong::from("expected a value").help("write `true` for a flag without one")),
        Value::Array(items) if items.is_empty() => Err("expected at least one value".into()),
        Value::Array(items) if !items.iter().all(scalar) && !items.iter().all(Value::is_object) => {
            Err("expected a list of scalars or a list of maps".into())
        }
        Value::Array(items) if items.iter().any(starts_with_dash) => {
            Err("a value in a list can't begin with `-`: vLLM would take it for a flag".into())
        }
        Value::String(text) if text.contains('\0') => Err("the value holds a NUL character".into()),
        _ => Ok(()),
    }
}

fn starts_with_dash(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('-'))
}

fn short(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::vllm_flags::{SWITCHES, VALUED};

    #[test]
    fn any_other_flag_of_vllm_can_be_given() {
        for (name, value) in [
            ("max-num-batched-tokens", json!(8192)),
            ("max-num-seqs", json!(64)),
            ("enable-chunked-prefill", json!(true)),
            ("enable-prefix-caching", json!(false)),
            ("data-parallel-size", json!(1)),
            ("pipeline-parallel-size", json!(1)),
            ("speculative-config", json!({"method": "ngram"})),
            ("lora-modules", json!([{"name": "a", "path": "b"}])),
            ("allowed-origins", json!(["*"])),
            ("override-generation-config.temperature", json!(0.5)),
            ("quantization", json!("fp8")),
        ] {
            assert_eq!(check_arg(name, &value), Ok(()), "{name}");
        }
    }

    #[test]
    fn flags_that_are_set_elsewhere_name_their_key() {
        for (name, expected) in [
            ("port", "`service.port`"),
            ("dtype", "`engine.dtype`"),
            ("max_model_len", "`engine.max-model-len`"),
            ("--model", "`model`"),
            ("revision", "`revision`"),
            ("served-model-name", "its id"),
        ] {
            let wrong = check_arg(name, &json!("x")).unwrap_err();
            assert!(
                wrong.help.as_ref().unwrap().contains(expected),
                "{name}: {wrong:?}"
            );
        }
    }

    #[test]
    fn the_beginning_of_a_flag_is_the_flag() {
        for (name, expected) in [
            ("por", "`--port`"),
            ("p", ""),
            ("hos", "`--host`"),
            ("HOS", "`--host`"),
            ("no-hos", "`--host`"),
            ("mode", "`--model`"),
            ("model.x", "`--model`"),
            ("served-model", "`--served-model-name`"),
            ("served_mod", "`--served-model-name`"),
            ("rev", "`--revision`"),
            ("tokenizer-rev", "`--tokenizer-revision`"),
            ("tokenizer-revision.x", "`--tokenizer-revision`"),
            ("download", "`--download-dir`"),
            ("gpu-mem", "`--gpu-memory-utilization`"),
            ("max-model", "`--max-model-len`"),
            ("max-model-le.x", "`--max-model-len`"),
            ("ud", "`--uds`"),
            ("headl", "`--headless`"),
            ("ssl-key", "`--ssl-keyfile`"),
            ("ssl-ca", "`--ssl-ca-certs`"),
            ("hel", "`--help`"),
            ("conf", "`--config`"),
            ("data-parallel", "`data-parallel-size`"),
            ("pipeline-par", "`pipeline-parallel-size`"),
        ] {
            let wrong = check_arg(name, &json!(1)).unwrap_err();
            assert!(wrong.message.contains(expected), "{name}: {wrong:?}");
        }
    }

    /// A whole name stays usable, also where a flag that can't be given begins with it.
    #[test]
    fn a_flag_of_vllm_is_refused_by_its_own_name_only() {
        let refused: Vec<&str> = SET_ELSEWHERE
            .iter()
            .chain(&CANNOT_WORK)
            .map(|(name, _)| *name)
            .chain(SECRET)
            .collect();
        for flag in VALUED.iter().chain(SWITCHES) {
            assert_eq!(
                check_arg(flag, &json!(1)).is_err(),
                refused.contains(flag),
                "{flag}"
            );
        }
    }

    #[test]
    fn secrets_are_sent_to_secret_manager_without_being_shown() {
        for name in [
            "api-key",
            "api_key",
            "api-k",
            "ap",
            "hf-token",
            "hf_token",
            "hf-t",
            "pass",
            "api-key.x",
        ] {
            let wrong = check_arg(name, &json!("s3cret")).unwrap_err();
            assert!(
                wrong.secret && wrong.help.as_ref().unwrap().contains("VLLM_API_KEY"),
                "{name}"
            );
            assert!(!format!("{wrong:?}").contains("s3cret"));
        }
    }

    #[test]
    fn flags_that_cannot_work_say_why() {
        for (name, value, expected) in [
            ("data-parallel-size", json!(2), "one GPU"),
            ("pipeline-parallel-size", json!("2"), "one GPU"),
            ("uds", json!("/x"), "TCP"),
            ("ssl-keyfile", json!("/x"), "TLS"),
            ("Max Seqs", json!(1), "flag's name"),
            ("max_num_seqs", json!(1), "flag's name"),
            ("x", Value::Null, "expected a value"),
            ("x", json!([]), "at least one"),
            ("x", json!([1, {}]), "list of scalars"),
            ("x", json!(["--port", "1"]), "begin with `-`"),
        ] {
            let wrong = check_arg(name, &value).unwrap_err();
            assert!(wrong.message.contains(expected), "{name}: {wrong:?}");
        }
    }
}
