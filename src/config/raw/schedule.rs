//! `schedule` as written.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

/// What scheduled tests of production keep, and whom they tell when one fails.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Schedule {
    /// Who is told when production fails its scheduled test, and when it has recovered: `issue` keeps one issue
    /// for each service, `webhook` posts to the URL in LLM_DEPLOY_WEBHOOK_URL, a list does both, `none` does
    /// neither.
    #[schemars(extend("default" = "issue"))]
    pub on_failure: Option<OnFailure>,
    /// Results of each service that are kept in the build bucket, the latest ones.
    #[schemars(range(min = 10, max = 1000), extend("default" = 200))]
    pub history: Option<u32>,
}

/// One way or several.
#[derive(Clone, Debug)]
pub struct OnFailure(pub Vec<String>);

/// Not serde's `untagged`, which would buffer the value.
impl<'de> Deserialize<'de> for OnFailure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ways;
        impl<'de> Visitor<'de> for Ways {
            type Value = OnFailure;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<OnFailure, E> {
                Ok(OnFailure(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OnFailure, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(OnFailure(names))
            }
        }
        deserializer.deserialize_any(Ways)
    }
}

impl JsonSchema for OnFailure {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OnFailure".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string", "enum": ["issue", "webhook", "none"] },
                {
                    "type": "array",
                    "items": { "type": "string", "enum": ["issue", "webhook"] },
                    "minItems": 1,
                    "maxItems": 2,
                },
            ],
        })
    }
}
