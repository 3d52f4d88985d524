//! The action's outputs.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::escape::line;
use super::{Failure, ModelReport, Report, words};
use crate::bench::result::{Distribution, Level};

/// Name and value of every output, all always present; what was not reached is empty. The single values
/// are the first model's, latency at the lowest concurrency that was measured; `tokens-per-second` is the
/// median of one request. `models` holds all of them as a JSON array.
pub fn outputs(report: &Report) -> Vec<(String, String)> {
    let first = report.models.first();
    let mut pairs = vec![("status".to_owned(), words::status(report.status).to_owned())];
    pairs.push(("cause".to_owned(), cause(report)));
    let values = fields(first);
    pairs.extend(values.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let models: Vec<Value> = report.models.iter().map(as_json).collect();
    pairs.push(("models".to_owned(), Value::Array(models).to_string()));
    pairs
}

/// What failed first, in one line: `build: build 5f… failed`.
fn cause(report: &Report) -> String {
    let mut of_models = report.models.iter().filter_map(|m| m.failure.as_ref());
    let first = report.failure.as_ref().or_else(|| of_models.next());
    first.map(told).unwrap_or_default()
}

fn told(failure: &Failure) -> String {
    line(&format!("{}: {}", failure.stage, failure.title))
}

fn time(when: DateTime<Utc>) -> String {
    when.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn fields(model: Option<&ModelReport>) -> Vec<(&'static str, String)> {
    let text =
        |get: fn(&ModelReport) -> Option<&String>| model.and_then(get).map(|t| line(t)).unwrap_or_default();
    let latency = model.and_then(|m| {
        m.latency
            .iter()
            .min_by_key(|l| l.concurrency().unwrap_or(u32::MAX))
    });
    let number = |get: fn(&Level) -> Option<Distribution>, pick: fn(Distribution) -> f64| {
        latency
            .and_then(get)
            .map(pick)
            .filter(|n| n.is_finite())
            .map(|n| format!("{n:.2}"))
            .unwrap_or_default()
    };
    vec![
        ("service", text(|m| Some(&m.service))),
        ("model", text(|m| Some(&m.model))),
        ("url", text(|m| m.url.as_ref())),
        ("image", text(|m| m.image.as_ref())),
        ("revision", text(|m| m.revision.as_ref())),
        (
            "expires-at",
            model.and_then(|m| m.expires_at).map(time).unwrap_or_default(),
        ),
        ("ttft-p50-ms", number(|l| l.ttft_ms, |p| p.p50)),
        ("ttft-p95-ms", number(|l| l.ttft_ms, |p| p.p95)),
        ("ttft-p99-ms", number(|l| l.ttft_ms, |p| p.p99)),
        ("itl-p50-ms", number(|l| l.itl_ms, |p| p.p50)),
        ("itl-p95-ms", number(|l| l.itl_ms, |p| p.p95)),
        ("itl-p99-ms", number(|l| l.itl_ms, |p| p.p99)),
        ("e2e-p50-ms", number(|l| l.e2e_ms, |p| p.p50)),
        ("e2e-p95-ms", number(|l| l.e2e_ms, |p| p.p95)),
        ("e2e-p99-ms", number(|l| l.e2e_ms, |p| p.p99)),
        ("tokens-per-second", number(|l| l.tokens_per_second, |p| p.p50)),
        ("goodput", goodput(latency)),
        ("objectives-met", model.map(objectives_met).unwrap_or_default()),
    ]
}

fn goodput(level: Option<&Level>) -> String {
    level
        .and_then(|l| l.goodput.as_ref())
        .map(|g| format!("{:.4}", g.share))
        .unwrap_or_default()
}

/// At every load; empty without objectives.
fn objectives_met(model: &ModelReport) -> String {
    let mut outcomes = model.latency.iter().flat_map(|l| &l.objectives).peekable();
    if outcomes.peek().is_none() {
        return String::new();
    }
    outcomes.all(|o| o.met).to_string()
}

fn as_json(model: &ModelReport) -> Value {
    let mut object: serde_json::Map<String, Value> = fields(Some(model))
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    object.insert("status".to_owned(), json!(words::status(model.status)));
    let cause = model.failure.as_ref().map(told).unwrap_or_default();
    object.insert("cause".to_owned(), json!(cause));
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn shown(report: &Report) -> String {
        outputs(report)
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect()
    }

    #[test]
    fn a_preview_gives_every_output() {
        insta::assert_snapshot!(shown(&samples::preview()));
    }

    #[test]
    fn what_was_not_reached_is_empty() {
        insta::assert_snapshot!(shown(&samples::failed_build()));
    }

    #[test]
    fn several_models_are_listed_as_json() {
        let pairs = outputs(&samples::several());
        let models = &pairs.iter().find(|(name, _)| name == "models").unwrap().1;
        let models: Value = serde_json::from_str(models).unwrap();
        assert_eq!(models.as_array().unwrap().len(), 3);
        assert_eq!(models[1]["status"], "failed");
    }

    #[test]
    fn latency_is_that_of_the_lowest_concurrency() {
        let mut report = samples::preview();
        report.models[0].latency.reverse();
        let pairs = outputs(&report);
        assert!(
            pairs.contains(&("ttft-p50-ms".to_owned(), "84.20".to_owned())),
            "{pairs:?}"
        );
    }

    #[test]
    fn objectives_are_met_when_they_are_at_every_load() {
        let met = |report: &Report| {
            let pairs = outputs(report);
            let pick = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
            (pick("goodput"), pick("objectives-met"))
        };
        let text = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(met(&samples::preview()), text("", ""));
        assert_eq!(met(&samples::objectives_met()), text("0.9950", "true"));
        assert_eq!(met(&samples::objectives_missed()), text("0.9950", "false"));
    }

    #[test]
    fn an_output_is_one_line() {
        assert!(
            outputs(&samples::hostile())
                .iter()
                .all(|(_, v)| !v.contains(['\n', '\u{1b}']))
        );
    }
}
