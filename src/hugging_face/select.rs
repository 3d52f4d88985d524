//! Which of a model's files vLLM needs.

use super::{ModelFile, ModelFiles};

/// Formats of weights in the order in which vLLM's `--load-format auto` prefers them.
const FORMATS: [&str; 3] = [".safetensors", ".bin", ".pt"];
/// Leftovers of training in formats of weights.
const NO_WEIGHTS: [&str; 6] = [
    "training_args",
    "optimizer",
    "scheduler",
    "rng_state",
    "trainer_state",
    "random_states",
];
/// What else a model's folder may need: configuration, tokenizer, chat template, its own code.
const COMPANIONS: [&str; 8] = [
    ".json",
    ".txt",
    ".model",
    ".py",
    ".jinja",
    ".tiktoken",
    ".yaml",
    ".yml",
];

impl ModelFiles {
    /// Bytes that vLLM would load: safetensors if there are any, else `.bin`, else `.pt`; without duplicates
    /// such as `original/` or `consolidated*`.
    pub fn weights_bytes(&self) -> u64 {
        self.weights().iter().map(|f| f.bytes).sum()
    }

    /// The files to bake, sorted by path: weights and what belongs to them.
    pub fn wanted(&self) -> Vec<&ModelFile> {
        let weights = self.weights();
        let is_wanted = |f: &&ModelFile| is_companion(&f.path) || weights.iter().any(|w| w.path == f.path);
        self.files.iter().filter(is_wanted).collect()
    }

    fn weights(&self) -> Vec<&ModelFile> {
        let format = FORMATS
            .into_iter()
            .find(|format| self.files.iter().any(|f| is_weight(&f.path, format)));
        let Some(format) = format else { return Vec::new() };
        let all: Vec<&ModelFile> = self.files.iter().filter(|f| is_weight(&f.path, format)).collect();
        let (consolidated, rest): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|f| f.path.starts_with("consolidated"));
        if rest.iter().any(|f| !f.path.contains('/')) {
            rest
        } else {
            consolidated
        }
    }
}

/// Only the top level is loaded, and the modules of sentence-transformers (`2_Dense/model.safetensors`).
fn is_loaded_folder(path: &str) -> bool {
    match path.split_once('/') {
        None => true,
        Some((folder, rest)) => {
            !rest.contains('/') && folder.contains('_') && folder.starts_with(|c: char| c.is_ascii_digit())
        }
    }
}

fn is_weight(path: &str, format: &str) -> bool {
    path.ends_with(format) && is_loaded_folder(path) && !NO_WEIGHTS.iter().any(|n| path.contains(n))
}

fn is_companion(path: &str) -> bool {
    // A template folder is the one subfolder that tokenizers read.
    let place = is_loaded_folder(path) || path.starts_with("additional_chat_templates/");
    place && !path.starts_with('.') && COMPANIONS.iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(files: &[(&str, u64)]) -> ModelFiles {
        ModelFiles {
            id: "o/m".to_owned(),
            commit: "0".repeat(40),
            files: files
                .iter()
                .map(|(path, bytes)| ModelFile {
                    path: (*path).to_owned(),
                    bytes: *bytes,
                })
                .collect(),
            gated: false,
            architectures: Vec::new(),
            license: None,
        }
    }

    fn wanted(model: &ModelFiles) -> Vec<&str> {
        model.wanted().into_iter().map(|f| f.path.as_str()).collect()
    }

    #[test]
    fn safetensors_win_over_everything_else() {
        let model = model(&[
            (".gitattributes", 1),
            ("README.md", 1),
            ("config.json", 1),
            ("consolidated.00.pth", 90),
            ("model-00001-of-00002.safetensors", 10),
            ("model-00002-of-00002.safetensors", 5),
            ("model.safetensors.index.json", 1),
            ("onnx/model.onnx", 50),
            ("original/consolidated.safetensors", 70),
            ("pytorch_model.bin", 15),
            ("tokenizer.model", 1),
        ]);
        assert_eq!(model.weights_bytes(), 15);
        assert_eq!(
            wanted(&model),
            [
                "config.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "model.safetensors.index.json",
                "tokenizer.model"
            ]
        );
    }

    #[test]
    fn a_consolidated_duplicate_is_left_out_but_taken_when_it_is_all_there_is() {
        let both = model(&[
            ("consolidated.safetensors", 9),
            ("model.safetensors", 9),
            ("params.json", 1),
        ]);
        assert_eq!(wanted(&both), ["model.safetensors", "params.json"]);
        let alone = model(&[("consolidated.safetensors", 9), ("params.json", 1)]);
        assert_eq!(alone.weights_bytes(), 9);
    }

    #[test]
    fn old_models_have_bin_files() {
        let old = model(&[
            ("config.json", 1),
            ("optimizer.bin", 99),
            ("pytorch_model.bin", 7),
            ("training_args.bin", 1),
        ]);
        assert_eq!(old.weights_bytes(), 7);
        assert_eq!(wanted(&old), ["config.json", "pytorch_model.bin"]);
    }

    #[test]
    fn modules_and_templates_come_along() {
        let model = model(&[
            ("1_Pooling/config.json", 1),
            ("2_Dense/model.safetensors", 2),
            ("additional_chat_templates/tool_use.jinja", 1),
            ("checkpoint-5/model.safetensors", 50),
            ("model.safetensors", 8),
        ]);
        assert_eq!(model.weights_bytes(), 10);
        assert_eq!(wanted(&model).len(), 4);
    }
}
