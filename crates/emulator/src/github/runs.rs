//! Workflow runs. GitHub has those that tests made; no other exists.

use axum::http::StatusCode;

use super::{Answer, Context, answers};

pub(super) fn get(context: &mut Context<'_>) -> Answer {
    let found = context.repo.runs.iter().find(|run| run.number == context.id());
    let found = found.ok_or_else(|| context.not_found())?;
    Ok((
        StatusCode::OK,
        answers::workflow_run(&context.api, context.repo, found),
    ))
}
