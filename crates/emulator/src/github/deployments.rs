//! Deployments and their statuses, with GitHub's rules about checks, merging and what makes others inactive.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Answer, Context, HEAD_BRANCH, PULL_REQUEST, answers,
    refusal::Refusal,
    state::{Status, StoredDeployment, now},
};

/// Characters that a description may have.
const MOST_DESCRIPTION: usize = 140;

pub(super) fn list(context: &mut Context<'_>) -> Answer {
    let call = context.call;
    let matches = |name: &str, value: &str| {
        call.query(name)
            .is_none_or(|wanted| wanted == "none" || wanted == value)
    };
    let list = context
        .repo
        .deployments
        .iter()
        .rev()
        .filter(|one| matches("environment", &one.environment) && matches("ref", &one.git_ref))
        .filter(|one| matches("sha", &one.sha) && matches("task", &one.task))
        .map(|one| answers::deployment(&context.api, context.repo, one))
        .collect();
    Ok((StatusCode::OK, Value::Array(list)))
}

pub(super) fn get(context: &mut Context<'_>) -> Answer {
    let found = context.repo.deployments.iter().find(|one| one.id == context.id());
    let found = found.ok_or_else(|| context.not_found())?;
    Ok((
        StatusCode::OK,
        answers::deployment(&context.api, context.repo, found),
    ))
}

/// The commit of a branch, a pull request's merge ref or a full commit.
fn commit_of(context: &Context<'_>, git_ref: &str) -> Option<String> {
    let short = git_ref.strip_prefix("refs/heads/").unwrap_or(git_ref);
    let merge = git_ref.strip_prefix("refs/pull/").unwrap_or(git_ref);
    let repo = &context.repo.full_name;
    if short == "main" || short == HEAD_BRANCH {
        return Some(answers::commit(repo, short));
    }
    if merge == format!("{PULL_REQUEST}/merge") || merge == format!("{PULL_REQUEST}/head") {
        return Some(answers::commit(repo, merge));
    }
    (git_ref.len() == 40 && git_ref.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| git_ref.to_owned())
}

pub(super) fn create(context: &mut Context<'_>) -> Answer {
    let docs = &context.operation.docs;
    let git_ref = context.text("ref").unwrap_or_default();
    let sha = commit_of(context, &git_ref).ok_or_else(|| {
        let message = format!("No ref found for: {git_ref}");
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, &message, docs)
    })?;
    check_description(context)?;
    // The branch lacks a commit of main; GitHub merges that first unless it is told not to.
    if git_ref == HEAD_BRANCH && context.flag("auto_merge", true) {
        let message = format!("Auto-merged main into {git_ref} on deployment.");
        return Ok((StatusCode::ACCEPTED, json!({ "message": message })));
    }
    let wants_checks = match context.field("required_contexts").and_then(Value::as_array) {
        Some(contexts) => !contexts.is_empty(),
        None => true,
    };
    if wants_checks && context.repo.checks_pending {
        let message = format!("Conflict: Commit status checks failed for {git_ref}.");
        let error = json!({
            "resource": "Deployment", "field": "required_contexts", "code": "invalid",
            "contexts": [{"context": "llm", "state": "pending"}],
        });
        return Err(Refusal::new(StatusCode::CONFLICT, &message, docs).with_error(error));
    }
    let environment = context
        .text("environment")
        .unwrap_or_else(|| "production".to_owned());
    let deployment = StoredDeployment {
        id: 0,
        sha,
        task: context.text("task").unwrap_or_else(|| "deploy".to_owned()),
        description: context.text("description").filter(|text| !text.is_empty()),
        payload: context.field("payload").cloned().unwrap_or_else(|| json!({})),
        transient: context.flag("transient_environment", false),
        production: context.flag("production_environment", environment == "production"),
        created_at: now(),
        statuses: Vec::new(),
        creator: super::comments::ACTOR.to_owned(),
        git_ref,
        environment,
    };
    let deployment = StoredDeployment {
        id: context.repo.take_id(),
        ..deployment
    };
    let answer = answers::deployment(&context.api, context.repo, &deployment);
    context.repo.deployments.push(deployment);
    Ok((StatusCode::CREATED, answer))
}

fn check_description(context: &Context<'_>) -> Result<(), Refusal> {
    let description = context.text("description").unwrap_or_default();
    if description.chars().count() > MOST_DESCRIPTION {
        let problem = format!("description is too long (maximum is {MOST_DESCRIPTION} characters)");
        return Err(Refusal::validation(
            "DeploymentStatus",
            "description",
            &problem,
            &context.operation.docs,
        ));
    }
    Ok(())
}

pub(super) fn list_statuses(context: &mut Context<'_>) -> Answer {
    let found = context.repo.deployments.iter().find(|one| one.id == context.id());
    let found = found.ok_or_else(|| context.not_found())?;
    let statuses = found.statuses.iter().rev();
    let list = statuses
        .map(|status| answers::status(&context.api, context.repo, found.id, status))
        .collect();
    Ok((StatusCode::OK, Value::Array(list)))
}

pub(super) fn create_status(context: &mut Context<'_>) -> Answer {
    check_description(context)?;
    let docs = context.operation.docs.clone();
    for field in ["environment_url", "log_url", "target_url"] {
        let url = context.text(field).unwrap_or_default();
        if !(url.is_empty() || url.starts_with("https://") || url.starts_with("http://")) {
            let problem = format!("{field} must use http(s) scheme");
            return Err(Refusal::validation("DeploymentStatus", field, &problem, &docs));
        }
    }
    let (id, missing) = (context.id(), context.not_found());
    let environment = context
        .repo
        .deployments
        .iter()
        .find(|one| one.id == id)
        .map(|one| one.environment.clone());
    let environment = environment.ok_or(missing)?;
    let status = Status {
        id: context.repo.take_id(),
        state: context.text("state").unwrap_or_default(),
        description: context.text("description").unwrap_or_default(),
        environment: context.text("environment").unwrap_or_else(|| environment.clone()),
        environment_url: context.text("environment_url").unwrap_or_default(),
        log_url: context
            .text("log_url")
            .or_else(|| context.text("target_url"))
            .unwrap_or_default(),
        created_at: now(),
    };
    if status.state == "success" && context.flag("auto_inactive", true) {
        deactivate_others(context, id, &environment);
    }
    let answer = answers::status(&context.api, context.repo, id, &status);
    if let Some(found) = context.repo.deployments.iter_mut().find(|one| one.id == id) {
        found.statuses.push(status);
    }
    Ok((StatusCode::CREATED, answer))
}

/// A success makes earlier deployments of the same environment inactive, unless they are transient or production.
fn deactivate_others(context: &mut Context<'_>, id: u64, environment: &str) {
    let earlier: Vec<u64> = context
        .repo
        .deployments
        .iter()
        .filter(|one| one.id < id && one.environment == environment && !one.transient && !one.production)
        .filter(|one| {
            one.statuses
                .last()
                .is_some_and(|status| status.state != "inactive")
        })
        .map(|one| one.id)
        .collect();
    for earlier_id in earlier {
        let status = Status {
            id: context.repo.take_id(),
            state: "inactive".to_owned(),
            description: String::new(),
            environment: environment.to_owned(),
            environment_url: String::new(),
            log_url: String::new(),
            created_at: now(),
        };
        if let Some(found) = context
            .repo
            .deployments
            .iter_mut()
            .find(|one| one.id == earlier_id)
        {
            found.statuses.push(status);
        }
    }
}
