//! One reading of `/metrics`: what is wanted of it, by series.

use std::collections::BTreeMap;

use super::{
    histogram::Histogram,
    prometheus::{self, Sample},
};

/// A figure, and the names that vLLM's releases have for it, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    Ttft,
    Itl,
    E2e,
    Queue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    Preemptions,
    PromptTokens,
    GeneratedTokens,
    PrefixQueries,
    PrefixHits,
}

const TIMERS: &[(Timer, &[&str])] = &[
    (Timer::Ttft, &["vllm:time_to_first_token_seconds"]),
    (
        Timer::Itl,
        &[
            "vllm:inter_token_latency_seconds",
            "vllm:time_per_output_token_seconds",
        ],
    ),
    (Timer::E2e, &["vllm:e2e_request_latency_seconds"]),
    (Timer::Queue, &["vllm:request_queue_time_seconds"]),
];
const COUNTERS: &[(Counter, &[&str])] = &[
    (Counter::Preemptions, &["vllm:num_preemptions_total"]),
    (Counter::PromptTokens, &["vllm:prompt_tokens_total"]),
    (Counter::GeneratedTokens, &["vllm:generation_tokens_total"]),
    (
        Counter::PrefixQueries,
        &[
            "vllm:prefix_cache_queries_total",
            "vllm:gpu_prefix_cache_queries_total",
        ],
    ),
    (
        Counter::PrefixHits,
        &["vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"],
    ),
];
const KV_CACHE: &[&str] = &["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"];
/// What follows a histogram's name.
const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];
/// When a server's process made its counters: another time means another process.
const BORN: &str = "vllm:e2e_request_latency_seconds_created";

/// The labels of a series, `le` left out.
type Series = String;

/// What one reading says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape {
    pub timers: BTreeMap<Timer, BTreeMap<Series, Histogram>>,
    pub counters: BTreeMap<Counter, BTreeMap<Series, u64>>,
    /// Share of the KV cache in use, of the engine that uses most.
    pub kv_cache: Option<f64>,
    /// By series, when each was made (seconds since 1970). Empty where the server doesn't say.
    pub born: BTreeMap<Series, f64>,
}

impl Scrape {
    /// `None` when the text is not vLLM's, or breaks the format.
    pub fn read(text: &str) -> Option<Self> {
        let samples = prometheus::samples(text, wanted)?;
        let mut scrape = Self::default();
        for (timer, names) in TIMERS {
            if let Some(found) = first(names, |name| histograms(&samples, name))? {
                scrape.timers.insert(*timer, found);
            }
        }
        for (counter, names) in COUNTERS {
            if let Some(found) = first(names, |name| counts(&samples, name))? {
                scrape.counters.insert(*counter, found);
            }
        }
        let is_kv = |name: &str| KV_CACHE.contains(&name);
        let kv = samples.iter().filter(|s| is_kv(s.name)).map(|s| s.value);
        scrape.kv_cache = kv.filter(|use_| (0.0..=1.0).contains(use_)).reduce(f64::max);
        let born = samples.iter().filter(|s| s.name == BORN);
        scrape.born = born.map(|s| (series(s), s.value)).collect();
        (!scrape.timers.is_empty()).then_some(scrape)
    }

    /// Whether the same process answered, as far as the server tells.
    pub fn is_same_process(&self, other: &Self) -> bool {
        self.born == other.born
    }
}

fn wanted(name: &str) -> bool {
    let of = |base: &str| name.strip_prefix(base).is_some_and(|part| PARTS.contains(&part));
    name.starts_with("vllm:")
        && (name == BORN
            || KV_CACHE.contains(&name)
            || TIMERS.iter().any(|(_, names)| names.iter().any(|base| of(base)))
            || COUNTERS.iter().any(|(_, names)| names.contains(&name)))
}

/// The first name under which there is something; `None` when something of it is malformed.
#[allow(clippy::option_option, reason = "absent is not malformed")]
fn first<T>(
    names: &[&str],
    read: impl Fn(&str) -> Option<BTreeMap<Series, T>>,
) -> Option<Option<BTreeMap<Series, T>>> {
    for name in names {
        let found = read(name)?;
        if !found.is_empty() {
            return Some(Some(found));
        }
    }
    Some(None)
}

