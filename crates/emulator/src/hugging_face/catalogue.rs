//! The repositories on the emulator's Hub.

use serde_json::json;
use sha2::{Digest as _, Sha256};

/// One repository.
pub struct Entry {
    pub id: &'static str,
    pub architecture: &'static str,
    pub model_type: &'static str,
    pub license: &'static str,
    /// How access is granted, when it has to be: `manual` or `auto`.
    pub gated: Option<&'static str>,
    pub private: bool,
    /// Weights' parameters.
    pub parameters: u64,
    /// `max_position_embeddings`.
    pub context: usize,
    pub layers: u32,
    pub hidden: u32,
    pub heads: u32,
    pub kv_heads: u32,
    pub vocabulary: u32,
    /// Bytes of the safetensors shards.
    shards: &'static [u64],
    /// Large files besides the shards that nobody needs for serving.
    extra: &'static [(&'static str, u64)],
}

/// The one tag that every repository has.
const TAG: &str = "v1.0";

const LLAMA_ORIGINAL: &[(&str, u64)] = &[
    ("original/consolidated.00.pth", 16_060_617_592),
    ("original/params.json", 199),
    ("original/tokenizer.model", 2_183_982),
];

const MODELS: &[Entry] = &[
    Entry {
        id: "Qwen/Qwen3.5-4B",
        architecture: "Qwen3_5ForConditionalGeneration",
        model_type: "qwen3_5",
        license: "apache-2.0",
        gated: None,
        private: false,
        parameters: 4_660_000_000,
        context: 262_144,
        layers: 32,
        hidden: 2560,
        heads: 16,
        kv_heads: 4,
        vocabulary: 248_320,
        shards: &[5_290_000_000, 4_030_000_000],
        extra: &[],
    },
    Entry {
        id: "Qwen/Qwen3-0.6B",
        architecture: "Qwen3ForCausalLM",
        model_type: "qwen3",
        license: "apache-2.0",
        gated: None,
        private: false,
        parameters: 751_632_384,
        context: 40_960,
        layers: 28,
        hidden: 1024,
        heads: 16,
        kv_heads: 8,
        vocabulary: 151_936,
        shards: &[1_503_300_328],
        extra: &[],
    },
    Entry {
        id: "Qwen/Qwen3-8B",
        architecture: "Qwen3ForCausalLM",
        model_type: "qwen3",
        license: "apache-2.0",
        gated: None,
        private: false,
        parameters: 8_190_735_360,
        context: 40_960,
        layers: 36,
        hidden: 4096,
        heads: 32,
        kv_heads: 8,
        vocabulary: 151_936,
        shards: &[
            3_996_250_744,
            3_993_160_032,
            3_959_604_768,
            3_187_841_392,
            1_244_659_840,
        ],
        extra: &[],
    },
    Entry {
        id: "Qwen/Qwen3-32B",
        architecture: "Qwen3ForCausalLM",
        model_type: "qwen3",
        license: "apache-2.0",
        gated: None,
        private: false,
        parameters: 32_762_123_264,
        context: 40_960,
        layers: 64,
        hidden: 5120,
        heads: 64,
        kv_heads: 8,
        vocabulary: 151_936,
        shards: &[
            3_957_900_840,
            3_963_750_816,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            3_963_750_880,
            2_098_195_456,
        ],
        extra: &[],
    },
    Entry {
        id: "google/gemma-3-4b-it",
        architecture: "Gemma3ForConditionalGeneration",
        model_type: "gemma3",
        license: "gemma",
        gated: Some("manual"),
        private: false,
        parameters: 4_300_079_472,
        context: 131_072,
        layers: 34,
        hidden: 2560,
        heads: 8,
        kv_heads: 4,
        vocabulary: 262_208,
        shards: &[4_961_251_752, 3_639_026_128],
        extra: &[("tokenizer.model", 4_689_074)],
    },
    Entry {
        id: "meta-llama/Llama-3.1-8B-Instruct",
        architecture: "LlamaForCausalLM",
        model_type: "llama",
        license: "llama3.1",
        gated: Some("manual"),
        private: false,
        parameters: 8_030_261_248,
        context: 131_072,
        layers: 32,
        hidden: 4096,
        heads: 32,
        kv_heads: 8,
        vocabulary: 128_256,
        shards: &[4_976_698_672, 4_999_802_720, 4_915_916_176, 1_168_138_808],
        extra: LLAMA_ORIGINAL,
    },
    Entry {
        id: "octo-org/private-llm",
        architecture: "Qwen3ForCausalLM",
        model_type: "qwen3",
        license: "other",
        gated: None,
        private: true,
        parameters: 751_632_384,
        context: 40_960,
        layers: 28,
        hidden: 1024,
        heads: 16,
        kv_heads: 8,
        vocabulary: 151_936,
        shards: &[1_503_300_328],
        extra: &[],
    },
    Entry {
        id: "octo-org/one-large-file",
        architecture: "Qwen3ForCausalLM",
        model_type: "qwen3",
        license: "other",
        gated: None,
        private: false,
        parameters: 7_250_000_000,
        context: 40_960,
        layers: 28,
        hidden: 1024,
        heads: 16,
        kv_heads: 8,
        vocabulary: 151_936,
        shards: &[14_500_000_000],
        extra: &[],
    },
];

