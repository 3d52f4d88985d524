//! The inputs that override the file, and what each of them sets.

use serde_json::Value;
use serde_yaml::{Mapping, Value as Yaml};

use super::{
    check::{property, refusal, types},
    mistake::{Mistake, quoted},
    raw,
    tree::Scalar,
    values::Wrong,
};

/// Every input of the action, in its order: name, the key of the file that it sets (empty when it is no
/// setting), what it is for. `action.yml` and `--help` list the same.
const INPUTS: [(&str, &str, &str); 21] = [
    ("config", "", "Configuration file; `llm-deploy.yaml` by default"),
    ("command", "", "What to run; by default what the event calls for"),
    (
        "model",
        "model.id",
        "Model at Hugging Face, such as `Qwen/Qwen3.5-4B`",
    ),
    (
        "model-revision",
        "model.revision",
        "Branch, tag or commit of the model; `main` by default",
    ),
    (
        "name",
        "model.name",
        "Name of the Cloud Run service; by default made from the model's id",
    ),
    ("project", "project", "Google Cloud project id"),
    ("region", "region", "Region of Cloud Run and Artifact Registry"),
    (
        "workload-identity-provider",
        "",
        "Workload identity provider that GitHub's token is exchanged at",
    ),
    ("service-account", "", "Service account that deploys"),
    (
        "hf-token-secret",
        "image.hf-token-secret",
        "Secret in Secret Manager with the Hugging Face token, for gated models",
    ),
    ("gpu", "service.gpu", "Accelerator; `nvidia-l4` by default"),
    ("cpu", "service.cpu", "CPUs of an instance; 8 by default"),
    (
        "memory",
        "service.memory",
        "Memory of an instance; `32Gi` by default",
    ),
    (
        "max-model-len",
        "engine.max-model-len",
        "Longest prompt and answer together, in tokens; 4096 by default",
    ),
    (
        "min-instances",
        "service.min-instances",
        "Instances that are kept running; 0 by default",
    ),
    (
        "max-instances",
        "service.max-instances",
        "Instances that may run at once; 1 by default",
    ),
    ("access", "service.access", "`private` (the default) or `public`"),
    (
        "base-image",
        "image.base",
        "Image with vLLM that the weights are added to",
    ),
    ("github-token", "", "Token for the comment and the deployment"),
    (
        "webhook-url",
        "",
        "Secret URL for the messages of scheduled tests",
    ),
    ("report-dir", "", "Folder for the reports"),
];

/// Every input with what it sets, in the order of `action.yml`.
pub fn parse_input_names() -> &'static [(&'static str, &'static str)] {
    const NAMES: [(&str, &str); INPUTS.len()] = {
        let mut names = [("", ""); INPUTS.len()];
        let mut i = 0;
        while i < INPUTS.len() {
            names[i] = (INPUTS[i].0, INPUTS[i].2);
            i += 1;
        }
        names
    };
    &NAMES
}

/// The input that sets the key at this path of the file's top level (`service.cpu`).
pub fn input_for(path: &str) -> Option<&'static str> {
    INPUTS
        .iter()
        .find(|(_, key, _)| !key.is_empty() && *key == path)
        .map(|(name, ..)| *name)
}

/// The inputs as if they stood in a file of their own, beside those that can't be read. Empty ones count as
/// absent, those that are no settings are passed over.
pub fn read(inputs: &[(String, String)], schema: &Value) -> (raw::File, Vec<Mistake>) {
    let mut file = Mapping::new();
    let mut mistakes = Vec::new();
    for (name, path, _) in INPUTS.iter().filter(|(_, path, _)| !path.is_empty()) {
        let given = inputs
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.trim());
        let Some(text) = given.filter(|text| !text.is_empty()) else {
            continue;
        };
        match value(text, property(schema, path)) {
            Ok(value) => insert(&mut file, path, value),
            Err(wrong) => mistakes.push(mistake(name, wrong)),
        }
    }
    let overlay = serde_yaml::from_value(Yaml::Mapping(file)).unwrap_or_else(|error| {
        mistakes.push(Mistake::without_place(
            "",
            format!("the inputs can't be read: {error}"),
        ));
        raw::File::default()
    });
    (overlay, mistakes)
}

/// A mistake in an input, named.
pub fn mistake(input: &str, wrong: Wrong) -> Mistake {
    let mistake =
        Mistake::without_place(input, format!("input `{input}`: {}", wrong.message)).maybe_help(wrong.help);
    if wrong.secret { mistake.secret() } else { mistake }
}

fn value(text: &str, schema: &Value) -> Result<Yaml, Wrong> {
    let is_text = types(schema).contains(&"string");
    let scalar = Scalar {
        text: text.to_owned(),
        plain: !is_text,
    };
    let value = scalar.value();
    if !is_text && value.as_u64().is_none() {
        return Err(format!("expected a whole number, got {}", quoted(text)).into());
    }
    match refusal(&scalar, schema) {
        Some(wrong) => Err(wrong),
        None => Ok(value),
    }
}

/// Puts a value at a path of one or two keys.
fn insert(file: &mut Mapping, path: &str, value: Yaml) {
    match path.split_once('.') {
        None => drop(file.insert(path.into(), value)),
        Some((section, key)) => {
            let section = file
                .entry(section.into())
                .or_insert_with(|| Yaml::Mapping(Mapping::new()));
            if let Yaml::Mapping(section) = section {
                section.insert(key.into(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_sets_a_key_that_exists() {
        let schema = super::super::json_schema();
        for (name, path, _) in INPUTS.iter().filter(|(_, path, _)| !path.is_empty()) {
            assert!(!property(&schema, path).is_null(), "{name} sets {path}");
            assert_eq!(input_for(path), Some(*name));
        }
        assert_eq!(parse_input_names().len(), 21);
        assert_eq!(input_for(""), None);
    }

    #[test]
    fn empty_inputs_and_inputs_that_are_no_settings_are_passed_over() {
        let inputs = [
            ("cpu", ""),
            ("memory", "  "),
            ("command", "plan"),
            ("unknown", "x"),
        ];
        let inputs: Vec<_> = inputs.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let (file, mistakes) = read(&inputs, &super::super::json_schema());
        assert!(mistakes.is_empty() && file.service.is_none());
    }
}
