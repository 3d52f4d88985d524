//! Issues, their labels, and pull requests.

use axum::http::StatusCode;
use serde_json::Value;

use super::{
    Answer, Context, answers,
    comments::{ACTOR, check_body},
    refusal::Refusal,
    state::{Issue, now},
};

pub(super) fn list(context: &mut Context<'_>) -> Answer {
    let call = context.call;
    let state = call.query("state").unwrap_or("open");
    let labels: Vec<&str> = call
        .query("labels")
        .unwrap_or_default()
        .split(',')
        .filter(|l| !l.is_empty())
        .collect();
    let creator = call.query("creator");
    let mut issues: Vec<&Issue> = context
        .repo
        .issues
        .values()
        .filter(|issue| state == "all" || issue.open == (state == "open"))
        .filter(|issue| {
            labels
                .iter()
                .all(|label| issue.labels.iter().any(|has| has.eq_ignore_ascii_case(label)))
        })
        .filter(|issue| creator.is_none_or(|creator| issue.user == creator))
        .collect();
    if call.query("direction") != Some("asc") {
        issues.reverse();
    }
    let list = issues
        .into_iter()
        .map(|issue| answers::issue(&context.api, context.repo, issue))
        .collect();
    Ok((StatusCode::OK, Value::Array(list)))
}

pub(super) fn get(context: &mut Context<'_>) -> Answer {
    let issue = context
        .repo
        .issues
        .get(&context.id())
        .ok_or_else(|| missing(context, context.id()))?;
    Ok((StatusCode::OK, answers::issue(&context.api, context.repo, issue)))
}

/// GitHub's own words, also with that status.
fn has_issues(context: &Context<'_>) -> Result<(), Refusal> {
    if context.repo.has_issues {
        return Ok(());
    }
    let docs = &context.operation.docs;
    Err(Refusal::new(
        StatusCode::GONE,
        "Issues are disabled for this repo",
        docs,
    ))
}

/// One that was there is gone for good.
fn missing(context: &Context<'_>, number: u64) -> Refusal {
    if context.repo.is_deleted(number) {
        return Refusal::new(
            StatusCode::GONE,
            "This issue was deleted",
            &context.operation.docs,
        );
    }
    context.not_found()
}

pub(super) fn create(context: &mut Context<'_>) -> Answer {
    has_issues(context)?;
    let title = title(context)?.unwrap_or_default();
    let body = context.text("body");
    check_body(
        body.as_deref().unwrap_or_default(),
        "Issue",
        &context.operation.docs,
    )?;
    let (time, number) = (now(), context.repo.take_number());
    let issue = Issue {
        number,
        title,
        body,
        open: true,
        state_reason: None,
        labels: given_labels(&context.call.json["labels"]),
        user: ACTOR.to_owned(),
        locked: false,
        created_at: time.clone(),
        updated_at: time,
        closed_at: None,
        merged: false,
        head_sha: None,
    };
    let answer = answers::issue(&context.api, context.repo, &issue);
    context.repo.issues.insert(number, issue);
    Ok((StatusCode::CREATED, answer))
}

pub(super) fn update(context: &mut Context<'_>) -> Answer {
    let title = if context.field("title").is_some() {
        title(context)?
    } else {
        None
    };
    let body = context.text("body");
    check_body(
        body.as_deref().unwrap_or_default(),
        "Issue",
        &context.operation.docs,
    )?;
    let (state, reason) = (context.text("state"), context.text("state_reason"));
    let labels = context.field("labels").map(given_labels);
    let number = context.id();
    let missing = missing(context, number);
    let issue = context.repo.issues.get_mut(&number).ok_or(missing)?;
    if let Some(title) = title {
        issue.title = title;
    }
    if body.is_some() {
        issue.body = body;
    }
    if let Some(labels) = labels {
        issue.labels = labels;
    }
    if let Some(state) = state {
        let open = state == "open";
        let default = if open { "reopened" } else { "completed" };
        if open != issue.open {
            issue.state_reason = Some(reason.unwrap_or_else(|| default.to_owned()));
            issue.closed_at = (!open).then(now);
        }
        issue.open = open;
    }
    issue.updated_at = now();
    get(context)
}

fn title(context: &Context<'_>) -> Result<Option<String>, Refusal> {
    let docs = &context.operation.docs;
    let title = match context.field("title") {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(title)) if !title.trim().is_empty() => title.clone(),
        _ => {
            return Err(Refusal::validation(
                "Issue",
                "title",
                "title can't be blank",
                docs,
            ));
        }
    };
    if title.chars().count() > 256 {
        let problem = "title is too long (maximum is 256 characters)";
        return Err(Refusal::validation("Issue", "title", problem, docs));
    }
    Ok(Some(title))
}

/// Names, from the list or from the object that has it.
fn given_labels(value: &Value) -> Vec<String> {
    let list = value.as_array().or_else(|| value["labels"].as_array());
    let name = |label: &Value| {
        label
            .as_str()
            .or_else(|| label["name"].as_str())
            .map(str::to_owned)
    };
    list.map(|list| list.iter().filter_map(name).collect())
        .unwrap_or_default()
}

pub(super) fn labels(context: &mut Context<'_>) -> Answer {
    let issue = context
        .repo
        .issues
        .get(&context.id())
        .ok_or_else(|| context.not_found())?;
    let list = issue
        .labels
        .iter()
        .map(|label| answers::label(&context.api, context.repo, label))
        .collect();
    Ok((StatusCode::OK, Value::Array(list)))
}

pub(super) fn add_labels(context: &mut Context<'_>) -> Answer {
    let more = given_labels(&context.call.json);
    let (number, missing) = (context.id(), context.not_found());
    let issue = context.repo.issues.get_mut(&number).ok_or(missing)?;
    for label in more {
        if !issue.labels.contains(&label) {
            issue.labels.push(label);
        }
    }
    labels(context)
}

pub(super) fn list_pulls(context: &mut Context<'_>) -> Answer {
    let state = context.call.query("state").unwrap_or("open");
    let head = context.call.query("head");
    let owner = context
        .repo
        .full_name
        .split('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let pulls = context
        .repo
        .issues
        .values()
        .rev()
        .filter(|issue| issue.head_sha.is_some());
    let list = pulls
        .filter(|pull| state == "all" || pull.open == (state == "open"))
        .filter(|_| head.is_none_or(|head| head == format!("{owner}:{}", super::HEAD_BRANCH)))
        .map(|pull| answers::pull(&context.api, context.repo, pull))
        .collect();
    Ok((StatusCode::OK, Value::Array(list)))
}

pub(super) fn get_pull(context: &mut Context<'_>) -> Answer {
    let pull = context
        .repo
        .issues
        .get(&context.id())
        .filter(|issue| issue.head_sha.is_some());
    let pull = pull.ok_or_else(|| context.not_found())?;
    Ok((StatusCode::OK, answers::pull(&context.api, context.repo, pull)))
}
