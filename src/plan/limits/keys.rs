//! Every key of llm-deploy.yaml: whether a pull request may set it for its preview as it likes. Pure.
//!
//! A key that is missing here fails a test, so that each new one is classified.

/// What a pull request's preview may do with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It gives a preview no access, cost or lasting effect that its other settings don't.
    Harmless,
    /// A limit with this name under `preview.limits` holds.
    Limit(&'static str),
    /// The base branch's own value holds, and what `preview.limits.allow` lists besides.
    Allow,
    /// Its flags or variables are classified one by one.
    Each,
}

use Class::{Allow, Each, Harmless, Limit};

/// The keys as they stand at the top of the file; a model's own have the same class.
const KEYS: &[(&str, Class)] = &[
    ("project", Allow),
    ("region", Allow),
    ("model.id", Limit("models")),
    // The preview's own service, whose labels keep it apart from others.
    ("model.name", Harmless),
    // Data as the model itself; with `trust-remote-code` both have to be the base branch's.
    ("model.revision", Harmless),
    ("engine.dtype", Harmless),
    ("engine.gpu-memory-utilization", Harmless),
    ("engine.tensor-parallel-size", Harmless),
    ("engine.max-model-len", Harmless),
    ("engine.reasoning-parser", Harmless),
    ("engine.args", Each),
    ("service.gpu", Limit("gpus")),
    // A preview takes `preview.cpu`, `preview.memory`, `preview.max-instances` and no minimum.
    ("service.cpu", Harmless),
    ("service.memory", Harmless),
    ("service.min-instances", Harmless),
    ("service.max-instances", Harmless),
    ("service.port", Harmless),
    ("service.concurrency", Harmless),
    ("service.request-timeout", Harmless),
    ("service.startup-timeout", Harmless),
    ("service.access", Allow),
    ("service.service-account", Allow),
    ("service.zonal-redundancy", Allow),
    ("service.env", Each),
    ("service.secrets", Allow),
    ("image.base", Allow),
    ("image.hf-token-secret", Allow),
    // Sent to the preview's own endpoint.
    ("smoke.timeout", Harmless),
    ("smoke.prompt", Harmless),
    ("smoke.max-tokens", Harmless),
    ("smoke.checks", Harmless),
    // How long they keep an instance busy is limited together.
    ("latency.requests", Limit("allow.latency")),
    ("latency.duration", Limit("allow.latency")),
    ("latency.concurrency", Limit("allow.latency")),
    ("latency.rate", Limit("allow.latency")),
    ("latency.ramp-up", Limit("allow.latency")),
    ("latency.warm-up", Limit("allow.latency")),
    ("latency.output-tokens", Limit("allow.latency")),
    ("latency.max-tokens", Limit("allow.latency")),
    ("latency.timeout", Harmless),
    ("latency.arrivals", Harmless),
    ("latency.seed", Harmless),
    ("latency.prompt", Harmless),
    ("latency.prompts", Harmless),
    ("latency.input-tokens", Harmless),
    // Files of the checkout alone.
    ("latency.dataset", Harmless),
    ("latency.baseline", Harmless),
    ("latency.prefix-cache", Harmless),
    ("latency.objectives", Harmless),
    ("build.location", Allow),
    ("build.machine", Allow),
    ("build.disk-gb", Allow),
    ("build.timeout", Allow),
    ("build.service-account", Allow),
    ("build.bucket", Allow),
    ("build.logs", Harmless),
    ("build.repository", Allow),
    ("build.keep", Allow),
    ("build.delete-older-than", Allow),
    ("preview.cpu", Allow),
    ("preview.memory", Allow),
    ("preview.max-instances", Limit("max-instances")),
    ("preview.expires", Limit("expires")),
    // Read from the base branch only.
    ("preview.label", Harmless),
    ("preview.limits", Harmless),
    // Scheduled runs take the default branch's file.
    ("schedule", Harmless),
];

/// Flags of vLLM that only set speed, size or form of the answers. Every other one carries authority: it loads code or
/// files, opens connections, or is not known.
const HARMLESS_FLAGS: &[&str] = &[
    "async-scheduling",
    "attention-backend",
    "block-size",
    "chat-template-content-format",
    "cpu-offload-gb",
    "cudagraph-capture-sizes",
    "cudagraph-metrics",
    "data-parallel-size",
    "default-chat-template-kwargs",
    "disable-cascade-attn",
    "disable-chunked-mm-input",
    "disable-custom-all-reduce",
    "disable-hybrid-kv-cache-manager",
    "disable-log-stats",
    "disable-sliding-window",
    "disable-uvicorn-access-log",
    "enable-auto-tool-choice",
    "enable-chunked-prefill",
    "enable-expert-parallel",
    "enable-force-include-usage",
    "enable-logging-iteration-details",
    "enable-per-request-metrics",
    "enable-prefix-caching",
    "enable-prompt-tokens-details",
    "enable-request-id-headers",
    "enable-server-load-tracking",
    "enforce-eager",
    "exclude-tools-when-tool-choice-none",
    "kv-cache-dtype",
    "kv-cache-memory-bytes",
    "kv-cache-metrics",
    "kv-cache-metrics-sample",
    "language-model-only",
    "limit-mm-per-prompt",
    "logprobs-mode",
    "long-prefill-token-threshold",
    "mamba-block-size",
    "mamba-cache-dtype",
    "mamba-cache-mode",
    "mamba-ssm-cache-dtype",
    "max-cudagraph-capture-size",
    "max-log-len",
    "max-logprobs",
    "max-num-active-seqs",
    "max-num-batched-tokens",
    "max-num-queued-reqs",
    "max-num-queued-tokens",
    "max-num-scheduled-tokens",
    "max-num-seqs",
    "max-parallel-loading-workers",
    "mm-processor-cache-gb",
    "num-gpu-blocks-override",
    "optimization-level",
    "override-generation-config",
    "performance-mode",
    "pipeline-parallel-size",
    "prefix-caching-hash-algo",
    "quantization",
    "renderer-num-workers",
    "response-role",
    "return-tokens-as-token-ids",
    "runner",
    "safetensors-load-strategy",
    "scheduler-reserve-full-isl",
    "scheduling-policy",
    "seed",
    "skip-mm-profiling",
    "stream-interval",
    "tool-call-parser",
    "use-tqdm-on-load",
    "uvicorn-log-level",
];

