//! What the flags of `vllm serve` say, refused as vLLM does.

use std::collections::BTreeMap;

use super::{
    Refused, StandIn,
    command_line::{Given, argparse},
    flag_names::{DTYPES, REASONING_PARSERS},
};
use crate::hugging_face;

/// What the flags say, as far as the stand-in acts on them.
#[derive(Clone, Debug, PartialEq)]
pub struct Flags {
    /// Name or path of the model's files.
    pub root: String,
    pub served_names: Vec<String>,
    /// Tokens of prompt and answer together.
    pub max_model_len: usize,
    pub reasoning: bool,
    pub api_keys: Vec<String>,
    /// Requests that run at once; more of them wait.
    pub max_num_seqs: usize,
    /// `--enable-auto-tool-choice` together with `--tool-call-parser`.
    pub tools: bool,
    pub access_log: bool,
    pub chat_template_kwargs: serde_json::Value,
}

/// vLLM's default of `--max-num-seqs` for a server.
const MAX_NUM_SEQS: usize = 256;
/// Context length taken for a model that the emulator's hub doesn't know.
const UNKNOWN_CONTEXT: usize = 32_768;

/// # Errors
/// As vLLM would refuse: exit code 2 for argparse, 1 for the engine's configuration. `message` may have
/// several lines.
pub fn parse(stand_in: &StandIn) -> Result<Flags, Refused> {
    let given = Given::read(&stand_in.args)?;
    let root = given.model(&stand_in.env);
    let served_names = match given.values.get("served-model-name") {
        Some(names) if !names.is_empty() => names.clone(),
        _ => vec![root.clone()],
    };
    let reasoning = match given.last("reasoning-parser") {
        Some(name) if !name.is_empty() => {
            choice("reasoning-parser", name, REASONING_PARSERS).map_err(|_| {
                engine(format!(
                    "KeyError: 'invalid reasoning parser: {name} (chose from {{ {} }})'",
                    REASONING_PARSERS.join(",")
                ))
            })?;
            true
        }
        _ => false,
    };
    if let Some(dtype) = given.last("dtype") {
        choice("dtype", dtype, DTYPES)?;
    }
    check_gpu_memory(&given)?;
    Ok(Flags {
        max_model_len: max_model_len(&given, &stand_in.env, &root, &served_names)?,
        api_keys: api_keys(&given, &stand_in.env),
        max_num_seqs: positive(&given, "max-num-seqs", MAX_NUM_SEQS)?,
        tools: given.has("enable-auto-tool-choice") && given.last("tool-call-parser").is_some(),
        access_log: !given.has("disable-uvicorn-access-log"),
        chat_template_kwargs: given
            .last("default-chat-template-kwargs")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default(),
        root,
        served_names,
        reasoning,
    })
}

fn engine(message: String) -> Refused {
    Refused {
        exit_code: 1,
        message,
    }
}

fn choice(flag: &str, value: &str, allowed: &[&str]) -> Result<(), Refused> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let list: Vec<String> = allowed.iter().map(|name| format!("'{name}'")).collect();
    Err(argparse(&format!(
        "argument --{flag}: invalid choice: '{value}' (choose from {})",
        list.join(", ")
    )))
}

fn positive(given: &Given, flag: &str, default: usize) -> Result<usize, Refused> {
    let Some(text) = given.last(flag) else {
        return Ok(default);
    };
    match text.parse() {
        Ok(0) => Err(engine(format!(
            "1 validation error for SchedulerConfig\n{}\n  Input should be greater than or equal to 1 \
             [type=greater_than_equal, input_value=0, input_type=int]",
            flag.replace('-', "_")
        ))),
        Ok(number) => Ok(number),
        Err(_) => Err(argparse(&format!(
            "argument --{flag}: invalid int value: '{text}'"
        ))),
    }
}

fn check_gpu_memory(given: &Given) -> Result<(), Refused> {
    let Some(text) = given.last("gpu-memory-utilization") else {
        return Ok(());
    };
    let Ok(share) = text.parse::<f64>() else {
        return Err(argparse(&format!(
            "argument --gpu-memory-utilization: invalid float value: '{text}'"
        )));
    };
    let problem = if share > 1.0 {
        ("less than or equal to 1", "less_than_equal")
    } else if share <= 0.0 {
        ("greater than 0", "greater_than")
    } else {
        return Ok(());
    };
    Err(engine(format!(
        "1 validation error for CacheConfig\ngpu_memory_utilization\n  Input should be {} [type={}, \
         input_value={share}, input_type=float]",
        problem.0, problem.1
    )))
}

fn api_keys(given: &Given, env: &BTreeMap<String, String>) -> Vec<String> {
    match given.values.get("api-key") {
        Some(keys) => keys.iter().filter(|key| !key.is_empty()).cloned().collect(),
        None => env
            .get("VLLM_API_KEY")
            .filter(|key| !key.is_empty())
            .cloned()
            .into_iter()
            .collect(),
    }
}

