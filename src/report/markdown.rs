//! Markdown as GitHub renders it: the pull request's comment and the job summary.

mod against;
mod facts;
mod failure;
mod history;
#[cfg(test)]
mod hostile;
mod latency;
mod limits;
mod model;
mod overview;
mod progress;
mod trend;

use std::fmt::Write as _;

use super::escape::{cell_code, clip, code, link, prose};
use super::record::Record;
use super::{Failure, ModelReport, Report, Status, words};
use limits::Limits;

/// Longest comment, in bytes of UTF-8. GitHub's message speaks of 65,536 characters (it was seen to
/// refuse above 262,144 bytes); a character has at least one byte, so this keeps to both,
/// with room for a hidden line that says which run wrote it.
pub const COMMENT_LIMIT: usize = 65_536 - 100;

/// Longest job summary: GitHub refuses more than 1 MiB a step, in bytes. A little is left to others.
pub const SUMMARY_LIMIT: usize = 1_000_000;

/// Begins the sentence that says that not everything is there.
const SHORTENED: &str = "Shortened to fit";

/// The hidden first line by which our comment is found again. `target` tells comments of one pull request
/// apart; anything that could end the HTML comment is dropped from it.
pub fn marker(target: &str) -> String {
    let mut clean = String::new();
    for c in target
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-'))
    {
        if !(c == '-' && clean.ends_with('-')) {
            clean.push(c);
        }
    }
    format!("<!-- llm-deploy:{clean} -->")
}

/// The sticky comment, at most [`COMMENT_LIMIT`] bytes, hidden lines included: the marker first, the memory of this
/// run and of those before it last. What is left out first: the history's table and charts, then excerpts and checks
/// that passed, then snippets and details of further models.
pub fn comment(report: &Report, target: &str) -> String {
    // Mail as plain text shows hidden lines, so that the long one stands at the end.
    let memory = report.memory.with(report).hidden_line();
    let room = COMMENT_LIMIT - memory.len() - "\n\n".len();
    let visible = fit(room, limits::COMMENT, |limits| {
        format!("{}\n{}", marker(target), body(report, limits))
    });
    format!("{visible}\n{memory}\n")
}

/// The job summary, at most [`SUMMARY_LIMIT`] bytes: the comment with longer excerpts.
pub fn summary(report: &Report) -> String {
    fit(SUMMARY_LIMIT, limits::SUMMARY, |limits| {
        body(report, limits) + &trend::render(report)
    })
}

/// What failed, why and what to do, in at most `limit` bytes.
pub fn failure(failure: &Failure, limit: usize) -> String {
    fit(limit, limits::COMMENT, |limits| {
        let mut out = String::new();
        failure::render(failure, None, limits, &mut out);
        out
    })
}

/// Cuts a text that is bounded by construction all the same, at the end of a line.
pub fn clip_page(text: &mut String, limit: usize) {
    if text.len() <= limit {
        return;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text.get(..end).and_then(|kept| kept.rfind('\n')).unwrap_or(end);
    text.truncate(end + 1);
}

/// Longest summary of a check run, in characters; a character has at least one byte.
pub const CHECK_LIMIT: usize = 65_535;

/// The summary of a check run, at most [`CHECK_LIMIT`] bytes: the comment without its marker.
pub fn check_summary(report: &Report) -> String {
    fit(CHECK_LIMIT, limits::COMMENT, |limits| body(report, limits))
}

/// The most detailed text that fits. The last step of `steps` is bounded by construction (a test holds it
/// to that).
fn fit(limit: usize, steps: &[Limits], render: impl Fn(&Limits) -> String) -> String {
    let mut text = String::new();
    for step in steps {
        text = render(step);
        if text.len() <= limit {
            return text;
        }
    }
    while text.len() > limit {
        text.pop();
    }
    text
}

fn body(report: &Report, limits: &Limits) -> String {
    let mut out = String::new();
    heading(report, &mut out);
    for notice in report.notices.iter().take(limits.items) {
        let _ = writeln!(out, "> {}\n", prose(&clip(notice, limits.prose)));
    }
    if let Some(failure) = &report.failure {
        failure::render(failure, Some(report), limits, &mut out);
    }
    progress::render(report, limits, &mut out);
    match report.models.as_slice() {
        [] => history::last_good(&all_good(report), report, limits, &mut out),
        [only] => model::single(only, report, limits, &mut out),
        several => overview::render(several, report, limits, &mut out),
    }
    history::table(report, limits, &mut out);
    if limits.shortened {
        let _ = writeln!(
            out,
            "_{SHORTENED}: the job summary and the report file have everything._\n"
        );
    }
    footer(report, &mut out);
    out
}

/// A run that could not start has no models of its own.
fn all_good(report: &Report) -> Vec<&Record> {
    let waits = report.status == Status::Failed || !words::has_ended(report.status);
    report.memory.last_good.iter().filter(|_| waits).collect()
}

fn heading(report: &Report, out: &mut String) {
    let emoji = match (report.kind, report.status) {
        (super::Kind::PlanOnly, Status::Succeeded | Status::Skipped) => "📋",
        (_, status) => words::emoji(status),
    };
    let name = match report.models.as_slice() {
        [only] => format!(" · {}", code(&clip(&only.model, 120))),
        _ => String::new(),
    };
    // It names the stage that failed, which may be of another version's report.
    let headline = prose(&clip(&format!("{emoji} {}", words::headline(report)), 200));
    let _ = writeln!(out, "### {headline}{name}\n");
}

fn footer(report: &Report, out: &mut String) {
    let mut parts = vec![format!("llm-deploy {}", prose(&clip(&report.tool_version, 40)))];
    if !report.commit.is_empty() {
        parts.push(format!("commit {}", commit(&report.commit, report)));
    }
    if let Some(url) = &report.run_url {
        parts.push(link("run", url));
    }
    if words::has_ended(report.status) {
        parts.push(words::time(report.started_at));
        parts.push(format!("took {}", words::total(report)));
    } else {
        parts.push(format!("started {}", words::time(report.started_at)));
    }
    let _ = writeln!(out, "{}", parts.join(" · "));
}

/// A commit of this repository as a link; what isn't one is shown.
fn commit(id: &str, report: &Report) -> String {
    let short = code(&words::short_commit(&clip(id, 64)));
    let is_commit = (7..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_hexdigit());
    match words::repository_url(report) {
        Some(page) if is_commit => link(&short, &format!("{page}/commit/{id}")),
        _ => short,
    }
}

/// A folded part. `summary` is HTML of ours; the content is Markdown.
fn fold(summary: &str, open: bool, content: &str, out: &mut String) {
    let open = if open { " open" } else { "" };
    let _ = writeln!(
        out,
        "<details{open}>\n<summary>{summary}</summary>\n\n{}\n\n</details>\n",
        content.trim_end()
    );
}

/// A table's cell for a value that may be missing.
fn cell(value: Option<&str>, limit: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |v| cell_code(&clip(v, limit)))
}

fn links(model: &ModelReport, limits: &Limits) -> Option<String> {
    let all: Vec<String> = model
        .links
        .iter()
        .take(limits.items)
        .map(|l| link(&prose(&clip(&l.label, 60)), &l.url))
        .collect();
    (!all.is_empty()).then(|| all.join(" · "))
}

#[cfg(test)]
mod tests;
