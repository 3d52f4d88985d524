//! The file of `bench --json`, and reading it back as a baseline.

use std::{borrow::Cow, io, path::Path};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    bench::result::{BenchResult, Distribution, Goodput, Level, LoadShape, SCHEMA_VERSION},
    file::open::{self, Reach},
    schema,
};

/// Where the schema is published.
const ID: &str = "https://raw.githubusercontent.com/org/llm-deploy-action/main/schema/bench.schema.json";
/// A result beyond this size is a mistake: even a sweep's is some megabytes.
const LARGEST: u64 = 256 << 20;

/// What `llm-deploy bench --json FILE` writes: the headline load's figures at the top, then the whole result with
/// every load in `levels`. Times are in milliseconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Result of llm-deploy bench")]
pub struct Document<'a> {
    #[serde(flatten)]
    headline: Headline,
    #[serde(flatten)]
    result: Cow<'a, BenchResult>,
}

/// The figures of the level that `headline` points at; null when there is none, or when it had no answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Headline {
    load: Option<LoadShape>,
    /// Requests in the figures, failed ones among them.
    requests: Option<u64>,
    errors: Option<u64>,
    /// Time to the first token of reasoning or content.
    ttft_ms: Option<Distribution>,
    /// Gap between consecutive chunks with text of a request.
    itl_ms: Option<Distribution>,
    /// Time per output token after the first, one mean a request.
    tpot_ms: Option<Distribution>,
    /// End to end, to the last byte of the stream.
    e2e_ms: Option<Distribution>,
    /// Open loop: from when a request was due to when it was sent.
    queue_ms: Option<Distribution>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    requests_per_second: Option<f64>,
    /// Output tokens of all requests per second of wall time.
    output_tokens_per_second: Option<f64>,
    /// Input and output tokens of all requests per second of wall time.
    total_tokens_per_second: Option<f64>,
    goodput: Option<Goodput>,
    /// Whether every objective of this load was met; null without objectives.
    objectives_met: Option<bool>,
}

impl Headline {
    fn of(level: &Level) -> Self {
        Self {
            load: Some(level.load),
            requests: Some(level.requests),
            errors: Some(level.errors),
            ttft_ms: level.ttft_ms,
            itl_ms: level.itl_ms,
            tpot_ms: level.tpot_ms,
            e2e_ms: level.e2e_ms,
            queue_ms: level.queue_ms,
            input_tokens: level.input_tokens,
            output_tokens: Some(level.output_tokens),
            requests_per_second: Some(level.requests_per_second),
            output_tokens_per_second: Some(level.output_tokens_per_second),
            total_tokens_per_second: level.total_tokens_per_second,
            goodput: level.goodput,
            objectives_met: level.objectives_met(),
        }
    }
}

impl<'a> Document<'a> {
    pub fn of(result: &'a BenchResult) -> Self {
        Self {
            headline: result.headline_level().map(Headline::of).unwrap_or_default(),
            result: Cow::Borrowed(result),
        }
    }
}

/// The whole file, one line.
///
/// # Errors
/// When a figure can't be written as JSON, which none of ours can't.
pub fn text(result: &BenchResult) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Document::of(result)).map(|text| text + "\n")
}

/// Reads what an earlier run wrote.
///
/// # Errors
/// For the user: the file can't be read, is no result, or is of a newer version.
pub async fn read(path: &Path, reach: &Reach) -> Result<BenchResult, String> {
    let failed = |e: io::Error| format!("could not read {}: {e}", path.display());
    let text = open::read_text(path, reach, LARGEST).await.map_err(failed)?;
    let parsed = open::away(move || parse(&text)).await.map_err(failed)?;
    parsed.map_err(|why| format!("{} {why}", path.display()))
}

/// Reads the text of such a file.
///
/// # Errors
/// To follow the file's name: `is no result of …`.
pub fn parse(text: &str) -> Result<BenchResult, String> {
    let no_result = |why: String| {
        format!("is no result of `llm-deploy bench --json`: {why}. Measure the baseline with `--json FILE`")
    };
    let value: Value = serde_json::from_str(text).map_err(|e| no_result(e.to_string()))?;
    let version = value.get("schema_version").and_then(Value::as_u64);
    let version = version.ok_or_else(|| no_result("it has no `schema_version`".to_owned()))?;
    if version > u64::from(SCHEMA_VERSION) {
        return Err(format!(
            "was written by a newer llm-deploy (schema_version {version}; this one reads up to {SCHEMA_VERSION}). \
             Update llm-deploy, or measure the baseline anew"
        ));
    }
    serde_json::from_value(value).map_err(|e| no_result(e.to_string()))
}

/// The JSON Schema (draft 2020-12) of the file. Committed as `schema/bench.schema.json`;
/// `llm-deploy schema bench > schema/bench.schema.json` writes it anew.
pub fn schema() -> Value {
    schema::written::<Document<'static>>(ID)
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};
    use serde_json::json;

    #[test]
    fn the_committed_schema_is_the_current_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/bench.schema.json");
        let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(
            committed == schema(),
            "schema/bench.schema.json is out of date: run `llm-deploy schema bench > schema/bench.schema.json`"
        );
    }

    #[test]
    fn every_result_is_valid_by_the_schema_which_is_valid_itself() {
        let schema = schema();
        jsonschema::meta::validate(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for (name, result) in samples::all() {
            let value: Value = serde_json::from_str(&text(&result).unwrap()).unwrap();
            let wrong: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        }
        assert!(!validator.is_valid(&json!({"schema_version": 1})));
    }

    #[test]
    fn the_headlines_figures_stand_at_the_top() {
        let result = samples::three_levels();
        let value: Value = serde_json::from_str(&text(&result).unwrap()).unwrap();
        let level = &value["levels"][value["headline"].as_u64().unwrap() as usize];
        for time in ["ttft_ms", "itl_ms", "tpot_ms", "e2e_ms"] {
            for percentile in ["p50", "p90", "p95", "p99"] {
                assert!(value[time][percentile].is_f64(), "{time}.{percentile}");
            }
            assert_eq!(value[time], level[time]);
        }
        assert_eq!(
            value["output_tokens_per_second"],
            level["output_tokens_per_second"]
        );
    }

    #[test]
    fn without_an_answer_the_objects_are_null() {
        for result in [samples::failures(), samples::nothing()] {
            let value: Value = serde_json::from_str(&text(&result).unwrap()).unwrap();
            for time in ["ttft_ms", "itl_ms", "tpot_ms", "e2e_ms"] {
                assert_eq!(value.get(time), Some(&Value::Null), "{time}");
            }
        }
    }

    #[test]
    fn what_was_written_is_read_back_the_same() {
        for (name, result) in samples::all() {
            let written = text(&result).unwrap();
            assert_eq!(text(&parse(&written).unwrap()).unwrap(), written, "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_no_baseline_is_refused_with_the_reason() {
        for (file, said) in [
            ("", "is no result"),
            ("[]", "no `schema_version`"),
            (r#"{"schema_version": 1}"#, "is no result"),
            (r#"{"schema_version": 2, "levels": {}}"#, "newer llm-deploy"),
        ] {
            let error = parse(file).unwrap_err();
            assert!(error.contains(said), "{file}: {error}");
        }
        for file in ["/dev/zero", "no/such/file.json"] {
            let error = read(Path::new(file), &Reach::Anywhere).await.unwrap_err();
            assert!(error.contains(file), "{error}");
        }
    }
}
