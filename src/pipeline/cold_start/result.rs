//! Scale from zero: what was measured, and what it is made of.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema;

const ID: &str = "https://raw.githubusercontent.com/org/llm-deploy-action/main/schema/cold-start.schema.json";

/// Version of the result's shape; raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// What `bench cold-start --json FILE` writes. Times are in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ColdStart {
    pub schema_version: u32,
    /// Version of llm-deploy.
    pub tool_version: String,
    pub started_at: DateTime<Utc>,
    pub project: String,
    pub region: String,
    /// Cloud Run service.
    pub service: String,
    /// The one with most of the traffic.
    pub revision: String,
    pub model: String,
    pub rounds: Vec<Round>,
    /// Over the rounds that succeeded; `None` when none did.
    pub median: Option<Median>,
    /// US dollars for an hour of one instance, from list prices; `None` where they aren't known.
    pub hourly_cost_usd: Option<f64>,
}

/// The JSON Schema (draft 2020-12) of the file. Committed as `schema/cold-start.schema.json`;
/// `llm-deploy schema cold-start > schema/cold-start.schema.json` writes it anew.
pub fn schema() -> Value {
    schema::written::<ColdStart>(ID)
}

/// One start from zero.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Round {
    /// Why it is known that no instance was there.
    pub evidence: String,
    /// Seconds until that was known.
    pub waited: f64,
    /// When the request was sent, by this machine's clock.
    pub sent_at: DateTime<Utc>,
    /// Why there are no figures: the request failed. Hostile text.
    pub error: Option<String>,
    /// TCP connection to Google's front end, measured on one of its own; `None` when none could be made.
    pub connect_ms: Option<f64>,
    /// From the request to the answer's headers, the first token, the last byte.
    pub first_byte_ms: Option<f64>,
    pub first_token_ms: Option<f64>,
    pub end_ms: Option<f64>,
    /// Cloud Run's id of the instance that was started, where its log has it.
    pub instance: Option<String>,
    /// What the time to the first token is made of, in order, without gaps. Empty where the log says nothing.
    pub stages: Vec<Stage>,
    /// What the log did not say, and other qualifications.
    pub notes: Vec<String>,
}

/// The time between two moments that are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// Named for what ends it.
    pub name: Moment,
    pub since: Moment,
    pub ms: f64,
}

/// Moments of a cold start, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The front end got the request.
    Request,
    /// Cloud Run decided to start an instance.
    InstanceRequested,
    /// The container wrote its first line.
    ContainerStart,
    /// vLLM had the weights on the GPU.
    ModelLoad,
    /// vLLM said that it was ready: compilation, graphs and the KV cache are behind it.
    EngineInit,
    /// Cloud Run's startup probe succeeded.
    StartupProbe,
    /// The client had the first token.
    FirstToken,
}

impl Moment {
    /// The stage that it ends, for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::InstanceRequested => "scheduling",
            Self::ContainerStart => "container start",
            Self::ModelLoad => "model load",
            Self::EngineInit => "engine init",
            Self::StartupProbe => "startup probe",
            Self::FirstToken => "first token",
        }
    }
}

/// Medians over the rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Median {
    pub first_byte_ms: f64,
    pub first_token_ms: f64,
    pub end_ms: f64,
    /// Of each stage that every good round has, between the same moments.
    pub stages: Vec<Stage>,
}

/// The medians; a stage that is not the same in all good rounds has none.
pub fn median(rounds: &[Round]) -> Option<Median> {
    let good: Vec<&Round> = rounds.iter().filter(|r| r.error.is_none()).collect();
    let first = good.first()?;
    let of = |figure: &dyn Fn(&Round) -> Option<f64>| middle(good.iter().map(|r| figure(r)).collect());
    let stages = first.stages.iter().filter_map(|stage| {
        let same = |round: &Round| {
            let found = round
                .stages
                .iter()
                .find(|s| (s.name, s.since) == (stage.name, stage.since));
            found.map(|s| s.ms)
        };
        Some(Stage {
            ms: of(&same)?,
            ..stage.clone()
        })
    });
    Some(Median {
        first_byte_ms: of(&|r| r.first_byte_ms)?,
        first_token_ms: of(&|r| r.first_token_ms)?,
        end_ms: of(&|r| r.end_ms)?,
        stages: stages.collect(),
    })
}

/// `None` when one is missing.
fn middle(values: Option<Vec<f64>>) -> Option<f64> {
    let mut values = values?;
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(middle(Some(vec![3.0, 1.0, 2.0])), Some(2.0));
        assert_eq!(middle(Some(vec![4.0, 1.0, 2.0, 3.0])), Some(2.5));
        assert_eq!(middle(Some(Vec::new())), None);
        assert_eq!(
            middle([Some(1.0), None].into_iter().collect()),
            None,
            "one is missing"
        );
    }

    #[test]
    fn the_committed_schema_is_the_current_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/cold-start.schema.json");
        let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(
            committed == schema(),
            "out of date: run `llm-deploy schema cold-start > schema/cold-start.schema.json`"
        );
        jsonschema::meta::validate(&committed).unwrap();
    }
}
