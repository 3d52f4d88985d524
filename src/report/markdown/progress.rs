//! What a run that goes on is doing. GitHub mails the first such text, so that it is plain: a sentence and a list.

use std::fmt::Write as _;

use super::limits::Limits;
use crate::report::escape::{clip, link, prose};
use crate::report::{ModelReport, Report, Status, words};

/// The sentence under the heading; nothing once the run has ended.
pub fn render(report: &Report, limits: &Limits, out: &mut String) {
    if words::has_ended(report.status) {
        return;
    }
    let run = match &report.run_url {
        Some(url) => link("the run", url),
        None => "the run".to_owned(),
    };
    let doing = match (report.status, report.models.as_slice()) {
        (Status::Running, [only]) => now(only, report).map(|now| format!("{now}. ")),
        _ => None,
    };
    let _ = writeln!(
        out,
        "{}This comment follows {run} and is updated at each stage.\n",
        doing.unwrap_or_default()
    );
    if let [only] = report.models.as_slice() {
        stages(only, report, limits, out);
    }
}

/// `Building the image since 09:00 UTC`
pub fn now(model: &ModelReport, report: &Report) -> Option<String> {
    let stage = words::running(model).filter(|_| model.status == Status::Running)?;
    let doing = words::capital(words::doing(&stage.name));
    Some(format!(
        "{doing} since {}",
        words::clock(words::since(report, model))
    ))
}

/// One line for each stage: done, running, to come.
fn stages(model: &ModelReport, report: &Report, limits: &Limits, out: &mut String) {
    for stage in model.stages.iter().take(limits.items) {
        let name = prose(&clip(words::stage(&stage.name), 60));
        let about = match stage.status {
            Status::Running => format!(", since {}", words::clock(words::since(report, model))),
            Status::Queued => String::new(),
            _ if stage.detail.is_empty() => format!(" ({})", words::spent(stage.duration)),
            _ => format!(
                " ({}): {}",
                words::spent(stage.duration),
                prose(&clip(&stage.detail, limits.prose.min(300)))
            ),
        };
        let name = if stage.status == Status::Running {
            format!("**{name}**")
        } else {
            name
        };
        let _ = writeln!(out, "- {} {name}{about}", words::emoji(stage.status));
    }
    out.push('\n');
}
