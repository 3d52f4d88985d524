//! Methods of `projects.locations.services`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    conditions, defaults,
    front::Front,
    mask,
    operations::Operation,
    record::{self, Id, Service},
    refusal::Refusal,
    resources, revisions,
    rollout::{self, Rollout},
    traffic, validate,
};
use crate::{Call, Reply, Shared, access::Resource};

type Answer = Result<Reply, Refusal>;

pub fn id(call: &Call) -> Id {
    Id {
        project: call.param("projectsId").to_owned(),
        region: call.param("locationsId").to_owned(),
        service: call.param("servicesId").to_owned(),
    }
}

pub fn missing(id: &Id) -> Refusal {
    Refusal::not_found(format!(
        "Resource '{}' of kind 'SERVICE' in region '{}' in project '{}' does not exist.",
        id.service, id.region, id.project
    ))
}

pub fn flag(call: &Call, name: &str) -> bool {
    call.query(name) == Some("true")
}

/// Refuses a change that is based on an older state.
pub fn same_etag(given: Option<&str>, current: &str, name: &str) -> Result<(), Refusal> {
    match given.filter(|e| !e.is_empty()) {
        Some(given) if given != current => Err(Refusal::aborted(format!(
            "Conflict for resource '{name}': version '{given}' was specified but current version is '{current}'."
        ))),
        _ => Ok(()),
    }
}

pub fn get(emulator: &Shared, call: &Call) -> Answer {
    let id = id(call);
    let view = emulator.run.with(&id, |s| s.view()).ok_or_else(|| missing(&id))?;
    Ok(Reply::ok(&view))
}

pub fn list(emulator: &Shared, call: &Call) -> Answer {
    let (project, region) = (call.param("projectsId"), call.param("locationsId"));
    if region == "-" {
        return Err(Refusal::invalid(
            "Listing services in all locations ('-') is not supported.",
        ));
    }
    Ok(super::page(
        call,
        "services",
        emulator.run.services(project, region),
    ))
}

pub async fn create(emulator: &Shared, call: &Call) -> Answer {
    let mut id = id(call);
    id.service = call.query("serviceId").unwrap_or_default().to_owned();
    create_as(emulator, call, id).await
}

async fn create_as(emulator: &Shared, call: &Call, id: Id) -> Answer {
    let spec = checked(
        emulator,
        call,
        &id,
        defaults::mutable(&call.json),
        &|_| false,
        true,
    )?;
    if emulator.run.with(&id, |_| ()).is_some() {
        return Err(Refusal::already_exists(format!(
            "Resource '{}' already exists.",
            id.service
        )));
    }
    let stop = emulator.stop.child_token();
    let dry = flag(call, "validateOnly");
    let front = Front::open(
        Arc::downgrade(emulator),
        id.clone(),
        if dry { cancelled() } else { stop.clone() },
    )
    .await;
    let front = front.map_err(|e| Refusal::precondition(format!("No loopback port is free: {e}.")))?;
    let now = conditions::now();
    let mut service = Service {
        id: id.clone(),
        spec,
        uid: uuid::Uuid::new_v4().to_string(),
        creator: call
            .caller
            .as_ref()
            .map_or_else(String::new, |c| c.name().to_owned()),
        created: now.clone(),
        updated: now,
        generation: 0,
        observed: 0,
        etag: record::etag(),
        reconciling: false,
        terminal: Vec::new(),
        conditions: Vec::new(),
        revisions: indexmap::IndexMap::new(),
        latest_created: String::new(),
        latest_ready: None,
        made: 0,
        shares: Vec::new(),
        front,
        tags: std::collections::BTreeMap::new(),
        policy: json!({"version": 1, "etag": "ACAB", "bindings": []}),
        rollout: Arc::default(),
        stop,
    };
    service.begin();
    let revision = revisions::make(emulator, &mut service)?;
    if dry {
        return Ok(answer_dry(&service));
    }
    service.front.admit(&service.spec, &service.policy);
    let rollout = Rollout::of(&service, revision);
    if !emulator.run.add(service) {
        return Err(Refusal::already_exists(format!(
            "Resource '{}' already exists.",
            id.service
        )));
    }
    tokio::spawn(rollout::scale_in_when_idle(Arc::downgrade(emulator), id));
    Ok(begin(emulator, rollout))
}

/// Whether everybody may invoke is a matter of who may change the policy.
fn may_admit(emulator: &Shared, call: &Call, id: &Id) -> Result<(), Refusal> {
    let permission = "run.services.setIamPolicy";
    // The service's own policy can't be read while it is being changed; the project's counts.
    let may = call
        .caller
        .as_ref()
        .is_some_and(|c| emulator.may(c, permission, &Resource::Project));
    if may {
        return Ok(());
    }
    Err(Refusal::denied(format!(
        "Permission '{permission}' denied on resource '{}' (or resource may not exist).",
        id.name()
    )))
}

fn cancelled() -> tokio_util::sync::CancellationToken {
    let token = tokio_util::sync::CancellationToken::new();
    token.cancel();
    token
}

/// The answer to `validateOnly`: what would be, kept nowhere.
fn answer_dry(service: &Service) -> Reply {
    Reply::ok(&Operation::finished(&service.id, Ok(service.view())).view(None))
}

