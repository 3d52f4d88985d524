//! A result on a terminal: readable at 80 columns, plain without colours, free of control characters.

mod tables;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{
    bench::result::{BenchResult, InputShape, Level, SweepResult},
    config::latency::PrefixCache,
    report::{
        escape::{clip, line},
        terminal::Page,
        words::{self, load_name, percent, plural, rate},
    },
    units::human_duration,
};

/// Longest quote of somebody else's text, in characters.
const QUOTE: usize = 300;
/// Error messages that are shown of a level.
const SAMPLES: usize = 3;

/// The result for a terminal of `width` columns (60 at least). Without `colors` there is no escape sequence in it.
pub fn render(result: &BenchResult, width: usize, colors: bool) -> String {
    let mut page = Page::new(width.max(60), colors);
    heading(&mut page, result);
    let several = result.levels.len() > 1;
    for (index, level) in result.levels.iter().enumerate() {
        // Of a sweep the curve says enough of the others.
        if result.sweep.is_none() || result.headline == Some(index) {
            block(&mut page, level);
        }
    }
    if several {
        page.title("All loads");
        tables::curve(&mut page, &result.levels);
    }
    if let Some(found) = &result.sweep {
        answer(&mut page, found);
    }
    if let Some(comparison) = &result.comparison {
        page.compared(comparison);
    }
    notes(&mut page, result);
    page.out
}

fn heading(page: &mut Page, result: &BenchResult) {
    let what = format!(
        "{} at {}",
        clip(&line(&result.model), 100),
        clip(&line(&result.url), 200)
    );
    page.strong(&what);
    let Some(first) = result.levels.first() else {
        page.wrapped("", "", "Nothing was measured.");
        return;
    };
    page.wrapped("", "", &format!("{}; seed {}", input(&first.input), result.seed));
}

/// `synthetic prompts of 512 tokens (counted by the server), 128 output tokens, prefix cache bypassed`
fn input(shape: &InputShape) -> String {
    let mut text = match (shape.kind.as_str(), shape.input_tokens) {
        ("synthetic", Some(tokens)) => format!("synthetic prompts of {tokens} tokens"),
        ("dataset", _) => "prompts of a dataset".to_owned(),
        _ => "fixed prompts".to_owned(),
    };
    match shape.counted_by.as_str() {
        "server" => text.push_str(" (counted by the server)"),
        "tokenizer" => text.push_str(" (counted by the tokenizer)"),
        "estimate" => text.push_str(" (an estimate)"),
        _ => (),
    }
    if let Some(tokens) = shape.output_tokens {
        let how = if shape.fixed_length { "" } else { "at most " };
        text.push_str(&format!(", {how}{tokens} output tokens"));
    }
    text.push_str(match shape.prefix_cache {
        PrefixCache::Bust => ", each prompt unlike any other",
        PrefixCache::Keep => ", the prefix cache may help",
    });
    text
}

fn block(page: &mut Page, level: &Level) {
    let failed = match level.errors {
        0 => String::new(),
        n => format!(", {n} failed"),
    };
    page.title(&format!(
        "{}: {}{failed}, in {}",
        load_name(level.load),
        plural(level.requests, "request"),
        human_duration(Duration::try_from_secs_f64(level.seconds).unwrap_or_default())
    ));
    tables::percentiles(page, level);
    if level.answers() > 0 {
        page.wrapped("  ", "", &throughput(level));
    }
    for outcome in &level.objectives {
        page.checked(outcome.met, &words::outcome(outcome).to_string());
    }
    errors(page, level);
    if let Some(server) = &level.server {
        tables::server(page, server);
    }
}

fn throughput(level: &Level) -> String {
    let mut parts = vec![
        format!("{} requests/s", rate(level.requests_per_second)),
        format!("{} output tokens/s", rate(level.output_tokens_per_second)),
    ];
    if let Some(total) = level.total_tokens_per_second {
        parts.push(format!("{} tokens/s with input", rate(total)));
    }
    if let Some(one) = level.tokens_per_second {
        parts.push(format!("{} tokens/s of one request (median)", rate(one.p50)));
    }
    if let Some(good) = level.goodput {
        let good_rate = rate(good.requests_per_second);
        parts.push(format!(
            "goodput {} ({good_rate} requests/s)",
            percent(good.share)
        ));
    }
    parts.join(" · ")
}

fn errors(page: &mut Page, level: &Level) {
    if level.errors == 0 {
        return;
    }
    let kinds: Vec<String> = level
        .errors_by_kind
        .iter()
        .map(|(kind, n)| format!("{n} {}", clip(&line(kind), 40)))
        .collect();
    page.checked(false, &format!("failed: {}", kinds.join(", ")));
    for sample in level.error_samples.iter().take(SAMPLES) {
        page.wrapped("    ", "", &clip(&line(sample), QUOTE));
    }
}

fn answer(page: &mut Page, found: &SweepResult) {
    let rate = |per_second: f64| format!("{} requests/s", rate(per_second));
    let text = match (found.highest_good_rate, found.lowest_bad_rate) {
        (Some(good), Some(bad)) => format!(
            "Highest rate that meets the objectives: {}; {} does not.",
            rate(good),
            rate(bad)
        ),
        (Some(good), None) => format!("Every rate up to {} meets the objectives.", rate(good)),
        (None, Some(bad)) => format!(
            "No rate meets the objectives; the lowest tried was {}.",
            rate(bad)
        ),
        (None, None) => "No rate was judged: there are no objectives.".to_owned(),
    };
    page.wrapped("  ", "", &text);
    if let Some(most) = found.saturation_rate {
        page.wrapped(
            "  ",
            "",
            &format!("With all the work at once the server completed {}.", rate(most)),
        );
    }
}

/// What qualifies the figures.
fn notes(page: &mut Page, result: &BenchResult) {
    let notes = words::notes(&result.levels);
    if notes.is_empty() {
        return;
    }
    page.title("Notes");
    for note in notes {
        page.wrapped("  ", "- ", &clip(&line(&note), QUOTE));
    }
}
