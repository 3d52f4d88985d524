//! Comments on issues and pull requests.

use axum::http::StatusCode;
use serde_json::Value;

use super::{
    Answer, Context, GitHub, answers,
    refusal::Refusal,
    state::{StoredComment, now},
};

/// Characters that a body may have.
pub const MOST_BODY: usize = 65_536;
/// Who the job's token writes as.
pub const ACTOR: &str = "github-actions[bot]";

impl GitHub {
    /// Somebody edits a comment by hand. Nothing happens when there is none.
    pub fn edit_comment(&self, repository: &str, id: u64, body: &str) {
        if let Some(repo) = self.lock().repo(repository)
            && let Some(comment) = repo.comments.iter_mut().find(|comment| comment.id == id)
        {
            body.clone_into(&mut comment.body);
            comment.updated_at = now();
        }
    }

    /// Somebody deletes a comment by hand.
    pub fn delete_comment(&self, repository: &str, id: u64) {
        if let Some(repo) = self.lock().repo(repository) {
            repo.comments.retain(|comment| comment.id != id);
        }
    }
}

pub(super) fn list(context: &mut Context<'_>) -> Answer {
    let number = context.id();
    if !context.repo.issues.contains_key(&number) {
        return Err(context.not_found());
    }
    let since = context.call.query("since").unwrap_or_default();
    let comments = context
        .repo
        .comments
        .iter()
        .filter(|c| c.issue == number && c.updated_at.as_str() >= since);
    let list = comments
        .map(|comment| answers::comment(&context.api, context.repo, comment))
        .collect();
    Ok((StatusCode::OK, Value::Array(list)))
}

pub(super) fn create(context: &mut Context<'_>) -> Answer {
    let body = body(context)?;
    let number = context.id();
    let issue = context.repo.issues.get(&number);
    let issue = issue.ok_or_else(|| context.not_found())?;
    if issue.locked {
        let message = "Unable to create comment because issue is locked.";
        let docs = &context.operation.docs;
        return Err(Refusal::new(StatusCode::FORBIDDEN, message, docs));
    }
    let time = now();
    let comment = StoredComment {
        id: context.repo.take_id(),
        issue: number,
        user: ACTOR.to_owned(),
        body,
        created_at: time.clone(),
        updated_at: time,
    };
    let answer = answers::comment(&context.api, context.repo, &comment);
    context.repo.comments.push(comment);
    Ok((StatusCode::CREATED, answer))
}

pub(super) fn get(context: &mut Context<'_>) -> Answer {
    let comment = context
        .repo
        .comments
        .iter()
        .find(|comment| comment.id == context.id());
    let comment = comment.ok_or_else(|| context.not_found())?;
    Ok((
        StatusCode::OK,
        answers::comment(&context.api, context.repo, comment),
    ))
}

pub(super) fn update(context: &mut Context<'_>) -> Answer {
    let (id, body) = (context.id(), body(context)?);
    own(context, id)?;
    if let Some(comment) = context.repo.comments.iter_mut().find(|comment| comment.id == id) {
        comment.body = body;
        comment.updated_at = now();
    }
    get(context)
}

pub(super) fn delete(context: &mut Context<'_>) -> Answer {
    let id = context.id();
    own(context, id)?;
    context.repo.comments.retain(|comment| comment.id != id);
    Ok((StatusCode::NO_CONTENT, Value::Null))
}

/// A token with write access may change anybody's comments; there must be one.
fn own(context: &Context<'_>, id: u64) -> Result<(), Refusal> {
    let found = context.repo.comments.iter().any(|comment| comment.id == id);
    if found { Ok(()) } else { Err(context.not_found()) }
}

fn body(context: &Context<'_>) -> Result<String, Refusal> {
    let body = context.text("body").unwrap_or_default();
    check_body(&body, "IssueComment", &context.operation.docs)?;
    if body.trim().is_empty() {
        return Err(Refusal::validation(
            "IssueComment",
            "data",
            "Body cannot be blank",
            &context.operation.docs,
        ));
    }
    Ok(body)
}

/// Refuses a body that is too long.
pub(super) fn check_body(body: &str, resource: &str, docs: &str) -> Result<(), Refusal> {
    if body.chars().count() > MOST_BODY {
        let problem = format!("Body is too long (maximum is {MOST_BODY} characters)");
        return Err(Refusal::validation(resource, "data", &problem, docs));
    }
    Ok(())
}
