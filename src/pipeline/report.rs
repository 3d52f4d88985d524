//! Hands a finished report to every surface: files, job summary, outputs, the pull request's comment.
//!
//! The verdict is fixed before: a surface that fails becomes a warning and never changes it.

use std::path::PathBuf;

use crate::{
    github::{GitHub, actions},
    report::{self, Report},
};

/// Where the report goes. Absent ones are skipped.
#[derive(Default)]
pub struct Surfaces<'a> {
    pub github: Option<&'a GitHub>,
    /// Pull request that gets the comment.
    pub pull_request: Option<u64>,
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

async fn comment(report: &Report, surfaces: &Surfaces<'_>) -> Result<Option<String>, String> {
    let (Some(github), Some(number)) = (surfaces.github, surfaces.pull_request) else {
        return Ok(None);
    };
    let marker = report::markdown::marker(COMMENT_TARGET);
    if !surfaces.create_comment
        && github
            .find_comment(number, &marker)
            .await
            .map_err(|e| e.to_string())?
            .is_none()
    {
        return Ok(None);
    }
    let body = report::markdown::comment(report, COMMENT_TARGET);
    let comment = github
        .upsert_comment(number, &marker, &body)
        .await
        .map_err(|e| e.to_string())?;
    Ok(Some(comment.url))
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
