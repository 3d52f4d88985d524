//! What an unknown name was probably meant to be.

use indexmap::IndexMap;
use serde_json::Value;

use super::mistake::printable;

/// Names longer than this are no slip of the pen.
const MAX_NAME: usize = 64;

/// The nearest of `known`, when it is near: one slip for short names, a third of a long one's letters.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_NAME {
        return None;
    }
    let normal = |text: &str| text.to_lowercase().replace(['_', ' ', '.'], "-");
    let name = normal(name);
    let known: Vec<&str> = known.into_iter().collect();
    // `bfloat` is the beginning of `bfloat16`, `l4` the end of `nvidia-l4`.
    let part = |k: &&str| name.len() > 1 && (normal(k).starts_with(&name) || normal(k).ends_with(&name));
    let mut parts = known.iter().copied().filter(part);
    if let (Some(only), None) = (parts.next(), parts.next()) {
        return Some(only);
    }
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&name, &normal(k)), k))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// The keys of each section, by the section's path without a model's prefix (``, `engine`, `smoke.checks`).
pub struct Keys(IndexMap<String, Vec<String>>);

impl Keys {
    pub fn of(schema: &Value) -> Self {
        let mut keys = Self(IndexMap::new());
        keys.collect(schema, schema, "", 0);
        keys
    }

    fn collect(&mut self, root: &Value, schema: &Value, path: &str, depth: usize) {
        if depth > 8 {
            return;
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
            self.collect(root, &root["$defs"][name], path, depth + 1);
        }
        for branch in schema["anyOf"].as_array().into_iter().flatten() {
            self.collect(root, branch, path, depth + 1);
        }
        if !schema["items"].is_null() {
            self.collect(root, &schema["items"], path, depth + 1);
        }
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        self.0
            .insert(path.to_owned(), properties.keys().cloned().collect());
        for (key, property) in properties {
            self.collect(root, property, &super::check::join(path, key), depth + 1);
        }
    }

    /// What to say of the unknown `key` in the section at `path`: what goes on after its name, and the help.
    pub fn explain(&self, path: &str, key: &str) -> (String, Option<String>) {
        let section = without_indices(path);
        let known: Vec<&str> = self
            .0
            .get(&section)
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let place = if path.is_empty() {
            String::new()
        } else {
            format!(" in `{}`", printable(path, 100))
        };
        if let Some(near) = nearest(key, known.iter().copied()) {
            return (place, Some(format!("did you mean `{near}`?")));
        }
        if let Some(elsewhere) = self.elsewhere(&section, key) {
            return (
                place,
                Some(format!("`{}` belongs under `{elsewhere}`", printable(key, 60))),
            );
        }
        let help = if section.ends_with("engine") {
            "other flags of vLLM go under `engine.args`".to_owned()
        } else {
            format!(
                "the keys here are {}",
                super::check::one_of(&known).replace(" or ", " and ")
            )
        };
        (place, Some(help))
    }

    /// The section that has this very key. A model's own section is named when the key is inside one.
    fn elsewhere(&self, section: &str, key: &str) -> Option<&str> {
        let key = &key.replace('_', "-");
        let in_model = section.starts_with("model");
        if section.is_empty() && ["id", "name", "revision"].contains(&key.as_str()) {
            return Some("model");
        }
        self.0
            .iter()
            .filter(|(path, _)| {
                path.starts_with("model") == in_model && !path.starts_with("models") && !path.is_empty()
            })
            .find(|(_, keys)| keys.iter().any(|k| k == key))
            .map(|(path, _)| path.strip_prefix("model.").unwrap_or(path))
    }
}

fn without_indices(path: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_names_are_not() {
        let known = ["max-model-len", "dtype", "service", "cpu"];
        for (wrong, expected) in [
            ("max_model_len", Some("max-model-len")),
            ("maxModelLen", Some("max-model-len")),
            ("max-model-length", Some("max-model-len")),
            ("dtpye", Some("dtype")),
            ("servce", Some("service")),
            ("gpu", Some("cpu")),
            ("banana", None),
            ("model-len", Some("max-model-len")),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, known), expected, "{wrong}");
        }
        assert_eq!(nearest(&"a".repeat(1_000_000), known), None);
    }

    #[test]
    fn a_key_of_another_section_is_sent_there() {
        let keys = Keys::of(&super::super::json_schema());
        let help = |path: &str, key: &str| keys.explain(path, key).1.unwrap();
        assert_eq!(help("", "memory"), "`memory` belongs under `service`");
        assert_eq!(
            help("", "max-model-len"),
            "`max-model-len` belongs under `engine`"
        );
        assert_eq!(
            help("", "reasoning_parser"),
            "`reasoning_parser` belongs under `engine`"
        );
        assert_eq!(help("", "name"), "`name` belongs under `model`");
        assert_eq!(help("models[1]", "gpu"), "`gpu` belongs under `service`");
        assert_eq!(
            help("engine", "max-num-seqs"),
            "other flags of vLLM go under `engine.args`"
        );
        assert_eq!(
            help("models[0].engine", "quantization"),
            "other flags of vLLM go under `engine.args`"
        );
    }
}
