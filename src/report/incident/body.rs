//! What a service's issue says, and the notes below it.

use std::fmt::Write as _;

use super::{Announce, Incident, Seen, State, hidden};
use crate::report::{
    ModelReport,
    escape::{cell_code, clip, link, prose, url_link},
    markdown,
    record::{Figures, Record},
    words,
};

/// Longest body, in bytes: GitHub refuses more than 65,536 characters, and a character has at least one byte.
const LIMIT: usize = 65_000;
/// Room for the failure; the rest of the body is far shorter than what is left.
const FAILURE: usize = 40_000;
/// A note is read in a mail.
const NOTE: usize = 6_000;
/// Links of a model that are shown.
const LINKS: usize = 10;

/// What an issue is written from.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    pub marker: &'a str,
    pub model: &'a ModelReport,
    /// This run.
    pub record: &'a Record,
}

/// The body, the state that it remembers included. `ended` is the incident that this run ended.
pub fn body(page: &Page<'_>, state: &State, ended: Option<&Incident>) -> String {
    let mut out = format!("{}\n{}\n", page.marker, hidden::write(state));
    heading(page, state, ended, &mut out);
    if let Some(failure) = &page.model.failure {
        out.push_str(&markdown::failure(failure, FAILURE));
    } else if let Some(incident) = state.incident.as_ref().or(ended) {
        let _ = writeln!(out, "The last failure was: {}\n", prose(&incident.title));
    }
    facts(page, state, ended, &mut out);
    links(page, &mut out);
    if state.incident.is_some() {
        out.push_str(
            "llm-deploy keeps this issue up to date with every scheduled test, and closes it when the endpoint is well again.\n",
        );
    }
    markdown::clip_page(&mut out, LIMIT);
    out
}

fn heading(page: &Page<'_>, state: &State, ended: Option<&Incident>, out: &mut String) {
    let service = cell_code(&clip(&page.model.service, 80));
    let line = match (&state.incident, ended) {
        (Some(incident), _) if page.record.is_good() => format!(
            "### ⚠️ {service} goes good and bad since {}\n\nIt is good at present. This issue is closed after {} more in a row.",
            words::time(incident.first.at),
            words::plural(u64::from(state.good_runs_wanted()), "good run")
        ),
        (Some(incident), _) => format!(
            "### ❌ {service} has failed its test since {}{}",
            words::time(incident.first.at),
            if state.is_flapping() {
                "\n\nIt went good and bad several times within a week. Until it was good three times in a row, there are no further comments and messages."
            } else {
                ""
            }
        ),
        (None, Some(ended)) => format!("### ✅ {service} is well again\n\n{}", over(ended, page.record)),
        (None, None) => format!("### ✅ {service} is well"),
    };
    let _ = writeln!(out, "{line}\n");
}

fn over(ended: &Incident, record: &Record) -> String {
    format!(
        "It failed from {} to {}, in {}.",
        words::time(ended.first.at),
        words::time(record.at),
        words::plural(u64::from(ended.failed), "run")
    )
}

fn facts(page: &Page<'_>, state: &State, ended: Option<&Incident>, out: &mut String) {
    let model = page.model;
    let mut rows = vec![("Model", cell_code(&clip(&model.model, 120)))];
    if let Some(url) = &model.url {
        rows.push(("Endpoint", url_link(url)));
    }
    if let Some(revision) = &model.revision {
        rows.push(("Revision", cell_code(&clip(revision, 80))));
    }
    let incident = state.incident.as_ref().or(ended);
    if let Some(incident) = incident {
        rows.push(("First failure", seen(&incident.first)));
    }
    // Of a service that is well, the last good run is this one.
    let good = state.last_good.as_ref().filter(|_| !page.record.is_good());
    rows.extend(good.map(|run| ("Last good result", seen(run))));
    if good.is_none() && !page.record.is_good() {
        rows.push(("Last good result", "none is known".to_owned()));
    }
    if let Some(incident) = incident {
        let good = match incident.good {
            0 => String::new(),
            n => format!(", {n} good"),
        };
        rows.push(("Runs since", format!("{} failed{good}", incident.failed)));
    }
    if let Some(figures) = page.record.ttft_ms {
        rows.push(("Time to first token", percentiles(figures)));
    }
    if let Some(figures) = page.record.e2e_ms {
        rows.push(("Whole answer", percentiles(figures)));
    }
    for (i, (name, value)) in rows.iter().enumerate() {
        let _ = writeln!(out, "| {name} | {value} |");
        if i == 0 {
            out.push_str("| :-- | :-- |\n");
        }
    }
    out.push('\n');
}

fn seen(run: &Seen) -> String {
    let mut parts = vec![match &run.run_url {
        Some(url) => link(&words::time(run.at), url),
        None => words::time(run.at),
    }];
    if !run.commit.is_empty() {
        parts.push(format!("commit {}", cell_code(&words::short_commit(&run.commit))));
    }
    parts.extend(
        run.ttft_ms
            .map(|f| format!("first token after {}", words::milliseconds(f.p50))),
    );
    parts.join(", ")
}

fn percentiles(figures: Figures) -> String {
    format!(
        "p50 {}, p95 {}, p99 {}",
        words::milliseconds(figures.p50),
        words::milliseconds(figures.p95),
        words::milliseconds(figures.p99)
    )
}

fn links(page: &Page<'_>, out: &mut String) {
    let mut all = Vec::new();
    if let Some(url) = &page.record.run_url {
        all.push(link("Latest run", url));
        // Where GitHub's page lists what the run uploaded.
        all.push(link("Report", &format!("{url}#artifacts")));
    }
    let more = page.model.links.iter().take(LINKS);
    all.extend(more.map(|l| link(&prose(&clip(&l.label, 60)), &l.url)));
    if !all.is_empty() {
        let _ = writeln!(out, "{}\n", all.join(" · "));
    }
}

/// The comment that tells of a run; `None` when the issue itself does.
pub fn note(page: &Page<'_>, announce: Announce, ended: Option<&Incident>) -> Option<String> {
    let failure = |words: &str| {
        let details = page.model.failure.as_ref();
        let details = details.map(|failure| markdown::failure(failure, NOTE));
        format!("{words}\n\n{}", details.unwrap_or_default())
    };
    let mut text = match announce {
        Announce::Fails => return None,
        Announce::FailsAgain => failure("**It fails again.**"),
        Announce::Flaps => failure(
            "**It fails again**, and went good and bad several times within a week. Until it was good three times in a row, there are no further comments.",
        ),
        Announce::CauseChanged => failure("**It fails for another reason now.**"),
        Announce::Recovered => match ended {
            Some(ended) => format!("**It is well again.** {}\n", over(ended, page.record)),
            None => "**It is well again.**\n".to_owned(),
        },
    };
    if let Some(url) = &page.record.run_url {
        let _ = write!(text, "\n{}\n", link("This run", url));
    }
    Some(text)
}
