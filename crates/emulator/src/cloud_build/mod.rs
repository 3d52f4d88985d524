//! Cloud Build: builds that read their source, follow their Dockerfile, and succeed or fail for its reasons.
//!
//! No container is run. A `docker build` step is carried out as far as its inputs go: source, Dockerfile,
//! arguments, secrets, the model that it downloads, the disk. The image that it pushes has no layers of its own,
//! but a digest that follows from its inputs.

mod buildkit;
mod context;
mod docker;
mod dockerfile;
mod download;
mod filter;
mod image;
mod log;
mod methods;
mod shell;
mod step;
mod substitutions;
mod validate;
mod worker;

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{Call, Reply, Shared, run::refusal::Refusal};

/// All builds, and the regions that run none.
#[derive(Default)]
pub struct Builds {
    records: Mutex<Vec<Record>>,
    restricted: Mutex<BTreeSet<String>>,
}

/// A build; `global` for those of the older, region-less paths.
struct Record {
    id: String,
    location: String,
    build: Value,
    stop: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Builds {
    /// Answers a call whose method and body fit the schema.
    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let method = call.id.strip_prefix("cloudbuild.").unwrap_or(&call.id);
        let answer = match method {
            "projects.builds.create" | "projects.locations.builds.create" => methods::create(emulator, call),
            "projects.builds.get" | "projects.locations.builds.get" => methods::get(emulator, call),
            "projects.builds.list" | "projects.locations.builds.list" => methods::list(emulator, call),
            "projects.builds.cancel" | "projects.locations.builds.cancel" => methods::cancel(emulator, call),
            "operations.get" | "projects.locations.operations.get" => methods::operation(emulator, call),
            "operations.cancel" | "projects.locations.operations.cancel" => {
                methods::cancel_operation(emulator, call)
            }
            _ => Ok(Reply::not_implemented(call)),
        };
        answer.unwrap_or_else(Refusal::reply)
    }

    /// Somebody cancels every build that is under way.
    pub fn cancel_all(&self) {
        for record in lock(&self.records).iter_mut() {
            // One that is over stays as it is.
            let _ = methods::stop(record);
        }
    }

    /// Every build, oldest first, as the API shows it.
    pub fn all(&self) -> Vec<Value> {
        lock(&self.records).iter().map(|r| r.build.clone()).collect()
    }

    /// Makes a region refuse builds, as regions do for projects without quota there.
    pub fn restrict(&self, location: &str) {
        lock(&self.restricted).insert(location.to_owned());
    }

    fn is_restricted(&self, location: &str) -> bool {
        lock(&self.restricted).contains(location)
    }

    fn add(&self, record: Record) {
        lock(&self.records).push(record);
    }

    fn with<T>(&self, id: &str, act: impl FnOnce(&mut Record) -> T) -> Option<T> {
        lock(&self.records).iter_mut().find(|r| r.id == id).map(act)
    }

    /// Builds of a location, newest first.
    fn at(&self, location: &str) -> Vec<Value> {
        let records = lock(&self.records);
        let here = records.iter().rev().filter(|r| r.location == location);
        here.map(|r| r.build.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
