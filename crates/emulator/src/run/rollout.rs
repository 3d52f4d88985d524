//! Rollouts: a change becomes a ready revision and its traffic, or a failed condition.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    backend::{self, Backend, Why},
    conditions::{self, Cause, RECONCILING, SUCCEEDED},
    front::TagFront,
    record::{Id, Revision, Service},
    traffic::{self, Share},
};
use crate::{Emulator, Shared};

/// Seconds that each phase pretends to take at a pace of 1.
const IMPORT: f64 = 1.2;
const PROVISION: f64 = 0.8;
const ROUTE: f64 = 0.4;
/// How often idle instances are looked for and all are counted; oftener when they are kept for a short time.
const LOOK: Duration = Duration::from_secs(30);

/// One change of a service, on its way.
pub struct Rollout {
    pub id: Id,
    revision: String,
    generation: u64,
    traffic: Vec<Value>,
    gate: Arc<tokio::sync::Mutex<()>>,
    stop: CancellationToken,
}

impl Rollout {
    pub fn of(service: &Service, revision: String) -> Self {
        Self {
            id: service.id.clone(),
            revision,
            generation: service.generation,
            traffic: service.spec["traffic"].as_array().cloned().unwrap_or_default(),
            gate: Arc::clone(&service.rollout),
            stop: service.stop.clone(),
        }
    }
}

/// Sleeps for a pretended delay.
pub async fn pretend(emulator: &Emulator, seconds: f64) {
    let factor = emulator.settings.pace.max(0.0);
    if factor > 0.0 {
        tokio::time::sleep(Duration::from_secs_f64(seconds * factor)).await;
    }
}

/// Carries a change out and ends its operation.
pub async fn run(emulator: Shared, rollout: Rollout, operation: String) {
    let _one_at_a_time = rollout.gate.lock().await;
    let outcome = tokio::select! {
        outcome = deploy(&emulator, &rollout) => outcome,
        () = rollout.stop.cancelled() => Err(Cause {
            code: 10,
            condition: "Ready",
            reason: ("revisionReason", "RETIRED"),
            message: "The service was deleted while the change was under way.".to_owned(),
        }),
    };
    let ended = emulator
        .run
        .with(&rollout.id, |service| conclude(service, &rollout, &outcome));
    let result = match (outcome, ended) {
        (Ok(()), Some(view)) => Ok(view),
        (Ok(()), None) => Err((5, format!("Service '{}' was deleted.", rollout.id.service))),
        (Err(cause), _) => Err((
            cause.code,
            conditions::not_ready(&rollout.revision, &cause.message),
        )),
    };
    emulator.run.finish(&operation, result);
}

/// Writes how the change ended into the service; answers the service.
fn conclude(service: &mut Service, rollout: &Rollout, outcome: &Result<(), Cause>) -> Value {
    let current = service.generation == rollout.generation;
    service.updated = conditions::now();
    if current {
        service.reconciling = false;
    }
    match outcome {
        Ok(()) => {
            service.observed = rollout.generation;
            if current {
                for kind in ["RoutesReady", "ConfigurationsReady"] {
                    conditions::set(&mut service.conditions, kind, SUCCEEDED, "");
                }
                conditions::set(&mut service.terminal, "Ready", SUCCEEDED, "");
            }
        }
        // What was served stays: traffic, its statuses and the observed generation are those of before.
        Err(cause) if current => {
            let text = conditions::not_ready(&rollout.revision, &cause.message);
            conditions::fail(
                &mut service.conditions,
                "ConfigurationsReady",
                &text,
                cause.reason,
            );
            conditions::fail(
                &mut service.terminal,
                "Ready",
                &text,
                ("reason", "REVISION_FAILED"),
            );
            if service.shares.is_empty() {
                conditions::fail(
                    &mut service.conditions,
                    "RoutesReady",
                    &text,
                    ("reason", "REVISION_FAILED"),
                );
            } else {
                conditions::set(&mut service.conditions, "RoutesReady", SUCCEEDED, "");
            }
        }
        Err(_) => {}
    }
    service.view()
}

