//! A result on a terminal: readable at 80 columns, plain without colours, free of control characters.

mod figures;
mod page;
mod tables;
#[cfg(test)]
mod tests;

use super::super::result::{BenchResult, InputShape, Level, ObjectiveOutcome, SweepResult};
use crate::{
    config::latency::{Objective, PrefixCache},
    report::escape::{clip, line},
};
use figures::{count, ms, per_second, percent, seconds};
use page::{Mood, Page};

pub use figures::{load_name, ms as milliseconds};

/// Longest quote of somebody else's text, in characters.
const QUOTE: usize = 300;
/// Error messages that are shown of a level.
const SAMPLES: usize = 3;

/// The result for a terminal of `width` columns (60 at least). Without `colors` there is no escape sequence in it.
pub fn render(result: &BenchResult, width: usize, colors: bool) -> String {
    let mut page = Page::new(width, colors);
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
        tables::comparison(&mut page, comparison);
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
        count(level.requests, "request"),
        seconds(level.seconds)
    ));
    tables::percentiles(page, level);
    if level.answers() > 0 {
        page.wrapped("  ", "", &throughput(level));
    }
    for outcome in &level.objectives {
        objective(page, outcome);
    }
    errors(page, level);
    if let Some(server) = &level.server {
        tables::server(page, server);
    }
}

fn throughput(level: &Level) -> String {
    let mut parts = vec![
        format!("{} requests/s", per_second(level.requests_per_second)),
        format!("{} output tokens/s", per_second(level.output_tokens_per_second)),
    ];
    if let Some(total) = level.total_tokens_per_second {
        parts.push(format!("{} tokens/s with input", per_second(total)));
    }
    if let Some(one) = level.tokens_per_second {
        parts.push(format!(
            "{} tokens/s of one request (median)",
            per_second(one.p50)
        ));
    }
    if let Some(good) = level.goodput {
        let rate = per_second(good.requests_per_second);
        parts.push(format!("goodput {} ({rate} requests/s)", percent(good.share)));
    }
    parts.join(" · ")
}

fn objective(page: &mut Page, outcome: &ObjectiveOutcome) {
    let (mark, mood) = if outcome.met {
        ("✔", Mood::Good)
    } else {
        ("✖", Mood::Bad)
    };
    let measured = outcome.measured.map(|value| match outcome.objective {
        Objective::AtMost { .. } => ms(value),
        Objective::Goodput { .. } | Objective::ErrorRate { .. } => percent(value),
        Objective::OutputTokensPerSecond { .. } => per_second(value),
    });
    let margin = outcome.margin.map(|margin| match margin {
        inside if inside >= 0.0 => format!(", {} inside", percent(inside)),
        missed => format!(", missed by {}", percent(-missed)),
    });
    let text = format!(
        "{}, {}{}",
        outcome.written,
        measured.map_or("nothing was measured".to_owned(), |m| format!("measured {m}")),
        margin.unwrap_or_default()
    );
    page.marked(mark, mood, &text);
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
    page.marked("✖", Mood::Bad, &format!("failed: {}", kinds.join(", ")));
    for sample in level.error_samples.iter().take(SAMPLES) {
        page.wrapped("    ", "", &clip(&line(sample), QUOTE));
    }
}

fn answer(page: &mut Page, found: &SweepResult) {
    let rate = |rate: f64| format!("{} requests/s", per_second(rate));
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

/// What qualifies the figures, each thing once; what holds for one load only names it.
fn notes(page: &mut Page, result: &BenchResult) {
    let mut told: Vec<String> = Vec::new();
    for level in &result.levels {
        for note in &level.notes {
            let everywhere = result.levels.iter().all(|other| other.notes.contains(note));
            let note = clip(&line(note), QUOTE);
            let note = if everywhere {
                note
            } else {
                format!("{}: {note}", load_name(level.load))
            };
            if !told.contains(&note) {
                told.push(note);
            }
        }
    }
    if told.is_empty() {
        return;
    }
    page.title("Notes");
    for note in told {
        page.wrapped("  ", "- ", &note);
    }
}
