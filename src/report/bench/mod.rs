//! A measurement by itself: on the terminal, and as the page that `bench --html` writes.

mod terminal;

use askama::Template;

pub use terminal::render as terminal;

use super::escape::{clip, line};
use super::html::Latency;
use super::words;
use crate::bench::result::{BenchResult, InputShape, SweepResult};
use crate::config::latency::PrefixCache;

/// The page: one file, as `report.html` is. Outside text is escaped by the template; hidden and control characters are taken out first.
///
/// # Errors
/// When the template can't be rendered, which in-memory text has no cause for.
pub fn html(result: &BenchResult) -> Result<String, askama::Error> {
    let mut levels = result.levels.clone();
    levels.sort_by(|a, b| a.load.by_size(&b.load));
    Page {
        model: clip(&line(&result.model), 200),
        url: clip(&line(&result.url), 500),
        facts: facts(result),
        latency: Latency::of(&levels, result.comparison.as_ref(), None),
        tool_version: line(&result.tool_version),
        started: words::time(result.started_at),
    }
    .render()
}

#[derive(Template)]
#[template(path = "bench.html")]
struct Page {
    model: String,
    url: String,
    facts: Vec<(&'static str, String)>,
    latency: Latency,
    tool_version: String,
    started: String,
}

fn facts(result: &BenchResult) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(level) = result.levels.first() {
        facts.extend(settings(&level.input));
    }
    facts.push((
        "Seed",
        format!("{}: with it the same requests are sent again", result.seed),
    ));
    if let Some(sweep) = &result.sweep {
        facts.extend(found(sweep));
    }
    facts
}

fn settings(input: &InputShape) -> Vec<(&'static str, String)> {
    let tokens = input
        .input_tokens
        .map(|n| format!(" of {n} tokens"))
        .unwrap_or_default();
    let counted = match input.counted_by.as_str() {
        "" | "none" => String::new(),
        by => format!(", counted by the {}", line(by)),
    };
    let length = input.output_tokens.map(|n| {
        let fixed = if input.fixed_length { "exactly" } else { "at most" };
        ("Answers", format!("{fixed} {n} tokens"))
    });
    let cache = match input.prefix_cache {
        PrefixCache::Bust => "kept from helping: each prompt begins unlike any other",
        PrefixCache::Keep => "as it is: prompts may share a beginning",
    };
    let kind = match input.kind.as_str() {
        "prompts" => "fixed".to_owned(),
        "dataset" => "from a dataset".to_owned(),
        other => line(other),
    };
    let mut facts = vec![("Prompts", format!("{kind}{tokens}{counted}"))];
    facts.extend(length);
    facts.push(("Prefix cache", cache.to_owned()));
    facts
}

fn found(sweep: &SweepResult) -> Vec<(&'static str, String)> {
    let per_second = |rate: f64| format!("{} requests/s", words::rate(rate));
    vec![
        (
            "Highest good rate",
            sweep
                .highest_good_rate
                .map_or_else(|| "none met every objective".to_owned(), per_second),
        ),
        (
            "Lowest missed rate",
            sweep
                .lowest_bad_rate
                .map_or_else(|| "none missed one".to_owned(), per_second),
        ),
        (
            "Saturation",
            sweep
                .saturation_rate
                .map_or_else(|| "not reached".to_owned(), per_second),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_page_has_settings_figures_charts_sweep_and_comparison() {
        insta::assert_snapshot!(html(&samples::bench()).unwrap());
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut result = samples::bench();
        let text = samples::HOSTILE.to_owned();
        result.url.clone_from(&text);
        result.model.clone_from(&text);
        result.levels[0].input.kind.clone_from(&text);
        result.levels[0].notes = vec![text.clone()];
        result.levels[0].error_samples = vec![text.clone()];
        if let Some(comparison) = &mut result.comparison {
            comparison.baseline.clone_from(&text);
            comparison.notes = vec![text.clone()];
        }
        if let Some(server) = &mut result.levels[0].server {
            server.notes = vec![text];
        }
        let page = html(&result).unwrap();
        for forbidden in ["<img", "</details>", "\u{1b}", "\u{202e}"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("&#60;img"), "shown, not dropped");
    }
}
