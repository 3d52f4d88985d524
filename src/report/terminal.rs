//! The report on a terminal: as wide as it is, plain without colours, free of control characters.

mod comparison;
mod latency;
mod page;

use std::fmt::Write as _;

use comfy_table::Cell;

use super::escape::{clip, line, visible};
use super::{CheckOutcome, Failure, ModelReport, Report, call, words};

use page::symbol;
pub use page::{Page, right, row};

/// Lines of a failed part's log.
const LOG_LINES: usize = 20;

/// The report for a terminal of `width` columns (40 at least). Without `colors` there is no escape sequence
/// in it, whatever the report holds.
pub fn render(report: &Report, width: usize, colors: bool) -> String {
    let mut page = Page::new(width, colors);
    page.heading(report);
    for notice in &report.notices {
        page.wrapped("", "! ", notice);
    }
    if let Some(failure) = &report.failure {
        page.failure(failure);
    }
    for model in &report.models {
        page.model(model, report.models.len() > 1);
    }
    page.footer(report);
    page.out
}

impl Page {
    /// Lines whose layout means something, such as a pointed-at line of a file.
    fn verbatim(&mut self, text: &str) {
        for part in visible(text).lines() {
            let _ = writeln!(self.out, "  {part}");
        }
    }

    fn heading(&mut self, report: &Report) {
        let text = self.status(
            report.status,
            &format!("{} {}", symbol(report.status), words::headline(report)),
        );
        let _ = writeln!(self.out, "{text}");
        let what = line(&report.repository);
        let what = match words::short_commit(&line(&report.commit)) {
            // Outside of a git checkout there is none.
            commit if commit.is_empty() => what,
            commit => format!("{what} at {commit}"),
        };
        let what = match &report.pull_request {
            // Asked for by hand, only its number is known.
            Some(pr) if pr.title.is_empty() => format!("{what}, pull request {}", pr.number),
            Some(pr) => format!(
                "{what}, pull request {}: {}",
                pr.number,
                clip(&line(&pr.title), 100)
            ),
            None => what,
        };
        self.wrapped("  ", "", &what);
    }

    fn model(&mut self, model: &ModelReport, several: bool) {
        if several {
            let head = format!(
                "{} {} ({})",
                symbol(model.status),
                line(&model.model),
                words::status(model.status)
            );
            let head = self.status(model.status, &head);
            let _ = writeln!(self.out, "\n{head}");
        }
        if let Some(failure) = &model.failure {
            self.failure(failure);
        }
        self.facts(model);
        for warning in &model.warnings {
            self.wrapped("  ", "! ", warning);
        }
        self.changes(model);
        self.latency(model);
        self.checks(model);
        self.stages(model);
        self.call(model);
    }

    fn failure(&mut self, failure: &Failure) {
        self.out.push('\n');
        self.wrapped("  ", "", &failure.title);
        if failure.cause.trim().contains('\n') {
            self.verbatim(&failure.cause);
        } else {
            self.wrapped("  ", "Cause: ", &failure.cause);
        }
        if let Some(fix) = &failure.fix {
            self.wrapped("  ", "What to do: ", fix);
        }
        if let Some(place) = &failure.place {
            self.wrapped("  ", "Where: ", &format!("{}, line {}", place.file, place.line));
        }
        if let Some(said) = &failure.said {
            self.wrapped("  ", "In the service's words: ", said);
        }
        let log = visible(&failure.log.join("\n"));
        let lines: Vec<&str> = log.lines().collect();
        if !lines.is_empty() {
            self.title(&format!(
                "Last log lines of the {}",
                line(words::stage(&failure.stage))
            ));
        }
        for text in &lines[lines.len().saturating_sub(LOG_LINES)..] {
            let _ = writeln!(self.out, "  | {}", clip(text, 400));
        }
    }

    fn facts(&mut self, model: &ModelReport) {
        let revision = model
            .model_revision
            .as_ref()
            .map(|r| format!(" at {}", clip(r, 40)))
            .unwrap_or_default();
        let rows = [
            ("Endpoint", model.url.clone()),
            ("Model", Some(format!("{}{revision}", model.model))),
            ("Image", model.image.clone()),
            ("Service", Some(model.service.clone())),
            ("Revision", model.revision.clone()),
            (
                "Access",
                model.url.as_ref().map(|_| words::access(model).to_owned()),
            ),
            ("Cost", words::cost(model)),
            ("Expires", model.expires_at.map(words::time)),
        ];
        self.out.push('\n');
        for (name, value) in rows {
            if let Some(value) = value {
                self.wrapped("  ", &format!("{name:<9} "), &value);
            }
        }
        if !model.links.is_empty() {
            self.title("Links");
        }
        for link in &model.links {
            self.wrapped("  ", &format!("{:<9} ", clip(&line(&link.label), 9)), &link.url);
        }
    }

    fn changes(&mut self, model: &ModelReport) {
        if !model.changes.is_empty() {
            self.title("Changes");
        }
        for change in &model.changes {
            self.wrapped("  ", "~ ", change);
        }
    }

    fn checks(&mut self, model: &ModelReport) {
        if model.checks.is_empty() {
            return;
        }
        self.title(&format!("Smoke checks: {}", words::checks(model)));
        for check in &model.checks {
            let text = format!(
                "{} ({}): {}",
                clip(&check.name, 100),
                words::spent(check.duration),
                clip(&check.detail, 500)
            );
            self.checked(check.passed, &text);
            if !check.passed {
                self.evidence(check);
            }
        }
    }

    fn evidence(&mut self, check: &CheckOutcome) {
        for (what, text) in [("sent", &check.sent), ("received", &check.received)] {
            for (i, part) in text
                .iter()
                .flat_map(|t| {
                    visible(&clip(t, 2_000))
                        .lines()
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                })
                .enumerate()
            {
                self.wrapped("    ", &format!("{:<9} ", if i == 0 { what } else { "" }), &part);
            }
        }
        if let Some(hint) = &check.hint {
            self.wrapped("    ", "look at   ", hint);
        }
    }

    fn stages(&mut self, model: &ModelReport) {
        if model.stages.is_empty() {
            return;
        }
        self.title("Stages");
        let mut table = self.table(["Stage", "", "Time", ""]);
        for stage in &model.stages {
            table.add_row([
                Cell::new(line(words::stage(&stage.name))),
                Cell::new(words::status(stage.status)),
                right(&words::spent(stage.duration)),
                Cell::new(clip(&line(&stage.detail), 200)),
            ]);
        }
        self.print(&table);
    }

    /// As it is pasted: never wrapped.
    fn call(&mut self, model: &ModelReport) {
        if let Some(curl) = call::snippets(model).first() {
            self.title("Call it");
            let _ = writeln!(self.out, "{}", curl.code);
        }
    }

    fn footer(&mut self, report: &Report) {
        let mut text = format!(
            "llm-deploy {}, {}, took {}",
            line(&report.tool_version),
            words::time(report.started_at),
            words::total(report)
        );
        if let Some(url) = &report.run_url {
            let _ = write!(text, ", {}", line(url));
        }
        self.out.push('\n');
        self.wrapped("", "", &text);
    }
}

#[cfg(test)]
mod tests;