async fn deploy(emulator: &Shared, rollout: &Rollout) -> Result<(), Cause> {
    let started = Instant::now();
    let found = with_revision(emulator, rollout, |r| {
        (r.ready, r.template.clone(), Arc::clone(&r.backend))
    });
    let (ready, template, backend) = found?;
    if !ready {
        if let Err(cause) = bring_up(emulator, rollout, &template, &backend).await {
            with_revision(emulator, rollout, |r| failed(r, &cause))?;
            return Err(cause);
        }
        with_revision(emulator, rollout, |r| {
            r.ready = true;
            r.reconciling = false;
            conditions::set(
                &mut r.conditions,
                "Ready",
                SUCCEEDED,
                &conditions::deployed(started.elapsed()),
            );
            conditions::set(&mut r.conditions, "Active", SUCCEEDED, "");
        })?;
        emulator
            .run
            .with(&rollout.id, |s| s.latest_ready = Some(rollout.revision.clone()));
    }
    pretend(emulator, ROUTE).await;
    route(emulator, rollout).await
}

fn failed(revision: &mut Revision, cause: &Cause) {
    revision.reconciling = false;
    conditions::fail(
        &mut revision.conditions,
        cause.condition,
        &cause.message,
        cause.reason,
    );
    conditions::fail(&mut revision.conditions, "Ready", &cause.message, cause.reason);
    conditions::fail(
        &mut revision.conditions,
        "Active",
        "",
        ("revisionReason", "NO_DEPLOYMENT"),
    );
}

fn with_revision<T>(
    emulator: &Shared,
    rollout: &Rollout,
    act: impl FnOnce(&mut Revision) -> T,
) -> Result<T, Cause> {
    let found = emulator.run.with(&rollout.id, |s| {
        s.updated = conditions::now();
        s.revisions.get_mut(&rollout.revision).map(|r| {
            r.updated = conditions::now();
            act(r)
        })
    });
    found.flatten().ok_or_else(|| Cause {
        code: 5,
        condition: "Ready",
        reason: ("revisionReason", "RETIRED"),
        message: format!("Revision {} does not exist or is deleted", rollout.revision),
    })
}

/// Import, start, startup probe; each leaves its message in a condition.
async fn bring_up(
    emulator: &Shared,
    rollout: &Rollout,
    template: &Value,
    backend: &Arc<Backend>,
) -> Result<(), Cause> {
    let note = |kind: &str, state: &str, text: &str| {
        with_revision(emulator, rollout, |r| {
            conditions::set(&mut r.conditions, kind, state, text);
        })
    };
    let started = Instant::now();
    note("ContainerReady", RECONCILING, "Importing container image.")?;
    for container in template["containers"].as_array().into_iter().flatten() {
        let image = container["image"].as_str().unwrap_or_default();
        if !emulator.registry.has(&rollout.id.project, image) {
            return Err(conditions::image_missing(image));
        }
    }
    pretend(emulator, IMPORT).await;
    note(
        "ContainerReady",
        SUCCEEDED,
        &conditions::imported(started.elapsed()),
    )?;
    let started = Instant::now();
    note(
        "ResourcesAvailable",
        RECONCILING,
        "Provisioning imported containers.",
    )?;
    pretend(emulator, PROVISION).await;
    if template["healthCheckDisabled"].as_bool() == Some(true) {
        note("ResourcesAvailable", SUCCEEDED, "")?;
        return note(
            "ContainerHealthy",
            SUCCEEDED,
            "Container health check was skipped.",
        );
    }
    let probe = backend.probe();
    let waiting = conditions::provisioned(started.elapsed(), probe.window(), probe.delay);
    note("ResourcesAvailable", SUCCEEDED, &waiting)?;
    let started = Instant::now();
    backend.ensure(Why::Deployment).await?;
    tokio::spawn(backend::log_crash(Arc::downgrade(backend)));
    note(
        "ContainerHealthy",
        SUCCEEDED,
        &conditions::healthy(started.elapsed()),
    )
}

