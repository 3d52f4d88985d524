//! The steps on a page, and as JSON.

use serde_json::{Value, json};

use super::{Action, State, Step, Wanted, gcloud};
use crate::report::escape::line;

/// One line for each step, with what it consists of below those that are still to be done. With `commands` the
/// gcloud commands that do the same.
pub fn page(wanted: &Wanted, steps: &[Step], commands: bool) -> String {
    let mut out = format!(
        "project {} · region {} · repository {}\n",
        wanted.project, wanted.region, wanted.github.full_name
    );
    for step in steps {
        out.push_str(&text(step));
        if let (true, State::ToDo(action)) = (commands, &step.state) {
            for command in gcloud::commands(wanted, action) {
                out.push_str(&format!("      $ {}\n", line(&command)));
            }
        }
    }
    out
}

/// One step, ending in a newline.
pub fn text(step: &Step) -> String {
    let (mark, words) = match &step.state {
        State::Exists => ("✓", "exists".to_owned()),
        State::Done => ("✔", "done".to_owned()),
        State::ToDo(action) => ("+", verb(action).to_owned()),
        State::Left(why) => ("!", format!("left as it is: {why}")),
        State::Refused(why) => ("✘", why.clone()),
    };
    let mut out = format!("  {mark} {} · {}\n", line(&step.title), line(&words));
    if !matches!(step.state, State::Exists | State::Done) {
        for detail in &step.details {
            out.push_str(&format!("      {}\n", line(detail)));
        }
    }
    out
}

/// What a step is about to do.
pub fn verb(action: &Action) -> &'static str {
    match action {
        Action::EnableApis(_) => "turn on",
        Action::CreateAccount { .. }
        | Action::CreatePool
        | Action::CreateProvider
        | Action::CreateBucket
        | Action::CreateRepository
        | Action::CreateSecret { .. } => "create",
        Action::EnableAccount { .. } | Action::EnablePool => "enable, it is disabled",
        Action::UndeletePool | Action::UndeleteProvider => "restore, it was deleted in the last 30 days",
        Action::PatchProvider | Action::SetLifecycle | Action::SetCleanup => "change",
        Action::AddToken { .. } => "add",
        Action::Grant { .. } => "grant",
        Action::Revoke { .. } => "take away from the others",
        Action::Write(_) => "write",
    }
}

/// As a program reads it. `number` is the project's, when it is known.
pub fn json(wanted: &Wanted, number: Option<&str>, steps: &[Step]) -> Value {
    let steps: Vec<Value> = steps
        .iter()
        .map(|step| {
            let (state, more) = match &step.state {
                State::Exists => ("exists", None),
                State::Done => ("done", None),
                State::ToDo(_) => ("to-do", None),
                State::Left(why) => ("left", Some(why)),
                State::Refused(why) => ("refused", Some(why)),
            };
            let mut out = json!({"id": step.id, "step": step.title, "state": state, "details": step.details});
            if let Some(why) = more {
                out["why"] = why.as_str().into();
            }
            if let State::ToDo(action) = &step.state {
                out["gcloud"] = gcloud::commands(wanted, action).into();
            }
            out
        })
        .collect();
    json!({
        "project": wanted.project,
        "region": wanted.region,
        "repository": {
            "name": wanted.github.full_name, "id": wanted.github.id, "owner-id": wanted.github.owner_id,
        },
        "steps": steps,
        "workload-identity-provider": number.map(|number| wanted.provider_name(number)),
        "service-account": wanted.deployer,
        "preview-service-account": wanted.preview_deployer,
        "build-service-account": wanted.builder,
        "runtime-service-accounts": wanted.runtimes,
    })
}