/// The repository with exactly this id.
pub fn find(id: &str) -> Option<&'static Entry> {
    MODELS.iter().find(|entry| entry.id == id)
}

/// `digits` hexadecimal digits (64 at most) that are always the same for the same parts.
pub fn hex(parts: &[&str], digits: usize) -> String {
    let hash = Sha256::digest(parts.join("\0").as_bytes());
    hash.iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .chars()
        .take(digits)
        .collect()
}

/// Whether git holds a pointer only.
pub fn is_lfs(path: &str) -> bool {
    path == "tokenizer.json"
        || [".safetensors", ".bin", ".pth", ".model"]
            .iter()
            .any(|end| path.ends_with(end))
}

impl Entry {
    /// The commit that a branch, the tag or a full commit names.
    pub fn commit(&self, revision: &str) -> Option<String> {
        let (main, tag) = (hex(&[self.id, "main"], 40), hex(&[self.id, TAG], 40));
        match revision {
            "main" | "refs/heads/main" | "HEAD" => Some(main),
            TAG | "refs/tags/v1.0" => Some(tag),
            _ => [main, tag].into_iter().find(|known| known == revision),
        }
    }

    /// Path and bytes of every file, sorted by path as on the Hub.
    pub fn files(&self) -> Vec<(String, u64)> {
        let mut files: Vec<(String, u64)> = vec![
            (".gitattributes".to_owned(), 1570),
            ("README.md".to_owned(), 16_000),
            ("merges.txt".to_owned(), 1_671_853),
            ("tokenizer.json".to_owned(), 11_422_654),
        ];
        files.extend(
            self.extra
                .iter()
                .map(|(path, bytes)| ((*path).to_owned(), *bytes)),
        );
        let count = self.shards.len();
        for (index, bytes) in self.shards.iter().enumerate() {
            let path = if count == 1 {
                "model.safetensors".to_owned()
            } else {
                format!("model-{:05}-of-{count:05}.safetensors", index + 1)
            };
            files.push((path, *bytes));
        }
        for path in [
            "config.json",
            "generation_config.json",
            "tokenizer_config.json",
            "model.safetensors.index.json",
        ] {
            if let Some(content) = self.content(path) {
                files.push((path.to_owned(), content.len() as u64));
            }
        }
        files.sort();
        files
    }

    /// Text of the small JSON files.
    pub fn content(&self, path: &str) -> Option<String> {
        let value = match path {
            "config.json" => json!({
                "architectures": [self.architecture], "bos_token_id": 1, "eos_token_id": 2,
                "head_dim": 128, "hidden_act": "silu", "hidden_size": self.hidden,
                "intermediate_size": self.hidden * 3, "max_position_embeddings": self.context,
                "model_type": self.model_type, "num_attention_heads": self.heads,
                "num_hidden_layers": self.layers, "num_key_value_heads": self.kv_heads, "rms_norm_eps": 1e-6,
                "rope_theta": 1_000_000, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
                "transformers_version": "4.57.0", "vocab_size": self.vocabulary,
            }),
            "generation_config.json" => json!({
                "do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "transformers_version": "4.57.0",
            }),
            "tokenizer_config.json" => json!({
                "model_max_length": self.context, "eos_token": "<|im_end|>", "tokenizer_class": "Qwen2Tokenizer",
            }),
            "model.safetensors.index.json" if self.shards.len() > 1 => json!({
                "metadata": {"total_size": self.shards.iter().sum::<u64>()}, "weight_map": {},
            }),
            _ => return None,
        };
        serde_json::to_string_pretty(&value).ok()
    }
}