/// Moves the traffic, opens and closes the tags' listeners, retires what nothing refers to.
async fn route(emulator: &Shared, rollout: &Rollout) -> Result<(), Cause> {
    let gone = || Cause {
        code: 5,
        condition: "Ready",
        reason: ("revisionReason", "RETIRED"),
        message: "The service was deleted.".to_owned(),
    };
    let resolve = |s: &mut Service| {
        let latest = s.latest_ready.clone().unwrap_or_default();
        let shares = traffic::resolve(&rollout.traffic, &latest);
        let tags = shares.iter().filter_map(|share| share.tag.clone());
        let new: Vec<String> = tags.filter(|t| !s.tags.contains_key(t)).collect();
        (shares, new, Arc::clone(&s.front))
    };
    let (shares, new_tags, front) = emulator.run.with(&rollout.id, resolve).ok_or_else(gone)?;
    let mut opened = BTreeMap::new();
    for tag in new_tags {
        let open = front.open_tag(&tag, rollout.stop.child_token()).await;
        opened.insert(tag, open.map_err(|_| gone())?);
    }
    emulator
        .run
        .with(&rollout.id, |s| switch(s, shares, opened))
        .ok_or_else(gone)?
}

fn switch(
    service: &mut Service,
    shares: Vec<Share>,
    opened: BTreeMap<String, TagFront>,
) -> Result<(), Cause> {
    let mut by_share = Vec::new();
    let mut by_tag = BTreeMap::new();
    for share in &shares {
        let found = service.revisions.get(&share.revision).filter(|r| r.ready);
        let Some(revision) = found else {
            return Err(Cause {
                code: 9,
                condition: "Ready",
                reason: ("revisionReason", "NO_DEPLOYMENT"),
                message: format!(
                    "Revision '{}' gets traffic or a tag, but is not ready.",
                    share.revision
                ),
            });
        };
        if share.percent > 0 {
            by_share.push((Arc::clone(&revision.backend), share.percent));
        }
        if let Some(tag) = &share.tag {
            by_tag.insert(tag.clone(), Arc::clone(&revision.backend));
        }
    }
    service.tags.extend(opened);
    service.tags.retain(|tag, _| by_tag.contains_key(tag));
    service.front.route(by_share, by_tag);
    service.shares = shares;
    let referenced: Vec<bool> = service
        .revisions
        .keys()
        .map(|r| service.is_referenced(r))
        .collect();
    for (revision, referenced) in service.revisions.values_mut().zip(referenced) {
        if !referenced && revision.ready {
            revision.backend.scale_in();
            conditions::fail(
                &mut revision.conditions,
                "Active",
                "Revision retired.",
                ("revisionReason", "RETIRED"),
            );
        } else if revision.ready {
            conditions::set(&mut revision.conditions, "Active", SUCCEEDED, "");
        }
    }
    Ok(())
}

/// Scales instances in that nobody has used for a while, and counts all of them for Cloud Monitoring, until the
/// service is gone.
pub async fn scale_in_when_idle(emulator: Weak<Emulator>, id: Id) {
    loop {
        let Some(emulator) = emulator.upgrade() else {
            return;
        };
        let idle = emulator.settings.scaling.idle;
        let look = |service: &mut Service| {
            for revision in service.revisions.values() {
                let backend = &revision.backend;
                if backend.port().is_some() && backend.is_idle() && backend.last_used().elapsed() > idle {
                    backend.scale_in();
                }
                count(&emulator, &id, backend);
            }
            service.stop.clone()
        };
        let Some(stop) = emulator.run.with(&id, look) else {
            return;
        };
        drop(emulator);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep((idle / 10).clamp(Duration::from_millis(10), LOOK)) => {}
        }
    }
}

/// Writes a point of `container/instance_count` for each state.
fn count(emulator: &Emulator, id: &Id, backend: &Backend) {
    let instances = backend.instances();
    for (state, number) in [("active", instances.active), ("idle", instances.idle)] {
        let series = json!({
            "metric": {"type": "run.googleapis.com/container/instance_count", "labels": {"state": state}},
            "resource": {"type": "cloud_run_revision", "labels": {
                "project_id": id.project, "location": id.region, "service_name": id.service,
                "configuration_name": id.service, "revision_name": backend.revision,
            }},
            "metricKind": "GAUGE", "valueType": "INT64",
        });
        emulator.metrics.sample(series, number);
    }
}