fn max_model_len(
    given: &Given,
    env: &BTreeMap<String, String>,
    root: &str,
    names: &[String],
) -> Result<usize, Refused> {
    let limit = std::iter::once(root)
        .chain(names.iter().map(String::as_str))
        .find_map(hugging_face::context_length);
    let derived = limit.unwrap_or(UNKNOWN_CONTEXT);
    let Some(text) = given.last("max-model-len") else {
        return Ok(derived);
    };
    if text == "-1" || text == "auto" {
        return Ok(derived);
    }
    let Some(wanted) = human_readable(text) else {
        return Err(argparse(&format!(
            "argument --max-model-len: invalid human_readable_int_or_auto value: '{text}'"
        )));
    };
    if wanted == 0 {
        return Err(engine(
            "ValueError: max_model_len must be a positive integer, got 0.".to_owned(),
        ));
    }
    let overridden = env
        .get("VLLM_ALLOW_LONG_MAX_MODEL_LEN")
        .is_some_and(|value| value == "1");
    match limit {
        Some(limit) if wanted > limit && !overridden => Err(engine(too_long(wanted, limit))),
        _ => Ok(wanted),
    }
}

/// vLLM's refusal of a context that the model was not made for.
fn too_long(wanted: usize, limit: usize) -> String {
    format!(
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n  Value error, \
         User-specified max_model_len ({wanted}) is greater than the derived max_model_len \
         (max_position_embeddings={limit} or model_max_length=None in model's config.json). To allow overriding \
         this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1. VLLM_ALLOW_LONG_MAX_MODEL_LEN must be used \
         with extreme caution. If the model uses relative position encoding (RoPE), positions exceeding \
         derived_max_model_len lead to nan. If the model uses absolute position encoding, positions exceeding \
         derived_max_model_len will cause a CUDA array out-of-bounds error. [type=value_error, \
         input_value=ArgsKwargs((), {{...}}), input_type=ArgsKwargs]"
    )
}

/// vLLM's notation: `8192`, `8k` (thousands), `8K` (1024s), `1.5m`, `1M`.
fn human_readable(text: &str) -> Option<usize> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit)?;
    let factor = match unit {
        'k' => 1e3,
        'm' => 1e6,
        'g' => 1e9,
        'K' => 1024.0,
        'M' => 1024.0 * 1024.0,
        'G' => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    // Binary units take whole numbers only.
    if unit.is_ascii_uppercase() && number.parse::<usize>().is_err() {
        return None;
    }
    let value: f64 = number.parse().ok()?;
    (value >= 0.0 && value * factor < 1e15).then_some((value * factor) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Flags, Refused> {
        parse(&StandIn {
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            ..StandIn::default()
        })
    }

    #[test]
    fn flags_are_read_in_every_form_that_vllm_takes() {
        let flags = parsed(&[
            "serve",
            "/model",
            "--served-model-name",
            "a/b",
            "c",
            "--max_model_len=4K",
            "--reasoning-parser",
            "qwen3",
            "--api-key",
            "k1",
            "--hf-overrides.rope",
            "1",
            "--no-enable-prefix-caching",
            "-tp",
            "1",
        ])
        .unwrap();
        assert_eq!(flags.root, "/model");
        assert_eq!(flags.served_names, ["a/b", "c"]);
        assert_eq!(flags.max_model_len, 4096);
        assert!(flags.reasoning);
        assert_eq!(flags.api_keys, ["k1"]);
    }

    #[test]
    fn the_beginning_of_one_flag_is_that_flag_and_of_several_an_error() {
        let flags = parsed(&["/model", "--max-model-l=2048", "--api-k", "k1"]).unwrap();
        assert_eq!(flags.max_model_len, 2048);
        assert_eq!(flags.api_keys, ["k1"]);
        for begun in ["--mod", "--reasoning-p"] {
            let refused = parsed(&["/model", &format!("{begun}=x")]).unwrap_err();
            assert_eq!(refused.exit_code, 2);
            let said = format!("ambiguous option: {begun} could match");
            assert!(refused.message.contains(&said), "{}", refused.message);
        }
    }

    #[test]
    fn an_unknown_flag_is_an_argparse_error() {
        let refused = parsed(&["--model", "m", "--max-model-length", "4096"]).unwrap_err();
        assert_eq!(refused.exit_code, 2);
        assert!(
            refused
                .message
                .ends_with("vllm: error: unrecognized arguments: --max-model-length 4096")
        );
        assert_eq!(
            parsed(&["--model", "m", "--dtype", "int3"])
                .unwrap_err()
                .exit_code,
            2
        );
        assert!(
            parsed(&["--max-model-len"])
                .unwrap_err()
                .message
                .contains("expected one argument")
        );
    }

    #[test]
    fn a_context_longer_than_the_model_has_is_refused_unless_overridden() {
        let args = [
            "--served-model-name",
            "Qwen/Qwen3-0.6B",
            "--max-model-len",
            "50000",
        ];
        let refused = parsed(&args).unwrap_err();
        assert_eq!(refused.exit_code, 1);
        assert!(refused.message.contains("User-specified max_model_len (50000) is greater than the derived max_model_len (max_position_embeddings=40960"));
        let mut stand_in = StandIn {
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            ..StandIn::default()
        };
        stand_in
            .env
            .insert("VLLM_ALLOW_LONG_MAX_MODEL_LEN".to_owned(), "1".to_owned());
        assert_eq!(parse(&stand_in).unwrap().max_model_len, 50_000);
    }

    #[test]
    fn engine_limits_are_checked() {
        assert!(
            parsed(&["--gpu-memory-utilization", "1.2"])
                .unwrap_err()
                .message
                .contains("less than or equal to 1")
        );
        assert!(parsed(&["--max-num-seqs", "0"]).is_err());
        assert!(
            parsed(&["--reasoning-parser", "nonesuch"])
                .unwrap_err()
                .message
                .contains("invalid reasoning parser: nonesuch")
        );
    }
}
