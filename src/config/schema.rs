//! The JSON Schema of `llm-deploy.yaml`, for editors and for the check of the file itself.

use serde_json::Value;

use super::raw;
use crate::schema;

/// Where editors find the schema.
const ID: &str = "https://raw.githubusercontent.com/org/llm-deploy-action/main/schema/llm-deploy.schema.json";

/// The JSON Schema (draft 2020-12) of the configuration file. Committed as `schema/llm-deploy.schema.json`;
/// `llm-deploy schema > schema/llm-deploy.schema.json` writes it anew.
pub fn json_schema() -> Value {
    schema::read::<raw::File>(ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_the_current_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/llm-deploy.schema.json");
        let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(
            committed == json_schema(),
            "schema/llm-deploy.schema.json is out of date: run `llm-deploy schema > schema/llm-deploy.schema.json`"
        );
    }

    #[test]
    fn the_schema_is_a_valid_one_of_its_draft() {
        let schema = json_schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        jsonschema::meta::validate(&schema).unwrap();
    }

    #[test]
    fn every_key_is_described() {
        let schema = json_schema();
        let mut objects = vec![&schema];
        objects.extend(schema["$defs"].as_object().unwrap().values());
        for object in objects {
            for (key, property) in object["properties"].as_object().into_iter().flatten() {
                let described =
                    property.get("description").is_some() || property.to_string().contains("$ref");
                assert!(
                    described || ["prompt", "max-tokens", "temperature"].contains(&key.as_str()),
                    "{key}"
                );
            }
        }
    }
}
