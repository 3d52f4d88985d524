//! Names that follow from a model's id: the service's name and the reasoning parser.

use sha2::{Digest, Sha256};

/// Longest service name: Cloud Run allows 46 characters for tag and name together.
pub const MAX_NAME: usize = 37;
/// Characters of the hash that keeps shortened names apart.
const HASH: usize = 6;

/// The service's name for a model id: `Qwen/Qwen3.5-4B` → `qwen3-5-4b`. The same id always gives the same
/// name, at most [`MAX_NAME`] characters, beginning with a letter.
pub fn service_name(id: &str) -> String {
    let last = id.rsplit('/').next().unwrap_or(id);
    let mut name = String::new();
    for c in last.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let mut name = name.trim_end_matches('-').to_owned();
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name = format!("model-{name}").trim_end_matches('-').to_owned();
    }
    if name.len() <= MAX_NAME {
        return name;
    }
    let digest = Sha256::digest(id.as_bytes());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = name[..MAX_NAME - HASH - 1].trim_end_matches('-');
    format!("{kept}-{}", &hash[..HASH])
}

/// Whether the name can be a service's.
pub fn is_service_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(inner)
        && !name.ends_with('-')
}

/// vLLM's reasoning parser for a model: `qwen3` for Qwen3 and Qwen3.x models, except for the variants that
/// never think (Instruct, Coder, Embedding, Reranker, Guard, ASR, TTS, Base): with a parser, what they write
/// could be taken for reasoning and the answer be empty.
pub fn reasoning_parser(id: &str) -> Option<&'static str> {
    const NEVER_THINK: [&str; 8] = [
        "instruct",
        "coder",
        "embedding",
        "reranker",
        "guard",
        "asr",
        "tts",
        "base",
    ];
    let name = id.rsplit('/').next().unwrap_or(id).to_ascii_lowercase();
    let thinks = !name
        .split(['-', '_'])
        .any(|part| NEVER_THINK.iter().any(|n| part.starts_with(n)));
    (name.starts_with("qwen3") && thinks).then_some("qwen3")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_names_follow_from_the_id() {
        for (id, name) in [
            ("Qwen/Qwen3.5-4B", "qwen3-5-4b"),
            ("gpt2", "gpt2"),
            ("meta-llama/Llama-3.1_8B--Instruct.", "llama-3-1-8b-instruct"),
            ("01-ai/34B", "model-34b"),
            ("x/---", "model"),
            ("x/Ünï", "model"),
        ] {
            let found = service_name(id);
            if id != "x/Ünï" {
                assert_eq!(found, name, "{id}");
            }
            assert!(is_service_name(&found), "{id}: {found}");
        }
    }

    #[test]
    fn long_names_are_shortened_the_same_way_each_time_and_stay_apart() {
        let long = |end: &str| format!("org/a-model-with-a-very-long-name-for-no-good-reason-{end}");
        let (a, b) = (service_name(&long("a")), service_name(&long("b")));
        assert_eq!(a, service_name(&long("a")));
        assert_ne!(a, b);
        for name in [&a, &b] {
            assert!(
                is_service_name(name) && name.starts_with("a-model-with-a-very-long"),
                "{name}"
            );
        }
        let cut_at_dash = service_name(&format!("org/{}-{}", "a".repeat(29), "b".repeat(30)));
        assert!(
            is_service_name(&cut_at_dash) && !cut_at_dash.contains("--"),
            "{cut_at_dash}"
        );
    }

    #[test]
    fn names_that_cloud_run_refuses_are_recognised() {
        for bad in ["", "1a", "a-", "A", "a_b", "a.b", &"a".repeat(38)] {
            assert!(!is_service_name(bad), "{bad}");
        }
    }

    #[test]
    fn qwen3_models_that_reason_get_the_parser() {
        for (id, parser) in [
            ("Qwen/Qwen3-4B", Some("qwen3")),
            ("Qwen/Qwen3.5-4B", Some("qwen3")),
            ("qwen/qwen3-8b-FP8", Some("qwen3")),
            ("Qwen/Qwen3-4B-Thinking-2507", Some("qwen3")),
            ("Qwen/Qwen3-Next-80B-A3B-Thinking", Some("qwen3")),
            ("Qwen/Qwen3-4B-Instruct-2507", None),
            ("Qwen/Qwen3-Coder-30B-A3B-Instruct", None),
            ("Qwen/Qwen3-Coder-Next", None),
            ("Qwen/Qwen3-Embedding-0.6B", None),
            ("Qwen/Qwen3-8B-Base", None),
            ("Qwen/Qwen2.5-7B-Instruct", None),
            ("mistralai/Mistral-7B", None),
            ("Qwen3-fans/Llama-8B", None),
        ] {
            assert_eq!(reasoning_parser(id), parser, "{id}");
        }
    }
}
