//! A level under the names, units and meanings of `vllm bench serve --save-result` (vLLM 0.28,
//! vllm/benchmarks/serve.py). docs/benchmarking.md lists where the figures behind the names differ.

use serde_json::{Map, Value, json};

use super::super::result::{BenchResult, Distribution, Level, LoadShape};
use crate::config::latency::{Arrivals, Timing};

/// The headline level as vLLM writes its result: one line. `None` when nothing was measured.
pub fn text(result: &BenchResult) -> Option<String> {
    let level = result.headline_level()?;
    Some(Value::Object(fields(result, level)).to_string() + "\n")
}

fn fields(result: &BenchResult, level: &Level) -> Map<String, Value> {
    let completed = level.answers();
    let (rate, burstiness, concurrency) = traffic(level.load);
    let per_second = |count: u64| {
        if level.seconds > 0.0 {
            count as f64 / level.seconds
        } else {
            0.0
        }
    };
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    set(
        "date",
        json!(result.started_at.format("%Y%m%d-%H%M%S").to_string()),
    );
    set("endpoint_type", json!("openai-chat"));
    set("backend", json!("openai-chat"));
    set("label", Value::Null);
    set("model_id", json!(result.model));
    set("tokenizer_id", json!(result.model));
    set("num_prompts", json!(level.requests));
    set("request_rate", rate);
    set("burstiness", burstiness);
    set("max_concurrency", concurrency);
    set("duration", json!(level.seconds));
    set("completed", json!(completed));
    set("failed", json!(level.errors));
    set("total_input_tokens", json!(level.input_tokens));
    set("total_output_tokens", json!(level.output_tokens));
    set("request_throughput", json!(per_second(completed)));
    set(
        "request_goodput",
        json!(level.goodput.map(|good| good.requests_per_second)),
    );
    set("output_throughput", json!(per_second(level.output_tokens)));
    let total = level
        .input_tokens
        .map(|input| per_second(input.saturating_add(level.output_tokens)));
    set("total_token_throughput", json!(total));
    set("max_concurrent_requests", json!(level.peak_in_flight));
    for (name, timing) in [
        ("ttft", Timing::Ttft),
        ("tpot", Timing::Tpot),
        ("itl", Timing::Itl),
        ("e2el", Timing::E2e),
    ] {
        let figures = level.timing(timing);
        // Of no answers numpy's mean of a 0 is 0, and so are vLLM's figures.
        let of = |pick: fn(&Distribution) -> f64| json!(figures.map_or(0.0, pick));
        set(&format!("mean_{name}_ms"), of(|d| d.mean));
        set(&format!("median_{name}_ms"), of(|d| d.p50));
        set(&format!("std_{name}_ms"), json!(deviation(level, timing)));
        set(&format!("p50_{name}_ms"), of(|d| d.p50));
        set(&format!("p90_{name}_ms"), of(|d| d.p90));
        set(&format!("p95_{name}_ms"), of(|d| d.p95));
        set(&format!("p99_{name}_ms"), of(|d| d.p99));
        set(&format!("p99.9_{name}_ms"), of(|d| d.p99_9));
    }
    fields
}

/// `request_rate`, `burstiness`, `max_concurrency`. Evenly spaced requests would be an infinite burstiness (the shape
/// of a gamma distribution), which JSON has no number for.
fn traffic(load: LoadShape) -> (Value, Value, Value) {
    match load {
        LoadShape::Closed { concurrency } => (json!("inf"), json!(1.0), json!(concurrency)),
        LoadShape::Open { rate, arrivals } => {
            let burstiness = match arrivals {
                Arrivals::Poisson => json!(1.0),
                Arrivals::Constant => Value::Null,
            };
            (json!(rate), burstiness, Value::Null)
        }
    }
}

/// Standard deviation of the whole population, as numpy's: from the kept samples, and only when these are all values.
fn deviation(level: &Level, timing: Timing) -> Option<f64> {
    let figures = level.timing(timing)?;
    let groups = level.samples.as_ref()?.groups.get(&timing)?;
    let values = || groups.iter().flatten().map(|&(ms, count)| (ms, count as f64));
    let count: f64 = values().map(|(_, count)| count).sum();
    if count != figures.count as f64 || count == 0.0 {
        return None;
    }
    let mean = values().map(|(ms, n)| ms * n).sum::<f64>() / count;
    let squares: f64 = values().map(|(ms, n)| (ms - mean).powi(2) * n).sum();
    Some((squares / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};

    fn read(result: &BenchResult) -> Value {
        serde_json::from_str(&text(result).unwrap()).unwrap()
    }

    #[test]
    fn a_server_may_claim_any_number_of_tokens() {
        let mut result = samples::one_level();
        result.levels[0].input_tokens = Some(u64::MAX);
        result.levels[0].output_tokens = u64::MAX;
        assert!(read(&result)["total_token_throughput"].is_f64());
    }

    #[test]
    fn the_figures_stand_under_vllms_names() {
        let result = samples::one_level();
        let (level, vllm) = (&result.levels[0], read(&result));
        assert_eq!(vllm["date"], "20261125-120000");
        assert_eq!(vllm["model_id"], result.model.as_str());
        assert_eq!(vllm["request_rate"], "inf");
        assert_eq!(vllm["max_concurrency"], 4);
        assert_eq!(vllm["num_prompts"], level.requests);
        assert_eq!(vllm["completed"], level.requests - level.errors);
        assert_eq!(vllm["failed"], level.errors);
        assert_eq!(vllm["median_ttft_ms"], level.ttft_ms.unwrap().p50);
        assert_eq!(vllm["p99_itl_ms"], level.itl_ms.unwrap().p99);
        assert_eq!(vllm["mean_e2el_ms"], level.e2e_ms.unwrap().mean);
        let per_second = level.output_tokens as f64 / level.seconds;
        assert_eq!(vllm["output_throughput"], per_second);
    }

    #[test]
    fn an_open_loop_has_a_rate_and_no_concurrency() {
        let vllm = read(&samples::sweep());
        assert!(vllm["request_rate"].is_f64());
        assert_eq!(vllm["max_concurrency"], Value::Null);
        assert_eq!(vllm["burstiness"], 1.0);
    }

    #[test]
    fn the_deviation_is_that_of_all_values_or_none() {
        let mut result = samples::one_level();
        let level = &mut result.levels[0];
        let mut samples = crate::bench::result::Samples::default();
        samples.groups.insert(
            Timing::Ttft,
            vec![vec![(2.0, 1), (4.0, 3)], vec![(5.0, 2), (7.0, 1), (9.0, 1)]],
        );
        level.samples = Some(samples);
        level.ttft_ms.as_mut().unwrap().count = 8;
        assert_eq!(read(&result)["std_ttft_ms"], 2.0);
        assert_eq!(read(&result)["std_itl_ms"], Value::Null);
        result.levels[0].ttft_ms.as_mut().unwrap().count = 9;
        assert_eq!(read(&result)["std_ttft_ms"], Value::Null);
    }

    #[test]
    fn nothing_measured_is_nothing_to_write() {
        assert_eq!(text(&samples::nothing()), None);
    }
}
