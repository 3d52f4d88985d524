//! A plan as people and programs read it.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;
use serde_json::Value;

use super::{Action, ModelPlan, target::Stage};
use crate::{
    config::Origin,
    report::Difference,
    units::{human_bytes, human_duration},
};

/// One model's plan, flat and stable for programs (`plan --json`).
#[derive(Debug, Serialize)]
pub struct Shown {
    pub service: String,
    pub kind: String,
    pub project: String,
    pub region: String,
    pub model: String,
    pub model_revision: String,
    pub weights_bytes: u64,
    pub image: String,
    /// `null` when the image has to be built.
    pub image_digest: Option<String>,
    /// `create`, `update`, `resume`, `pinned`, `wait` or `nothing`.
    pub action: &'static str,
    pub new_revision: bool,
    pub changes: Vec<String>,
    pub steps: Vec<String>,
    pub startup_window_seconds: u64,
    pub hourly_cost_usd: Option<f64>,
    /// Of an hour in which nobody calls.
    pub idle_cost_usd: Option<f64>,
    /// A preview against production as it is live; `null` for production, and where there is none.
    pub differences: Option<Vec<Difference>>,
    pub warnings: Vec<String>,
}

impl From<&ModelPlan> for Shown {
    fn from(plan: &ModelPlan) -> Self {
        let (action, new_revision, changes) = match &plan.action {
            Action::Create => ("create", true, Vec::new()),
            Action::Update {
                changes,
                new_revision,
            } => (
                "update",
                *new_revision,
                changes.iter().map(ToString::to_string).collect(),
            ),
            Action::Resume { .. } => ("resume", false, Vec::new()),
            Action::Pinned { .. } => ("pinned", false, Vec::new()),
            Action::Wait { .. } => ("wait", false, Vec::new()),
            Action::Nothing => ("nothing", false, Vec::new()),
        };
        Self {
            service: plan.target.service.clone(),
            kind: kind(&plan.target.stage),
            project: plan.target.project.clone(),
            region: plan.target.region.clone(),
            model: plan.target.model.id.clone(),
            model_revision: plan.facts.commit.clone(),
            weights_bytes: plan.facts.weights_bytes,
            image: format!("{}:{}", plan.facts.image_path, plan.facts.image_key),
            image_digest: plan.facts.image_digest.clone(),
            action,
            new_revision,
            changes,
            steps: plan.steps(),
            startup_window_seconds: plan.startup_window.as_secs(),
            hourly_cost_usd: plan.hourly_cost_usd,
            idle_cost_usd: plan.idle_cost_usd,
            differences: None,
            warnings: plan.warnings.clone(),
        }
    }
}

fn kind(stage: &Stage) -> String {
    match stage {
        Stage::Production => "production".to_owned(),
        Stage::Preview { pull_request, .. } => format!("preview of #{pull_request}"),
    }
}

/// How a preview differs from production, for the terminal.
pub fn differences(rows: &[Difference]) -> String {
    let or_none = |text: &str| if text.is_empty() { "(none)" } else { text }.to_owned();
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        let name = if index == 0 { "changes" } else { "" };
        let (production, preview) = (or_none(&row.production), or_none(&row.preview));
        let _ = writeln!(
            out,
            "  {name:<9} {}: {production} in production, {preview} here",
            row.what
        );
    }
    out
}

/// One model's plan for the terminal.
pub fn text(plan: &ModelPlan) -> String {
    let shown = Shown::from(plan);
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String can't fail.
        let _ = writeln!(out, "  {name:<9} {value}");
    };
    line(
        "target",
        &format!("{} in {} / {}", shown.kind, shown.project, shown.region),
    );
    line("model", &format!("{} @ {}", shown.model, shown.model_revision));
    let state = match &shown.image_digest {
        Some(digest) => format!("is there ({digest})"),
        None => format!("to be built, {} of weights", human_bytes(shown.weights_bytes)),
    };
    line("image", &format!("{} {state}", shown.image));
    let steps = if shown.steps.is_empty() {
        "nothing to do".to_owned()
    } else {
        shown.steps.join(", then ")
    };
    line("steps", &steps);
    for change in &shown.changes {
        line("", change);
    }
    line(
        "startup",
        &format!(
            "up to {} until /health answers",
            human_duration(plan.startup_window)
        ),
    );
    let cost = shown.hourly_cost_usd.map_or_else(
        || "list price not known for this region or GPU".to_owned(),
        |usd| {
            let idle = match (plan.target.model.service.min_instances, shown.idle_cost_usd) {
                (always @ 1.., Some(idle)) => format!("{always} always run: ${idle:.2} per hour"),
                _ => "nothing while scaled to zero".to_owned(),
            };
            format!("${usd:.2} per hour of a running instance (list price); {idle}")
        },
    );
    line("cost", &cost);
    for warning in &shown.warnings {
        line("warning", warning);
    }
    format!("{}\n{out}", shown.service)
}

/// Every setting with its value and where it came from.
pub fn settings(config: &Value, origins: &BTreeMap<String, Origin>) -> Vec<(String, String, String)> {
    origins
        .iter()
        .map(|(path, origin)| {
            let value = lookup(config, path).map_or_else(|| "not set".to_owned(), plain);
            let origin = match origin {
                Origin::Default => "default".to_owned(),
                Origin::File(line) => format!("line {line} of the file"),
                Origin::Input(name) => format!("input `{name}`"),
            };
            (path.clone(), value, origin)
        })
        .collect()
}

/// `models[0].service.cpu` in a JSON value.
fn lookup<'a>(config: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(config, |at, part| {
        let (name, indices) = part
            .split_once('[')
            .map_or((part, ""), |(name, rest)| (name, rest));
        let at = at.get(name)?;
        indices
            .split('[')
            .filter(|i| !i.is_empty())
            .try_fold(at, |at, index| {
                at.get(index.trim_end_matches(']').parse::<usize>().ok()?)
            })
    })
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_is_found_by_its_dotted_path() {
        let config = json!({"project": "p", "models": [{"service": {"cpu": 8}}]});
        assert_eq!(lookup(&config, "models[0].service.cpu"), Some(&json!(8)));
        assert_eq!(lookup(&config, "models[1].service.cpu"), None);
        assert_eq!(lookup(&config, "project"), Some(&json!("p")));
    }
}
