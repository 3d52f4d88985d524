//! `preview.limits` as written.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::{DURATION, Text};
use crate::config::limits::ALLOWABLE;

/// What the previews of pull requests may cost. A pull request is held to the limits in the file of its base branch,
/// and of the default branch, not to those in its own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Accelerators that previews may have; by default those of this file's own models.
    #[schemars(
        length(min = 1, max = 10),
        extend("items" = {"type": "string", "enum": ["nvidia-l4", "nvidia-rtx-pro-6000", "nvidia-h100-80gb"]})
    )]
    pub gpus: Option<Vec<String>>,
    /// Most instances of each preview; by default this file's `preview.max-instances`.
    #[schemars(range(min = 1, max = 100))]
    pub max_instances: Option<u32>,
    /// Longest life of a preview, from `1h` to `30d`; by default this file's `preview.expires`.
    #[schemars(regex(pattern = DURATION))]
    pub expires: Option<String>,
    /// Models that previews may serve, by their ids at Hugging Face, such as `Qwen/*`; `*` stands for any text. By
    /// default any.
    #[schemars(length(min = 1, max = 100))]
    pub models: Option<Vec<String>>,
    /// US dollars an hour that all previews of one pull request may cost at list price, each at its most instances.
    /// By default no limit.
    #[schemars(range(min = 0.01, max = 100_000))]
    pub hourly_cost: Option<f64>,
    /// What previews may set besides what this file itself sets, by the setting.
    pub allow: Option<Allow>,
}

/// Setting to the values that are allowed; `*` stands for any text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Allow(pub IndexMap<String, Vec<Text>>);

impl JsonSchema for Allow {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Allow".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<Text>();
        let property = |meaning: &str| {
            let mut list = json_schema!({ "type": "array", "minItems": 1, "maxItems": 100, "items": text });
            list.insert("description".to_owned(), Value::from(meaning));
            list.to_value()
        };
        let properties: serde_json::Map<String, Value> = ALLOWABLE
            .iter()
            .map(|one| (one.key.to_owned(), property(one.meaning)))
            .collect();
        json_schema!({
            "type": "object",
            "description": "Setting to the values that are allowed; `*` stands for any text.",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}