fn begin(emulator: &Shared, rollout: Rollout) -> Reply {
    let operation = emulator.run.keep(Operation::new(&rollout.id));
    let view = emulator.run.operation(&operation).unwrap_or_default();
    tokio::spawn(rollout::run(Arc::clone(emulator), rollout, operation));
    Reply::ok(&view)
}

/// Fills in the defaults and applies every rule.
fn checked(
    emulator: &Shared,
    call: &Call,
    id: &Id,
    mut spec: Value,
    exists: &dyn Fn(&str) -> bool,
    new_template: bool,
) -> Result<Value, Refusal> {
    let limits = emulator.run.limits();
    defaults::fill(&mut spec, &limits);
    validate::service(&id.service, &id.region, &spec)?;
    if new_template {
        let most = spec
            .pointer("/template/scaling/maxInstanceCount")
            .and_then(Value::as_u64)
            .unwrap_or(1);
        let whole = spec
            .pointer("/scaling/maxInstanceCount")
            .and_then(Value::as_u64)
            .unwrap_or(most);
        resources::quota(&spec["template"], most.min(whole), &limits)?;
        let account = spec.pointer("/template/serviceAccount").and_then(Value::as_str);
        super::act_as(emulator, call, account.unwrap_or_default())?;
    }
    let made = spec.pointer("/template/revision").and_then(Value::as_str);
    let known = |name: &str| made == Some(name) || exists(name);
    traffic::check(
        &id.service,
        spec["traffic"].as_array().map(Vec::as_slice).unwrap_or_default(),
        &known,
    )?;
    Ok(spec)
}

pub async fn patch(emulator: &Shared, call: &Call) -> Answer {
    let id = id(call);
    if emulator.run.with(&id, |_| ()).is_none() {
        if flag(call, "allowMissing") {
            return create_as(emulator, call, id).await;
        }
        return Err(missing(&id));
    }
    let change = |service: &mut Service| changed(emulator, call, service);
    let next = emulator.run.with(&id, change).ok_or_else(|| missing(&id))??;
    Ok(match next {
        Next::Answer(reply) => reply,
        Next::Done(operation) => {
            let answer = operation.view(None);
            emulator.run.keep(*operation);
            Reply::ok(&answer)
        }
        Next::Begin(rollout) => begin(emulator, *rollout),
    })
}

enum Next {
    Answer(Reply),
    Done(Box<Operation>),
    Begin(Box<Rollout>),
}

fn changed(emulator: &Shared, call: &Call, service: &mut Service) -> Result<Next, Refusal> {
    same_etag(call.json["etag"].as_str(), &service.etag, &service.id.service)?;
    let incoming = defaults::mutable(&call.json);
    let merged = mask::apply(&service.spec, &incoming, call.query("updateMask"))?;
    let open = |spec: &Value| spec["invokerIamDisabled"] == true;
    if open(&merged) != open(&service.spec) {
        may_admit(emulator, call, &service.id)?;
    }
    let exists = |name: &str| service.revisions.contains_key(name);
    let mut before = service.spec.clone();
    // Whether the template is new is known only with the defaults filled in, so the quota comes second.
    let spec = checked(emulator, call, &service.id, merged.clone(), &exists, false)?;
    let new_template = spec["template"] != before["template"];
    if new_template {
        checked(emulator, call, &service.id, merged, &exists, true)?;
    }
    let force = flag(call, "forceNewRevision");
    if flag(call, "validateOnly") {
        std::mem::swap(&mut service.spec, &mut before);
        service.spec = spec;
        let fits = if new_template {
            revisions::conflict(service)
        } else {
            Ok(())
        };
        let reply = answer_dry(service);
        service.spec = before;
        fits?;
        return Ok(Next::Answer(reply));
    }
    if spec == service.spec && !force {
        let done = Operation::finished(&service.id, Ok(service.view()));
        return Ok(Next::Done(Box::new(done)));
    }
    let old = std::mem::replace(&mut service.spec, spec);
    if new_template && let Err(refusal) = revisions::conflict(service) {
        service.spec = old;
        return Err(refusal);
    }
    service.begin();
    let revision = if new_template || force {
        revisions::make(emulator, service)?
    } else {
        service.latest_created.clone()
    };
    service.front.admit(&service.spec, &service.policy);
    Ok(Next::Begin(Box::new(Rollout::of(service, revision))))
}

pub fn delete(emulator: &Shared, call: &Call) -> Answer {
    let id = id(call);
    let dry = flag(call, "validateOnly");
    let check = |s: &mut Service| same_etag(call.query("etag"), &s.etag, &id.service).map(|()| s.view());
    let mut view = emulator.run.with(&id, check).ok_or_else(|| missing(&id))??;
    if !dry && let Some(service) = emulator.run.remove(&id) {
        // Closes the listeners and ends every process.
        service.stop.cancel();
        for revision in service.revisions.values() {
            revision.backend.scale_in();
        }
    }
    view["deleteTime"] = json!(conditions::now());
    if dry {
        return Ok(Reply::ok(&Operation::finished(&id, Ok(view)).view(None)));
    }
    let operation = emulator.run.keep(Operation::new(&id));
    let answer = emulator
        .run
        .with_operation(&operation, |o| o.view(Some(&view)))
        .unwrap_or_default();
    let emulator = Arc::clone(emulator);
    tokio::spawn(async move {
        rollout::pretend(&emulator, 0.3).await;
        emulator.run.finish(&operation, Ok(view));
    });
    Ok(Reply::ok(&answer))
}
