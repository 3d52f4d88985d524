//! Hands a finished report to every surface: files, job summary, outputs, the pull request's comment.
//!
//! The verdict is fixed before: a surface that fails becomes a warning and never changes it.

use std::{borrow::Cow, path::PathBuf};

use super::comment::Sticky;
use crate::{
    file,
    github::actions,
    report::{self, Report},
    secrets::Masks,
};

/// Where the report goes. Absent ones are skipped.
#[derive(Default)]
pub struct Surfaces {
    /// Folder for `report.json`, `report.html`, `comment.md` and `summary.md`.
    pub directory: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub summary: Option<PathBuf>,
    /// `GITHUB_OUTPUT`.
    pub outputs: Option<PathBuf>,
    /// Which comment `comment.md` is: what stands in its hidden line.
    pub target: String,
    /// What no surface shows.
    pub masks: Masks,
}

/// Delivers to every surface; the warnings say which ones failed and why. The comment has told its own.
pub async fn deliver(report: &Report, surfaces: &Surfaces, comment: Option<&mut Sticky<'_>>) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut outputs = report::outputs(report);
    let mut remembering = None;
    if let Some(comment) = comment {
        let url = comment.deliver(report).await;
        outputs.extend(url.map(|url| ("comment-url".to_owned(), url)));
        remembering = Some(comment.remembering(report));
    }
    let report = remembering.as_ref().unwrap_or(report);
    if let Some(directory) = &surfaces.directory {
        match files(report, directory, surfaces) {
            Ok(written) => outputs.extend(written),
            Err(why) => warnings.push(format!(
                "the report was not written to {}: {why}. Choose another folder with `report-dir`",
                directory.display()
            )),
        }
    }
    if let Some(path) = &surfaces.summary
        && let Err(why) =
            actions::write_summary(path, &surfaces.masks.redact(&report::markdown::summary(report)))
    {
        warnings.push(format!(
            "the job summary was not written to {}: {why}",
            path.display()
        ));
    }
    for (_, value) in &mut outputs {
        if let Cow::Owned(redacted) = surfaces.masks.redact(value) {
            *value = redacted;
        }
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

fn files(
    report: &Report,
    directory: &std::path::Path,
    surfaces: &Surfaces,
) -> Result<Vec<(String, String)>, String> {
    // A repository can have a link of this name, to anywhere on the machine.
    if std::fs::symlink_metadata(directory).is_ok_and(|about| about.is_symlink()) {
        return Err("it is a symbolic link".to_owned());
    }
    std::fs::create_dir_all(directory).map_err(|e| e.to_string())?;
    let html = report::html::render(report).map_err(|e| e.to_string())?;
    // The last two have no output of their own.
    let texts = [
        ("report.json", Some("report-json"), report::json::render(report)),
        ("report.html", Some("report-html"), html),
        (
            "comment.md",
            None,
            report::markdown::comment(report, &surfaces.target),
        ),
        ("summary.md", None, report::markdown::summary(report)),
    ];
    let mut written = Vec::new();
    for (name, output, text) in texts {
        let path = directory.join(name);
        let text = match name {
            "report.json" => surfaces.masks.redact_document(&text),
            _ => surfaces.masks.redact(&text),
        };
        file::replace(&path, &text).map_err(|e| e.to_string())?;
        written.extend(output.map(|output| (output.to_owned(), path.display().to_string())));
    }
    Ok(written)
}
