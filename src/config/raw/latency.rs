//! `latency` as written.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{DURATION, Text};
use crate::config::latency::Objective;

/// A time that is measured: finer than a duration.
const TIME: &str = r"^[0-9]+(\.[0-9]+)?(ms|s)$";
const NUMBER: &str = r"^[0-9]+(\.[0-9]+)?$";
const SHARE: &str = r"^[0-9]+(\.[0-9]+)?%?$";

/// The latency measurement after the smoke tests: which loads, how long, with which prompts, and what is
/// expected of the figures.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Latency {
    /// Requests at each load; 0 turns the measurement off.
    #[schemars(range(min = 0, max = 1_000_000), extend("default" = 20))]
    pub requests: Option<u32>,
    /// Measures each load for this long instead of for a number of requests.
    #[schemars(regex(pattern = DURATION))]
    pub duration: Option<String>,
    /// Closed loop: numbers of requests in flight at once, each measured on its own.
    #[schemars(length(min = 1, max = 10), inner(range(min = 1, max = 1000)), extend("default" = [1, 4]))]
    pub concurrency: Option<Vec<u32>>,
    /// Open loop: requests a second, whatever becomes of those before; each rate measured on its own. Without
    /// `concurrency` beside it, only the rates are measured.
    #[schemars(length(min = 1, max = 10), inner(range(min = 0.01, max = 10_000)))]
    pub rate: Option<Vec<f64>>,
    /// When the requests of an open loop are due: `poisson` as independent users come, or `constant`.
    #[schemars(extend("enum" = ["poisson", "constant"], "default" = "poisson"))]
    pub arrivals: Option<String>,
    /// The load grows to its full size over this time, which is in no figure.
    #[schemars(regex(pattern = DURATION), extend("default" = "0s"))]
    pub ramp_up: Option<String>,
    /// Requests before those that are measured, at each load.
    #[schemars(range(min = 0, max = 10_000), extend("default" = 0))]
    pub warm_up: Option<u32>,
    /// Makes prompts and arrivals the same in every run; drawn anew (and told) when absent.
    #[schemars(range(min = 0))]
    pub seed: Option<u64>,
    /// The prompt of every request.
    #[schemars(length(min = 1, max = 20000))]
    pub prompt: Option<String>,
    /// Prompts, sent in turn.
    #[schemars(length(min = 1, max = 1000), inner(length(min = 1, max = 20000)))]
    pub prompts: Option<Vec<String>>,
    /// Made-up prompts of so many tokens.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub input_tokens: Option<u32>,
    /// JSONL file in the repository with the prompts: lines with `prompt`, `messages` or ShareGPT's
    /// `conversations`.
    #[schemars(length(min = 1, max = 1000))]
    pub dataset: Option<String>,
    /// Output tokens asked of each request.
    #[schemars(range(min = 1, max = 100_000), extend("default" = 128))]
    pub output_tokens: Option<u32>,
    /// Older name of `output-tokens`.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_tokens: Option<u32>,
    /// `bust` makes each prompt begin unlike any other, so that no answer profits from one before; `keep` sends
    /// prompts as they are.
    #[schemars(extend("enum" = ["bust", "keep"], "default" = "bust"))]
    pub prefix_cache: Option<String>,
    /// Deadline of each request.
    #[schemars(regex(pattern = DURATION), extend("default" = "2m"))]
    pub timeout: Option<String>,
    pub objectives: Option<Objectives>,
    /// File in the repository that an earlier `bench --json` wrote, to compare with.
    #[schemars(length(min = 1, max = 1000))]
    pub baseline: Option<String>,
}

/// Figures that must not be missed, at every load: a missed one fails the run.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Objectives(pub IndexMap<String, Text>);

impl JsonSchema for Objectives {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Objectives".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let properties: serde_json::Map<String, Value> = Objective::keys()
            .into_iter()
            .map(|key| {
                let schema = objective(&key);
                (key, schema)
            })
            .collect();
        json_schema!({
            "description": "Figures that must not be missed, at every load: a missed one fails the run.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

fn objective(key: &str) -> Value {
    let share = |description: &str| {
        json!({
            "type": ["number", "string"],
            "description": description,
            "pattern": SHARE,
            "minimum": 0,
            "maximum": 1,
        })
    };
    match key {
        "goodput" => share("At least this share of the requests meets every time objective by itself."),
        "error-rate" => share("At most this share of the requests fails; without it, none may."),
        "output-tokens-per-second" => json!({
            "type": ["number", "string"],
            "description": "At least so many output tokens a second over all requests.",
            "pattern": NUMBER,
            "exclusiveMinimum": 0,
        }),
        time => json!({
            "type": "string",
            "description": format!("`{time}` is at most this, such as `800ms` or `1.5s`."),
            "pattern": TIME,
        }),
    }
}
