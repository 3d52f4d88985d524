//! Cloud Run v2: services, revisions, operations and IAM policies, with a real listener behind each URL.
//!
//! A revision's container is the built-in stand-in, or the command in `Settings::serve` as a process tree of its
//! own. All instances share this machine's loopback, so each listens on a free port of its own: it is given as
//! `PORT`, whatever the specification's `containerPort` (8080 by default) is, and replaces that port in
//! `--port` arguments.

mod backend;
mod conditions;
mod defaults;
mod front;
mod invoker;
mod launch;
mod log;
mod mask;
mod names;
mod operations;
mod policy;
mod probe;
mod probe_rules;
mod process;
mod proxy;
pub(crate) mod quantity;
mod record;
pub(crate) mod refusal;
pub mod resources;
mod revisions;
mod rollout;
mod services;
mod traffic;
mod validate;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use serde_json::{Value, json};

use self::{
    backend::Backend,
    operations::{Operation, Outcome},
    record::{Id, Service},
    refusal::Refusal,
};
use crate::{Call, Reply, Shared, access, iam};

pub use resources::Limits;

/// Services and operations, and what the project may use.
#[derive(Default)]
pub struct Run {
    state: Mutex<State>,
    limits: Mutex<Limits>,
    http: OnceLock<reqwest::Client>,
}

#[derive(Default)]
struct State {
    services: BTreeMap<Id, Service>,
    operations: BTreeMap<String, Operation>,
}

