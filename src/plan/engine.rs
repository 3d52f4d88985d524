//! vLLM's command line from the configuration. All of it is container arguments, none of it part of the image.

use serde_json::Value;

use crate::config::Model;

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
}
