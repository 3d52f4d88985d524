//! Cause and fix, on top of everything else.

use std::fmt::Write as _;

use super::limits::Limits;
use crate::report::escape::{clip, code, fence, link, prose, visible};
use crate::report::{Failure, Place, Report, words};

/// `report` tells which commit the configuration is of.
pub fn render(failure: &Failure, report: Option<&Report>, limits: &Limits, out: &mut String) {
    let _ = writeln!(
        out,
        "**{}**\n",
        prose(&words::capital(&clip(&failure.title, limits.prose)))
    );
    if failure.cause.trim().contains('\n') {
        let _ = writeln!(out, "{}", fence("text", &clip(&failure.cause, limits.excerpt)));
    } else if !failure.cause.trim().is_empty() {
        let _ = writeln!(out, "**Cause:** {}\n", prose(&clip(&failure.cause, limits.prose)));
    }
    if let Some(fix) = &failure.fix {
        let _ = writeln!(out, "**What to do:** {}\n", prose(&clip(fix, limits.prose)));
    }
    if let Some(place) = &failure.place {
        let _ = writeln!(out, "**Where:** {}\n", line_of(place, report));
    }
    if let Some(said) = &failure.said {
        let _ = writeln!(
            out,
            "**In the service's words:** {}\n",
            prose(&clip(said, limits.prose))
        );
    }
    if !failure.log.is_empty() {
        let _ = writeln!(
            out,
            "Last log lines of the {}:\n\n{}",
            prose(&clip(words::stage(&failure.stage), 60)),
            fence("text", &tail(&failure.log, limits))
        );
    }
}

/// The line of the configuration, as it was in the commit.
fn line_of(place: &Place, report: Option<&Report>) -> String {
    let shown = code(&format!("{}:{}", clip(&place.file, 120), place.line));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let commit = report.map_or("", |report| &report.commit);
    match report.and_then(words::repository_url) {
        Some(page) if place.file.chars().all(plain) && !commit.is_empty() => {
            let file = place.file.trim_start_matches("./");
            link(&shown, &format!("{page}/blob/{commit}/{file}#L{}", place.line))
        }
        _ => shown,
    }
}

fn tail(log: &[String], limits: &Limits) -> String {
    // An entry has a line or more, so no more entries than lines are wanted.
    let text = visible(&log[log.len().saturating_sub(limits.log_lines)..].join("\n"));
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(limits.log_lines);
    lines[from..]
        .iter()
        .map(|l| clip(l, limits.log_width))
        .collect::<Vec<_>>()
        .join("\n")
}
