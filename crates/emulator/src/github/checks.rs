//! Check runs, with GitHub's rules about how they end and how long their texts may be.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Answer, Context, answers,
    refusal::Refusal,
    state::{StoredCheck, now},
};

/// Characters of a summary and of a text.
const MOST_TEXT: usize = 65_535;
const MOST_ANNOTATIONS: usize = 50;

pub(super) fn create(context: &mut Context<'_>) -> Answer {
    let docs = context.operation.docs.clone();
    let head_sha = context.text("head_sha").unwrap_or_default();
    if head_sha.len() != 40 || !head_sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let message = format!("No commit found for SHA: {head_sha}");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, &message, &docs));
    }
    check_end(context)?;
    let mut check = StoredCheck {
        id: context.repo.take_id(),
        name: context.text("name").unwrap_or_default(),
        head_sha,
        status: "queued".to_owned(),
        conclusion: None,
        details_url: None,
        external_id: String::new(),
        title: None,
        summary: None,
        annotations: Vec::new(),
        started_at: now(),
        completed_at: None,
    };
    change(context, &mut check)?;
    let answer = answers::check_run(&context.api, context.repo, &check);
    context.repo.checks.push(check);
    Ok((StatusCode::CREATED, answer))
}

pub(super) fn update(context: &mut Context<'_>) -> Answer {
    check_end(context)?;
    let (id, missing) = (context.id(), context.not_found());
    let at = context.repo.checks.iter().position(|one| one.id == id);
    let at = at.ok_or(missing)?;
    let mut check = context.repo.checks.remove(at);
    let changed = change(context, &mut check);
    let answer = answers::check_run(&context.api, context.repo, &check);
    context.repo.checks.insert(at, check);
    changed.map(|()| (StatusCode::OK, answer))
}

pub(super) fn list(context: &mut Context<'_>) -> Answer {
    let git_ref = context.rest.first().cloned().unwrap_or_default();
    let wanted = |name: &str, value: &str| context.call.query(name).is_none_or(|wanted| wanted == value);
    let mut found: Vec<&StoredCheck> = context
        .repo
        .checks
        .iter()
        .rev()
        .filter(|one| {
            one.head_sha == git_ref && wanted("check_name", &one.name) && wanted("status", &one.status)
        })
        .collect();
    if context.call.query("filter") != Some("all") {
        let mut seen = std::collections::HashSet::new();
        found.retain(|one| seen.insert(one.name.clone()));
    }
    let size = context.call.query("per_page").and_then(|n| n.parse().ok());
    let page: usize = context
        .call
        .query("page")
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let size: usize = size.unwrap_or(30).clamp(1, 100);
    let total = found.len();
    let runs: Vec<Value> = found
        .into_iter()
        .skip(page.saturating_sub(1).saturating_mul(size))
        .take(size)
        .map(|one| answers::check_run(&context.api, context.repo, one))
        .collect();
    Ok((
        StatusCode::OK,
        json!({ "total_count": total, "check_runs": runs }),
    ))
}

/// A check run that has ended says how; one that says how has ended.
fn check_end(context: &Context<'_>) -> Result<(), Refusal> {
    if context.text("status").as_deref() == Some("completed") && context.field("conclusion").is_none() {
        return Err(Refusal::invalid(
            "\"conclusion\" wasn't supplied.",
            &context.operation.docs,
        ));
    }
    Ok(())
}

fn change(context: &Context<'_>, check: &mut StoredCheck) -> Result<(), Refusal> {
    let docs = &context.operation.docs;
    let refused = |field: &str, problem: &str| Err(Refusal::validation("CheckRun", field, problem, docs));
    if let Some(url) = context.text("details_url") {
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return refused("details_url", "details_url must use http or https scheme");
        }
        check.details_url = Some(url);
    }
    let output = context.field("output").cloned().unwrap_or_default();
    for field in ["summary", "text"] {
        let length = output[field].as_str().unwrap_or_default().chars().count();
        if length > MOST_TEXT {
            let problem = format!("Only {MOST_TEXT} characters are allowed; {length} were supplied.");
            return refused(field, &problem);
        }
    }
    let annotations = output["annotations"].as_array().cloned().unwrap_or_default();
    if annotations.len() > MOST_ANNOTATIONS {
        let problem = format!(
            "No more than {MOST_ANNOTATIONS} items are allowed; {} were supplied.",
            annotations.len()
        );
        return refused("annotations", &problem);
    }
    let line = |one: &Value, name: &str| one[name].as_u64().unwrap_or(0);
    if annotations
        .iter()
        .any(|one| line(one, "start_line") < 1 || line(one, "end_line") < line(one, "start_line"))
    {
        return refused(
            "annotations",
            "start_line must be 1 or more, end_line not before it",
        );
    }
    check.annotations.extend(annotations);
    let text = |name: &str| output[name].as_str().map(str::to_owned);
    check.title = text("title").or_else(|| check.title.take());
    check.summary = text("summary").or_else(|| check.summary.take());
    check.external_id = context
        .text("external_id")
        .unwrap_or_else(|| std::mem::take(&mut check.external_id));
    if let Some(name) = context.text("name") {
        check.name = name;
    }
    if let Some(status) = context.text("status") {
        check.status = status;
    }
    if let Some(conclusion) = context.text("conclusion") {
        check.conclusion = Some(conclusion);
        "completed".clone_into(&mut check.status);
        check.completed_at = Some(context.text("completed_at").unwrap_or_else(now));
    }
    Ok(())
}
