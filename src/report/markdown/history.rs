//! Earlier results of the pull request. They were read from the comment, which others can edit: only what can be
//! ours is linked.

use std::fmt::Write as _;

use url::Url;

use super::limits::Limits;
use super::{commit, fold};
use crate::report::escape::{cell_code, clip, code, link, prose, url_link};
use crate::report::memory::Memory;
use crate::report::record::{Figures, Record};
use crate::report::{ModelReport, Report, Status, words};

/// What stands for a model while this run has no good result of it.
pub fn stand_in<'a>(model: &ModelReport, report: &'a Report) -> Option<&'a Record> {
    let waits = matches!(
        model.status,
        Status::Queued | Status::Running | Status::Failed | Status::Cancelled
    );
    waits
        .then(|| report.memory.last_good_of(&model.service))
        .flatten()
}

/// Visible, never folded: a reviewer goes on with it.
pub fn last_good(all: &[&Record], report: &Report, limits: &Limits, out: &mut String) {
    for good in all.iter().take(limits.items) {
        let name = match report.models.as_slice() {
            [_] => String::new(),
            _ => format!(" of {}", code(&clip(&good.model, 120))),
        };
        let run = run(good, report).map_or_else(String::new, |url| format!(" · {}", link("run", url)));
        let _ = writeln!(
            out,
            "**Last good result**{name}: commit {}, {}{run}\n",
            commit(&good.commit, report),
            words::time(good.at)
        );
        // A service keeps its address: while this run has one, it no longer is that commit's.
        let now = report.models.iter().find(|m| m.service == good.service);
        if let Some(url) = good.url.as_ref().filter(|_| now.is_none_or(|m| m.url.is_none())) {
            let _ = writeln!(out, "- Endpoint: {}", endpoint(url));
        }
        let figures = figures(good);
        if !figures.is_empty() {
            let _ = writeln!(out, "- {figures}");
        }
        out.push('\n');
    }
}

/// `TTFT 84.2 ms (p95 122 ms), ITL 23.4 ms, 42.6 tokens/s`
fn figures(record: &Record) -> String {
    let ttft = record.ttft_ms.map(|f| {
        let [p50, p95] = [f.p50, f.p95].map(words::milliseconds);
        format!("TTFT {p50} (p95 {p95})")
    });
    let itl = record
        .itl_ms
        .map(|f| format!("ITL {}", words::milliseconds(f.p50)));
    let rate = record
        .tokens_per_second
        .map(|r| format!("{} tokens/s", words::rate(r)));
    [ttft, itl, rate]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

/// Linked when it is a service of Cloud Run.
fn endpoint(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|u| u.host_str().map(str::to_owned));
    let ours = host.is_some_and(|host| host.ends_with(".run.app"));
    if ours {
        url_link(url)
    } else {
        cell_code(&clip(url, 200))
    }
}

/// The run's page, when it is one of this repository's.
fn run<'a>(record: &'a Record, report: &Report) -> Option<&'a str> {
    let runs = format!("{}/actions/runs/", words::repository_url(report)?);
    let url = record.run_url.as_deref()?;
    let rest = url.strip_prefix(&runs)?;
    let plain = rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '/');
    plain.then_some(url)
}

/// The last commits, folded; nothing before there is a second one.
pub fn table(report: &Report, limits: &Limits, out: &mut String) {
    let memory = report.memory.with(report);
    let mut commits: Vec<String> = memory.commits().iter().map(|c| (*c).to_owned()).collect();
    commits.truncate(limits.history);
    if commits.iter().all(|c| *c == report.commit) {
        return;
    }
    let mut content =
        "| Commit | Result | TTFT p50 · p95 | ITL p50 | Tokens/s |\n| :-- | :-- | --: | --: | --: |\n"
            .to_owned();
    let services = services(&memory, &commits, report);
    for service in services.iter().take(limits.rows) {
        let rows: Vec<&Record> = memory
            .records
            .iter()
            .filter(|r| r.service == *service && commits.contains(&r.commit))
            .collect();
        if services.len() > 1 {
            let name = rows.first().map_or("", |r| r.model.as_str());
            let name = if name.is_empty() {
                "the whole run".to_owned()
            } else {
                cell_code(&clip(name, 80))
            };
            let _ = writeln!(content, "| **{name}** | | | | |");
        }
        for record in rows {
            row(record, report, &mut content);
        }
    }
    let count = commits.len() as u64;
    let summary = format!("🕘 <b>History</b>: {}", words::plural(count, "commit"));
    fold(&summary, false, &content, out);
}

/// Services that have rows, in the order of this run's models.
fn services<'a>(memory: &'a Memory, commits: &[String], report: &Report) -> Vec<&'a str> {
    let mut services: Vec<&str> = Vec::new();
    for record in memory.records.iter().filter(|r| commits.contains(&r.commit)) {
        if !services.contains(&record.service.as_str()) {
            services.push(&record.service);
        }
    }
    let place = |service: &str| report.models.iter().position(|m| m.service == service);
    services.sort_by_key(|service| place(service).unwrap_or(usize::MAX));
    services
}

/// When it was stands below the commit: five columns fit a phone.
fn row(record: &Record, report: &Report, out: &mut String) {
    let when = record.at.format("%m-%d %H:%M").to_string().replace(' ', "\u{a0}");
    let when = run(record, report).map_or(when.clone(), |url| link(&when, url));
    let figures = |figures: Option<Figures>, shown: fn(Figures) -> String| {
        figures.map_or_else(|| "–".to_owned(), |f| shown(f).replace(' ', "\u{a0}"))
    };
    let _ = writeln!(
        out,
        "| {}<br>{when} | {} | {} | {} | {} |",
        commit(&record.commit, report),
        result(record),
        figures(record.ttft_ms, |f| both(f.p50, f.p95)),
        figures(record.itl_ms, |f| words::milliseconds(f.p50)),
        record
            .tokens_per_second
            .map_or_else(|| "–".to_owned(), words::rate),
    );
}

fn result(record: &Record) -> String {
    let emoji = words::emoji(record.status);
    match (&record.stage, record.objectives_met) {
        (Some(stage), _) => format!("{emoji} {}", prose(&clip(words::stage(stage), 40))),
        (None, Some(true)) => format!("{emoji} objectives met"),
        _ => format!("{emoji} {}", words::status(record.status)),
    }
}

/// Two values in the unit of the first: `84.2 · 122 ms`.
fn both(p50: f64, p95: f64) -> String {
    words::step(p50, p95).replace(" → ", " · ")
}
