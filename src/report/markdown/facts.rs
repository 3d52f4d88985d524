//! The table that says what is deployed.

use std::fmt::Write as _;

use super::{cell, fold, limits::Limits};
use crate::report::escape::{cell_code, clip, link, prose, url_link};
use crate::report::{ModelReport, Status, words};

pub fn render(model: &ModelReport, out: &mut String) {
    let rows = rows(model);
    for (i, (name, value)) in rows.iter().enumerate() {
        let _ = writeln!(out, "| {name} | {value} |");
        if i == 0 {
            out.push_str("| :-- | :-- |\n");
        }
    }
    out.push('\n');
}

/// The first row is the table's head.
fn rows(model: &ModelReport) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(url) = &model.url {
        rows.push(("Endpoint", format!("**{}**", url_link(url))));
    }
    rows.push(("Model", model_cell(model)));
    if let Some(image) = &model.image {
        rows.push(("Image", cell_code(&clip(&words::short_image(image), 160))));
    }
    rows.push(("Service", cell(Some(&model.service), 80)));
    if let Some(revision) = &model.revision {
        rows.push(("Revision", cell(Some(revision), 80)));
    }
    if model.url.is_some() {
        rows.push(("Access", words::access(model).to_owned()));
    }
    if let Some(cost) = words::cost(model) {
        rows.push(("Cost", prose(&cost)));
    }
    if let Some(at) = model.expires_at {
        rows.push(("Expires", words::time(at)));
    }
    rows
}

fn model_cell(model: &ModelReport) -> String {
    let id = link(
        &cell_code(&clip(&model.model, 120)),
        &format!("https://huggingface.co/{}", model.model),
    );
    match &model.model_revision {
        Some(revision) => {
            let short = cell_code(&clip(revision, 40).chars().take(12).collect::<String>());
            format!("{id} at {}", link(&short, &words::huggingface(model)))
        }
        None => id,
    }
}

/// Against what was live before. Folded when a reviewer has the differences to production.
pub fn changes(model: &ModelReport, limits: &Limits, out: &mut String) {
    if model.changes.is_empty() {
        // Nothing was compared when the run ended early or only tested or deleted.
        return;
    }
    let mut list = String::new();
    for change in model.changes.iter().take(limits.items) {
        let _ = writeln!(list, "- {}", prose(&clip(change, limits.prose)));
    }
    more(model.changes.len(), limits.items, &mut list);
    let what = if matches!(model.status, Status::Skipped | Status::Queued | Status::Running) {
        "What would change"
    } else {
        "What changed"
    };
    if model.differences.is_some() {
        let summary = format!(
            "🧾 <b>{what}</b> since the last deployment: {}",
            model.changes.len()
        );
        fold(&summary, false, &list, out);
    } else {
        let _ = writeln!(out, "**{what}**\n\n{list}");
    }
}

/// Says how many entries of a list are not shown.
pub fn more(all: usize, shown: usize, out: &mut String) {
    if all > shown {
        let _ = writeln!(out, "- … and {} more", all - shown);
    }
}
