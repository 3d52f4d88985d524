//! The diagnosis on a terminal.

use std::fmt::Write as _;

use console::{Style, measure_text_width};

use super::{Check, Fix, Verdict};
use crate::report::escape;

/// Columns of the group's name.
const GROUP: usize = 12;

/// Every check with a mark, what it is about and what was found; below it the fix, as it is pasted. Without `colors`
/// there is no escape sequence in it.
pub fn render(checks: &[Check], width: usize, colors: bool) -> String {
    let mut out = String::new();
    let mut last = None;
    for check in checks {
        let group = if last == Some(check.group) {
            ""
        } else {
            check.group.name()
        };
        last = Some(check.group);
        row(&mut out, check, group, width, colors);
    }
    let _ = write!(out, "\n{}", paint(worst(checks), &summary(checks), colors));
    out
}

fn row(out: &mut String, check: &Check, group: &str, width: usize, colors: bool) {
    let indent = " ".repeat(GROUP + 3);
    let room = width.saturating_sub(indent.len()).max(40);
    let place = check
        .place
        .as_ref()
        .map(|p| format!("{}:{}: ", escape::line(&p.file), p.line));
    let text = format!("{}{}: {}", place.unwrap_or_default(), check.subject, check.detail);
    let mark = paint(check.verdict, mark(check.verdict), colors);
    for (n, line) in wrap(&escape::line(&text), room).iter().enumerate() {
        let _ = match n {
            0 => writeln!(out, "{mark} {group:<GROUP$} {line}"),
            _ => writeln!(out, "{indent}{line}"),
        };
    }
    match &check.fix {
        // As it is pasted: never wrapped.
        Some(Fix::Command(text) | Fix::Link(text)) => {
            let _ = writeln!(out, "{indent}{}", escape::line(text));
        }
        Some(Fix::Advice(text)) => {
            for line in wrap(&escape::line(text), room) {
                let _ = writeln!(out, "{indent}{line}");
            }
        }
        None => {}
    }
}

const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✔",
        Verdict::Warn => "!",
        Verdict::Fail => "✘",
        Verdict::Skipped => "–",
    }
}

fn paint(verdict: Verdict, text: &str, colors: bool) -> String {
    if !colors {
        return text.to_owned();
    }
    let style = match verdict {
        Verdict::Pass => Style::new().green(),
        Verdict::Warn => Style::new().yellow(),
        Verdict::Fail => Style::new().red().bold(),
        Verdict::Skipped => Style::new().dim(),
    };
    style.force_styling(true).apply_to(text).to_string()
}

fn worst(checks: &[Check]) -> Verdict {
    super::overall(checks)
}

fn summary(checks: &[Check]) -> String {
    let count = |verdict| checks.iter().filter(|c| c.verdict == verdict).count();
    let mut parts = vec![format!("{} passed", count(Verdict::Pass))];
    for (verdict, name) in [
        (Verdict::Fail, "failed"),
        (Verdict::Warn, "to look at"),
        (Verdict::Skipped, "not looked at"),
    ] {
        let number = count(verdict);
        parts.extend((number > 0).then(|| format!("{number} {name}")));
    }
    parts.join(", ")
}

/// Lines of at most `width` columns; a longer word stands whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Group, Unseen};

    fn samples() -> Vec<Check> {
        let long = "lacks run.services.create (to create services), run.services.update (to make new revisions); roles/run.developer has it";
        vec![
            Group::Credentials.pass("access token", "from the credentials of this machine"),
            Group::Permissions.fail("project acme", long).command("gcloud projects add-iam-policy-binding acme --condition=None --member=\"user:$(gcloud config get account)\" --role=roles/run.developer"),
            Group::Permissions.pass("bucket b", "storage.objects.get"),
            Group::Quota.warn("vCPU", "20 in europe-west4").link("https://console.cloud.google.com/iam-admin/quotas?project=acme"),
            Group::Secrets.skipped("hf-token", &Unseen("\u{1b}[31m::error::403\u{202e}".to_owned())),
            Group::Workflow.warn("job llm", "lacks `id-token: write`").at(".github/workflows/a.yml", 9).advice("Add it"),
        ]
    }

    #[test]
    fn every_check_reads_well_at_80_columns() {
        insta::assert_snapshot!(render(&samples(), 80, false));
    }

    #[test]
    fn colours_only_add_and_nobody_else_s_control_characters_come_through() {
        let plain = render(&samples(), 80, false);
        assert_eq!(console::strip_ansi_codes(&render(&samples(), 80, true)), plain);
        assert!(
            !plain
                .chars()
                .any(|c| c.is_control() && c != '\n' || c == '\u{202e}'),
            "{plain}"
        );
    }

    #[test]
    fn the_json_has_every_check() {
        let json = crate::doctor::json::render("acme-llm", "europe-west4", &samples()[1..2]);
        insta::assert_snapshot!(json.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
}