/// Environment variables that only set speed or the log's detail.
const HARMLESS_VARIABLES: &[&str] = &[
    "OMP_NUM_THREADS",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TZ",
    "VLLM_ATTENTION_BACKEND",
    "VLLM_LOGGING_LEVEL",
    "VLLM_USE_V1",
];

/// Whether a limit holds for the key. A key that is not in the table is limited.
pub fn is_limited(key: &str) -> bool {
    KEYS.iter()
        .find(|(known, _)| *known == key)
        .map(|(_, class)| *class)
        != Some(Harmless)
}

/// Whether a flag of `engine.args` is harmless, whatever its value; a part after a dot sets a field of its value.
pub fn is_harmless_flag(name: &str) -> bool {
    let flag = name.split('.').next().unwrap_or_default();
    let flag = flag.strip_prefix("no-").unwrap_or(flag);
    HARMLESS_FLAGS.contains(&flag)
}

pub fn is_harmless_variable(name: &str) -> bool {
    HARMLESS_VARIABLES.contains(&name)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::config::{ALLOWABLE, json_schema};

    /// The properties below a schema's node, where it is a map with fixed keys.
    fn properties<'a>(root: &'a Value, node: &'a Value) -> Option<&'a serde_json::Map<String, Value>> {
        if let Some(path) = node["$ref"].as_str() {
            return properties(root, root.pointer(path.trim_start_matches('#')).unwrap());
        }
        let alternatives = ["anyOf", "oneOf"]
            .iter()
            .filter_map(|name| node[*name].as_array());
        let below = || alternatives.flatten().find_map(|one| properties(root, one));
        node["properties"].as_object().or_else(below)
    }

    /// Every key of the file, with those of a section one by one.
    fn all_keys() -> Vec<String> {
        let root = json_schema();
        let mut all = Vec::new();
        for (section, node) in properties(&root, &root).unwrap() {
            match section.as_str() {
                // The same as `model`.
                "models" => {}
                "schedule" => all.push(section.clone()),
                _ => match properties(&root, node) {
                    None => all.push(section.clone()),
                    Some(keys) => {
                        let own = keys.keys().filter(|key| {
                            // A model's own sections are those of the top.
                            section != "model"
                                || properties(&root, &root["properties"][key.as_str()]).is_none()
                        });
                        all.extend(own.map(|key| format!("{section}.{key}")));
                    }
                },
            }
        }
        all
    }

    #[test]
    fn every_key_of_the_file_is_classified_and_no_other() {
        let mut expected = all_keys();
        let mut found: Vec<String> = KEYS.iter().map(|(key, _)| (*key).to_owned()).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_limited_key_can_be_widened() {
        let root = json_schema();
        let preview = properties(&root, &root["properties"]["preview"]).unwrap();
        let limits = properties(&root, &preview["limits"]).unwrap();
        for (key, class) in KEYS {
            match class {
                Harmless => {}
                Limit(limit) => match limit.strip_prefix("allow.") {
                    Some(name) => assert!(ALLOWABLE.iter().any(|one| one.key == name), "{key}"),
                    None => assert!(limits.contains_key(*limit), "{key}"),
                },
                Allow | Each => assert!(ALLOWABLE.iter().any(|one| one.key == *key), "{key}"),
            }
        }
        for one in ALLOWABLE {
            let known = KEYS.iter().any(|(key, class)| match class {
                Limit(limit) => limit.strip_prefix("allow.") == Some(one.key),
                Harmless => false,
                Allow | Each => *key == one.key,
            });
            assert!(known, "{}", one.key);
        }
    }

    #[test]
    fn only_flags_that_are_known_to_be_harmless_are() {
        for name in [
            "max-num-seqs",
            "no-enable-prefix-caching",
            "override-generation-config.temperature",
        ] {
            assert!(is_harmless_flag(name), "{name}");
        }
        for name in [
            "trust-remote-code",
            "tokenizer",
            "speculative-config",
            "speculative-config.model",
            "middleware",
            "max-num-seq",
            "mode",
            "no-",
            "",
        ] {
            assert!(!is_harmless_flag(name), "{name}");
        }
        for flag in HARMLESS_FLAGS {
            let known = crate::config::vllm_flags::VALUED.contains(flag)
                || crate::config::vllm_flags::SWITCHES.contains(flag);
            assert!(known, "vLLM has no {flag}");
        }
        assert!(is_harmless_variable("TZ") && !is_harmless_variable("LD_PRELOAD"));
    }
}
