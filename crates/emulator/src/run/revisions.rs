//! Revisions: how they are made, and the methods of `projects.locations.services.revisions`.

use serde_json::{Value, json};

use super::{
    backend::Backend,
    conditions::{self, RECONCILING},
    operations::Operation,
    record::{Revision, Service},
    refusal::Refusal,
    services::{flag, id, missing, same_etag},
};
use crate::{Call, Reply, Shared};

type Answer = Result<Reply, Refusal>;

/// A template without the name that it gives its revision.
fn unnamed(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(map) = template.as_object_mut() {
        map.shift_remove("revision");
    }
    template
}

/// Refuses a template whose revision name is taken by another template.
///
/// # Errors
/// 409, in Cloud Run's words.
pub fn conflict(service: &Service) -> Result<(), Refusal> {
    let template = &service.spec["template"];
    let Some(name) = template["revision"].as_str() else {
        return Ok(());
    };
    match service.revisions.get(name) {
        Some(old) if unnamed(&old.template) != unnamed(template) => Err(Refusal::already_exists(format!(
            "spec.template.metadata.name: Revision named '{name}' with different configuration already exists."
        ))),
        _ => Ok(()),
    }
}

/// Makes the revision of the service's template, or finds it by its name; answers its name.
///
/// # Errors
/// 409 when another template has the name.
pub fn make(emulator: &Shared, service: &mut Service) -> Result<String, Refusal> {
    conflict(service)?;
    let template = service.spec["template"].clone();
    let name = template["revision"]
        .as_str()
        .map_or_else(|| service.next_name(), str::to_owned);
    service.latest_created.clone_from(&name);
    if service.revisions.contains_key(&name) {
        return Ok(name);
    }
    service.made += 1;
    let mut conditions = Vec::new();
    for kind in [
        "Ready",
        "ContainerReady",
        "ResourcesAvailable",
        "ContainerHealthy",
        "Active",
    ] {
        conditions::set(&mut conditions, kind, RECONCILING, "");
    }
    let now = conditions::now();
    let revision = Revision {
        name: name.clone(),
        backend: Backend::new(
            emulator,
            &service.id,
            &name,
            &template,
            service.stop.child_token(),
        ),
        template,
        conditions,
        reconciling: true,
        ready: false,
        uid: uuid::Uuid::new_v4().to_string(),
        created: now.clone(),
        updated: now,
    };
    service.revisions.insert(name.clone(), revision);
    Ok(name)
}

fn missing_revision(call: &Call) -> Refusal {
    Refusal::not_found(format!(
        "Resource '{}' of kind 'REVISION' in region '{}' in project '{}' does not exist.",
        call.param("revisionsId"),
        call.param("locationsId"),
        call.param("projectsId")
    ))
}

pub fn get(emulator: &Shared, call: &Call) -> Answer {
    let view = |s: &mut Service| {
        s.revisions
            .get(call.param("revisionsId"))
            .map(|r| s.revision_view(r))
    };
    let view = emulator
        .run
        .with(&id(call), view)
        .flatten()
        .ok_or_else(|| missing_revision(call))?;
    Ok(Reply::ok(&view))
}

/// Newest first; `services/-` lists those of all services of the region.
pub fn list(emulator: &Shared, call: &Call) -> Answer {
    let id = id(call);
    let views = |s: &mut Service| {
        s.revisions
            .values()
            .rev()
            .map(|r| s.revision_view(r))
            .collect::<Vec<_>>()
    };
    let all = if id.service == "-" {
        let mut state = super::lock(&emulator.run.state);
        let here = state
            .services
            .values_mut()
            .filter(|s| s.id.project == id.project && s.id.region == id.region);
        here.flat_map(views).collect()
    } else {
        emulator.run.with(&id, views).ok_or_else(|| missing(&id))?
    };
    Ok(super::page(call, "revisions", all))
}

pub fn delete(emulator: &Shared, call: &Call) -> Answer {
    let id = id(call);
    let name = call.param("revisionsId");
    let act = |s: &mut Service| {
        let view = s
            .revisions
            .get(name)
            .map(|r| s.revision_view(r))
            .ok_or_else(|| missing_revision(call))?;
        same_etag(call.query("etag"), &s.etag, name)?;
        if s.is_referenced(name) {
            let text = format!("Revision '{name}' can't be deleted: it receives traffic or has a tag.");
            return Err(Refusal::precondition(text));
        }
        if s.latest_created == name {
            let text = format!("Revision '{name}' can't be deleted: it is the latest created revision.");
            return Err(Refusal::precondition(text));
        }
        if !flag(call, "validateOnly")
            && let Some(revision) = s.revisions.shift_remove(name)
        {
            revision.backend.scale_in();
        }
        Ok(view)
    };
    let mut view = emulator.run.with(&id, act).ok_or_else(|| missing(&id))??;
    view["deleteTime"] = json!(conditions::now());
    let operation = Operation::finished(&id, Ok(view)).of_revision();
    let answer = operation.view(None);
    emulator.run.keep(operation);
    Ok(Reply::ok(&answer))
}