fn counts(samples: &[Sample<'_>], name: &str) -> Option<BTreeMap<Series, u64>> {
    let found = samples.iter().filter(|s| s.name == name);
    found
        .map(|s| Some((series(s), prometheus::count(s.value)?)))
        .collect()
}

fn histograms(samples: &[Sample<'_>], base: &str) -> Option<BTreeMap<Series, Histogram>> {
    let mut found: BTreeMap<Series, Histogram> = BTreeMap::new();
    let part = |name: &str| {
        PARTS
            .into_iter()
            .find(|part| name.strip_prefix(base) == Some(part))
    };
    let parts = samples.iter().filter_map(|s| Some((s, part(s.name)?)));
    for (sample, part) in parts {
        // A sum that never comes makes the histogram unsound.
        let new = || Histogram {
            sum: f64::NAN,
            ..Histogram::default()
        };
        let histogram = found.entry(series(sample)).or_insert_with(new);
        match part {
            "_bucket" => {
                let (_, bound) = sample.labels.iter().find(|(name, _)| *name == "le")?;
                let bucket = (prometheus::number(bound)?, prometheus::count(sample.value)?);
                histogram.buckets.push(bucket);
            }
            "_sum" => histogram.sum = sample.value,
            _ => histogram.count = prometheus::count(sample.value)?,
        }
    }
    found.values().all(Histogram::is_sound).then_some(found)
}

fn series(sample: &Sample<'_>) -> Series {
    let own = sample.labels.iter().filter(|(name, _)| *name != "le");
    own.map(|(name, value)| format!("{name}={value:?},")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = include_str!("../../../tests/fixtures/vllm/metrics_after.body");

    #[test]
    fn the_recorded_page_is_read() {
        let scrape = Scrape::read(RECORDED).unwrap();
        let only = |timer| scrape.timers[&timer].values().next().unwrap();
        assert_eq!(scrape.timers.len(), 4);
        assert_eq!(
            (only(Timer::Ttft).count, only(Timer::Ttft).sum),
            (25, 1.731_096_267_700_195_3)
        );
        assert_eq!(only(Timer::Itl).count, 199);
        assert_eq!(only(Timer::Queue).sum, 0.008_539_182_999_811_601);
        let total = |counter| scrape.counters[&counter].values().sum::<u64>();
        assert_eq!(total(Counter::PromptTokens), 437);
        assert_eq!(total(Counter::GeneratedTokens), 224);
        assert_eq!((total(Counter::Preemptions), total(Counter::PrefixHits)), (0, 0));
        assert_eq!(scrape.kv_cache, Some(0.0));
        assert_eq!(scrape.born.len(), 1);
    }

    #[test]
    fn older_names_are_known_and_the_newer_ones_win() {
        let histogram = |name: &str, count: u32| {
            format!(
                "{name}_bucket{{le=\"1.0\"}} {count}\n{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_count {count}\n{name}_sum 0.5\n"
            )
        };
        let old = histogram("vllm:time_per_output_token_seconds", 2)
            + "vllm:gpu_cache_usage_perc{engine=\"0\"} 0.25\nvllm:gpu_cache_usage_perc{engine=\"1\"} 0.5\n";
        let read = Scrape::read(&old).unwrap();
        assert_eq!(read.timers[&Timer::Itl].values().next().unwrap().count, 2);
        assert_eq!(read.kv_cache, Some(0.5), "of the fuller engine");
        let both = old + &histogram("vllm:inter_token_latency_seconds", 3);
        let read = Scrape::read(&both).unwrap();
        assert_eq!(read.timers[&Timer::Itl].values().next().unwrap().count, 3);
    }

    #[test]
    fn hostile_text_is_no_scrape() {
        let broken = [
            RECORDED.replace("seconds_count{engine=\"0\"", "seconds_count{engine=\"0"),
            RECORDED.replace("le=\"+Inf\"", "le=\"much\""),
            RECORDED.replace("seconds_sum", "seconds_total"),
            RECORDED.replace(
                "vllm:prompt_tokens_total{engine=\"0\",model_name=\"Qwen/Qwen3.5-4B\"} 437.0",
                "vllm:prompt_tokens_total -1",
            ),
        ];
        for (n, text) in broken.iter().enumerate() {
            assert_ne!(text, RECORDED, "{n} changes something");
            assert_eq!(Scrape::read(text), None, "{n}");
        }
        for text in ["", "<html>sign in</html>", "up 1\n", "\u{0}\u{ffff}"] {
            assert_eq!(Scrape::read(text), None, "{text}");
        }
    }
}