/// Refuses an account that isn't there or that the caller may not use, in the same words.
fn act_as(emulator: &Shared, call: &Call, account: &str) -> Result<(), Refusal> {
    let there = account == iam::default_account() || emulator.iam.email(account).is_some();
    if there && access::act_as(emulator, call.caller.as_ref(), account) {
        return Ok(());
    }
    Err(Refusal::denied(format!(
        "Permission 'iam.serviceaccounts.actAs' denied on service account {account} (or it may not exist)."
    )))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    /// Answers a call whose method and body fit the schema.
    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let method = call
            .id
            .strip_prefix("run.projects.locations.")
            .unwrap_or(&call.id);
        let answer = match method {
            "services.create" => services::create(emulator, call).await,
            "services.patch" => services::patch(emulator, call).await,
            "services.delete" => services::delete(emulator, call),
            "services.get" => services::get(emulator, call),
            "services.list" => services::list(emulator, call),
            "services.getIamPolicy" => policy::get(emulator, call),
            "services.setIamPolicy" => policy::set(emulator, call),
            "services.testIamPermissions" => policy::test(emulator, call),
            "services.revisions.get" => revisions::get(emulator, call),
            "services.revisions.list" => revisions::list(emulator, call),
            "services.revisions.delete" => revisions::delete(emulator, call),
            "operations.get" => Ok(operations::get(emulator, call)),
            "operations.list" => Ok(operations::list(emulator, call)),
            "operations.wait" => Ok(operations::wait(emulator, call).await),
            "operations.delete" => Ok(operations::delete(emulator, call)),
            _ => Ok(Reply::not_implemented(call)),
        };
        answer.unwrap_or_else(Refusal::reply)
    }

    /// Sets what the project may use in each region.
    pub fn set_limits(&self, limits: Limits) {
        *lock(&self.limits) = limits;
    }

    pub fn limits(&self) -> Limits {
        lock(&self.limits).clone()
    }

    /// Stops the instances of a service in every region: its next request starts cold.
    pub fn scale_to_zero(&self, service: &str) {
        let state = lock(&self.state);
        let wanted = state.services.iter().filter(|(id, _)| id.service == service);
        for revision in wanted.flat_map(|(_, s)| s.revisions.values()) {
            revision.backend.scale_in();
        }
    }

    /// The client that reaches instances.
    fn http(&self) -> reqwest::Client {
        self.http.get_or_init(proxy::client).clone()
    }

    /// Changes or reads a service; `None` when there is none.
    fn with<T>(&self, id: &Id, act: impl FnOnce(&mut Service) -> T) -> Option<T> {
        lock(&self.state).services.get_mut(id).map(act)
    }

    /// Reads or changes the bindings on a service.
    pub fn bindings<T>(
        &self,
        region: &str,
        service: &str,
        act: impl FnOnce(&mut Vec<Value>) -> T,
    ) -> Option<T> {
        let mut state = lock(&self.state);
        let mut services = state.services.iter_mut();
        let (_, found) = services.find(|(id, _)| id.region == region && id.service == service)?;
        policy::edit(found, act)
    }

    fn add(&self, service: Service) -> bool {
        let mut state = lock(&self.state);
        let free = !state.services.contains_key(&service.id);
        if free {
            state.services.insert(service.id.clone(), service);
        }
        free
    }

    fn remove(&self, id: &Id) -> Option<Service> {
        lock(&self.state).services.remove(id)
    }

    fn services(&self, project: &str, region: &str) -> Vec<Value> {
        let state = lock(&self.state);
        let here = state
            .services
            .values()
            .filter(|s| s.id.project == project && s.id.region == region);
        here.map(Service::view).collect()
    }

    /// Keeps an operation; answers its name.
    fn keep(&self, operation: Operation) -> String {
        let name = operation.name.clone();
        lock(&self.state).operations.insert(name.clone(), operation);
        name
    }

    fn finish(&self, operation: &str, outcome: Outcome) {
        if let Some(operation) = lock(&self.state).operations.get_mut(operation) {
            operation.finish(outcome);
        }
    }

    fn with_operation<T>(&self, name: &str, act: impl FnOnce(&Operation) -> T) -> Option<T> {
        lock(&self.state).operations.get(name).map(act)
    }

    fn operation(&self, name: &str) -> Option<Value> {
        let state = lock(&self.state);
        let operation = state.operations.get(name)?;
        let current = state.services.get(&operation.service).map(Service::view);
        Some(operation.view(current.as_ref()))
    }

    fn operations(&self, parent: &str) -> Vec<Value> {
        let state = lock(&self.state);
        let here = state.operations.values().filter(|o| o.name.starts_with(parent));
        here.map(|o| o.view(state.services.get(&o.service).map(Service::view).as_ref()))
            .collect()
    }

    fn forget_operation(&self, name: &str) -> bool {
        lock(&self.state).operations.remove(name).is_some()
    }

    /// Takes a GPU of the regional quota for `wanting`. When all are in use, the longest idle instance is scaled
    /// in, as the platform does with idle instances in time; false when none is idle.
    fn make_room_for_gpu(&self, wanting: &Backend) -> bool {
        let allowed = self.limits().gpus;
        let state = lock(&self.state);
        let region = &wanting.id.region;
        let all: Vec<&Arc<Backend>> = state
            .services
            .values()
            .filter(|s| s.id.region == *region)
            .flat_map(|s| s.revisions.values().map(|r| &r.backend))
            .filter(|b| b.has_gpu() && !std::ptr::eq(Arc::as_ptr(b), wanting))
            .collect();
        let holding = all.iter().filter(|b| b.holds_instance()).count() as u64;
        if holding >= allowed {
            let idle = all
                .iter()
                .filter(|b| b.port().is_some() && b.is_idle())
                .min_by_key(|b| b.last_used());
            match idle {
                Some(idle) if holding == allowed => idle.scale_in(),
                _ => return false,
            }
        }
        wanting.reserve();
        true
    }
}

/// A page of a list, by `pageSize` and `pageToken`.
pub(crate) fn page(call: &Call, key: &str, items: Vec<Value>) -> Reply {
    let size = call
        .query("pageSize")
        .and_then(|s| s.parse::<usize>().ok())
        .filter(|s| *s > 0)
        .unwrap_or(100);
    let start: usize = match call.query("pageToken").filter(|t| !t.is_empty()) {
        None => 0,
        Some(token) => match token.strip_prefix('n').and_then(|n| n.parse().ok()) {
            Some(start) => start,
            None => return Refusal::invalid("The page token is invalid.").reply(),
        },
    };
    let more = items.len() > start.saturating_add(size);
    let mut page = json!({});
    let items: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    if !items.is_empty() {
        page[key] = json!(items);
    }
    if more {
        page["nextPageToken"] = json!(format!("n{}", start + size));
    }
    Reply::ok(&page)
}

#[cfg(test)]
mod tests;
