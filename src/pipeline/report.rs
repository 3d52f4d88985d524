//! Hands a finished report to every surface: files, job summary, outputs, the pull request's comment.
//!
//! The verdict is fixed before: a surface that fails becomes a warning and never changes it.

use std::{path::PathBuf, time::Duration};

use crate::{
    event::RunId,
    github::{self, GitHub, actions},
    report::{self, Report, Status},
};

/// Where the report goes. Absent ones are skipped.
#[derive(Default)]
pub struct Surfaces<'a> {
    pub github: Option<&'a GitHub>,
    /// Pull request that gets the comment.
    pub pull_request: Option<u64>,
    /// This run, by which a later one's comment is known.
    pub run: Option<RunId>,
    /// False: update the comment when there is one, but don't make one.
    pub create_comment: bool,
    /// Folder for `report.json`, `report.html`, `comment.md` and `summary.md`.
    pub directory: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub summary: Option<PathBuf>,
    /// `GITHUB_OUTPUT`.
    pub outputs: Option<PathBuf>,
}

/// Target name in the comment's hidden marker: a run has one comment, whatever its models.
pub const COMMENT_TARGET: &str = "preview";

/// Delivers to every surface; the warnings say which ones failed and why.
pub async fn deliver(report: &Report, surfaces: &Surfaces<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut outputs = report::outputs(report);
    match comment(report, surfaces).await {
        Ok(Some(url)) => outputs.push(("comment-url".to_owned(), url)),
        Ok(None) => {}
        Err(why) => warnings.push(format!("the comment on the pull request was not written: {why}")),
    }
    if let Some(directory) = &surfaces.directory {
        match files(report, directory) {
            Ok(written) => outputs.extend(written),
            Err(why) => warnings.push(format!(
                "the report was not written to {}: {why}. Choose another folder with `report-dir`",
                directory.display()
            )),
        }
    }
    if let Some(path) = &surfaces.summary
        && let Err(why) = actions::write_summary(path, &report::markdown::summary(report))
    {
        warnings.push(format!(
            "the job summary was not written to {}: {why}",
            path.display()
        ));
    }
    if let Some(path) = &surfaces.outputs
        && let Err(why) = actions::write_outputs(path, &outputs)
    {
        warnings.push(format!(
            "the outputs were not written to {}: {why}",
            path.display()
        ));
    }
    warnings
}

/// Writes the comment, unless it is a later run's by now.
async fn comment(report: &Report, surfaces: &Surfaces<'_>) -> Result<Option<String>, String> {
    let (Some(github), Some(number)) = (surfaces.github, surfaces.pull_request) else {
        return Ok(None);
    };
    let work = async {
        let marker = report::markdown::marker(COMMENT_TARGET);
        let there = github.find_comment(number, &marker).await?;
        let later = |body: &str| surfaces.run.is_some_and(|run| is_later(body, run));
        match there {
            None if !surfaces.create_comment => return Ok(None),
            Some(comment) if later(&comment.body) || is_superseded(report) => return Ok(Some(comment.url)),
            None if is_superseded(report) => return Ok(None),
            _ => {}
        }
        let body = report::markdown::comment(report, COMMENT_TARGET);
        let body = match surfaces.run {
            Some(run) => body.replacen('\n', &format!("\n{}\n", mark(run)), 1),
            None => body,
        };
        let comment = github.upsert_comment(number, &marker, &body).await?;
        Ok::<_, github::Error>(Some(comment.url))
    };
    // A cancelled run has seconds left, and files are still to be written.
    let limit = match report.status {
        Status::Cancelled => Duration::from_secs(2),
        _ => Duration::from_secs(600),
    };
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(_) => Err("GitHub did not answer in time".to_owned()),
    }
}

/// A newer run tells of the target what there is to tell.
fn is_superseded(report: &Report) -> bool {
    report.models.iter().any(|m| m.status == Status::Superseded)
}

/// Hidden line of the comment that says which run wrote it.
fn mark(run: RunId) -> String {
    format!("<!-- llm-deploy-run:{}.{} -->", run.number, run.attempt)
}

/// What [`mark`] wrote, in the order of runs.
fn written_by(body: &str) -> Option<(u64, u32)> {
    let line = body.lines().nth(1)?.trim();
    let (number, attempt) = line
        .strip_prefix("<!-- llm-deploy-run:")?
        .strip_suffix(" -->")?
        .split_once('.')?;
    Some((number.parse().ok()?, attempt.parse().ok()?))
}

/// Whether a later run than `run` wrote this comment.
fn is_later(body: &str, run: RunId) -> bool {
    written_by(body) > Some(order(run))
}

/// A run that somebody ran again writes whatever was there before.
fn order(run: RunId) -> (u64, u32) {
    match run.attempt {
        0 | 1 => (run.number, 1),
        _ => (u64::MAX, run.attempt),
    }
}

fn files(report: &Report, directory: &std::path::Path) -> Result<Vec<(String, String)>, String> {
    std::fs::create_dir_all(directory).map_err(|e| e.to_string())?;
    let html = report::html::render(report).map_err(|e| e.to_string())?;
    // The last two have no output of their own.
    let texts = [
        ("report.json", Some("report-json"), report::json::render(report)),
        ("report.html", Some("report-html"), html),
        (
            "comment.md",
            None,
            report::markdown::comment(report, COMMENT_TARGET),
        ),
        ("summary.md", None, report::markdown::summary(report)),
    ];
    let mut written = Vec::new();
    for (name, output, text) in texts {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|e| e.to_string())?;
        written.extend(output.map(|output| (output.to_owned(), path.display().to_string())));
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_a_later_runs_by_its_hidden_line() {
        let run = |number, attempt| RunId { number, attempt };
        let of = |run| format!("<!-- llm-deploy:preview -->\n{}\n### Preview", mark(run));
        assert!(is_later(&of(run(43, 1)), run(42, 1)));
        assert!(is_later(&of(run(42, 2)), run(42, 1)));
        assert!(!is_later(&of(run(42, 1)), run(42, 1)));
        assert!(!is_later(&of(run(41, 3)), run(42, 1)));
        assert!(
            !is_later(&of(run(43, 1)), run(42, 2)),
            "somebody asked for it once more"
        );
        assert!(!is_later("<!-- llm-deploy:preview -->\n### Preview", run(42, 1)));
    }
}
