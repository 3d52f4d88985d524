//! Artifact Registry: repositories, their images, tags and clean-up policies.

mod cleanup;
mod images;
mod operations;
mod packages;
mod repositories;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{Call, Reply, Shared, policy::Policy};

/// What the service holds.
#[derive(Default)]
pub struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By location and repository id.
    repositories: BTreeMap<(String, String), Repository>,
    operations: operations::Operations,
}

struct Repository {
    resource: Value,
    policy: Policy,
    packages: BTreeMap<String, Package>,
}

struct Package {
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
    /// By digest.
    versions: BTreeMap<String, Version>,
    /// Tag to digest.
    tags: BTreeMap<String, String>,
}

#[derive(Clone, Copy)]
struct Version {
    bytes: u64,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

/// A reference such as `europe-west4-docker.pkg.dev/project/repository/package@sha256:…`.
struct ImageName<'a> {
    location: &'a str,
    project: &'a str,
    repository: &'a str,
    package: &'a str,
    /// `sha256:…`, or a tag.
    reference: &'a str,
}

impl Registry {
    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let project = emulator.settings.project.as_str();
        let mut state = emulator.registry.lock();
        let Some(name) = call.id.strip_prefix("artifactregistry.projects.locations.") else {
            return Reply::not_implemented(call);
        };
        match name.strip_prefix("repositories.") {
            None => state.locations(call, project),
            Some(name) if name.starts_with("packages.") => state.packages(call, project, &name[9..]),
            Some(name) if name.starts_with("dockerImages.") => state.images(call, project, &name[13..]),
            Some(name) => state.repository(call, project, name),
        }
    }

    /// What a `docker push` does: stores an image under a tag.
    ///
    /// # Errors
    /// The registry's words when there is no such repository, or the tag can't be moved.
    pub fn push(
        &self,
        location: &str,
        repository: &str,
        package: &str,
        tag: &str,
        digest: &str,
        bytes: u64,
    ) -> Result<(), String> {
        let mut state = self.lock();
        let key = (location.to_owned(), repository.to_owned());
        let Some(found) = state.repositories.get_mut(&key) else {
            return Err(format!("name unknown: Repository \"{repository}\" not found"));
        };
        let immutable = found.resource["dockerConfig"]["immutableTags"] == true;
        let package = found
            .packages
            .entry(package.to_owned())
            .or_insert_with(Package::new);
        let moved = package.tags.get(tag).is_some_and(|old| old != digest);
        if immutable && moved {
            return Err(format!(
                "manifest invalid: cannot update tag {tag}. The repository has enabled tag immutability"
            ));
        }
        package.put(tag, digest, bytes, Utc::now());
        Ok(())
    }

    /// Whether `host/project/repository/package@sha256:…` (or `:tag`) is there, in a repository of `project`.
    pub fn has(&self, project: &str, image: &str) -> bool {
        let ours = ImageName::parse(image).is_some_and(|name| name.project == project);
        ours && self.digest(image).is_some()
    }

    /// Digest of an image that is there, by its tag or its digest.
    pub fn digest(&self, image: &str) -> Option<String> {
        let name = ImageName::parse(image)?;
        self.resolve(name.location, name.repository, name.package, name.reference)
    }

    fn resolve(&self, location: &str, repository: &str, package: &str, reference: &str) -> Option<String> {
        let state = self.lock();
        let key = (location.to_owned(), repository.to_owned());
        let package = state.repositories.get(&key)?.packages.get(package)?;
        let digest = match package.tags.get(reference) {
            Some(digest) => digest,
            None => reference,
        };
        package.versions.contains_key(digest).then(|| digest.to_owned())
    }

    /// Digest by repository and package in whichever location has them, for the Docker registry API.
    pub fn resolve_anywhere(&self, repository: &str, package: &str, reference: &str) -> Option<String> {
        let locations: Vec<String> = {
            let state = self.lock();
            let keys = state.repositories.keys().filter(|(_, id)| id == repository);
            keys.map(|(location, _)| location.clone()).collect()
        };
        locations
            .iter()
            .find_map(|location| self.resolve(location, repository, package, reference))
    }

    /// Makes a repository for Docker images unless it is there.
    pub fn add(&self, project: &str, location: &str, id: &str) {
        let new = || Repository::new(project, location, id, &json!({"format": "DOCKER"}));
        let key = (location.to_owned(), id.to_owned());
        self.lock().repositories.entry(key).or_insert_with(new);
    }

    /// The location that has the repository.
    pub fn location(&self, repository: &str) -> Option<String> {
        let state = self.lock();
        let mut keys = state.repositories.keys();
        keys.find(|(_, id)| id == repository)
            .map(|(location, _)| location.clone())
    }

    /// Reads or changes the bindings on a repository.
    pub fn bindings<T>(
        &self,
        location: &str,
        repository: &str,
        act: impl FnOnce(&mut Vec<Value>) -> T,
    ) -> Option<T> {
        let mut state = self.lock();
        let key = (location.to_owned(), repository.to_owned());
        state.repositories.get_mut(&key).map(|r| r.policy.edit(act))
    }

    /// Carries out every repository's clean-up policies as at `now`; returns the digests that went.
    pub fn clean_up(&self, now: DateTime<Utc>) -> Vec<String> {
        let mut state = self.lock();
        let repositories = state.repositories.values_mut();
        repositories.flat_map(|r| cleanup::run(r, now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Package {
    fn new() -> Self {
        Self {
            created: Utc::now(),
            updated: Utc::now(),
            versions: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    fn put(&mut self, tag: &str, digest: &str, bytes: u64, now: DateTime<Utc>) {
        let version = self.versions.entry(digest.to_owned()).or_insert(Version {
            bytes,
            created: now,
            updated: now,
        });
        version.updated = now;
        self.tags.insert(tag.to_owned(), digest.to_owned());
        self.updated = now;
    }

    fn tags_of(&self, digest: &str) -> Vec<&str> {
        let tags = self.tags.iter().filter(|(_, d)| *d == digest);
        tags.map(|(tag, _)| tag.as_str()).collect()
    }

    fn remove(&mut self, digest: &str) {
        self.versions.remove(digest);
        self.tags.retain(|_, d| d != digest);
        self.updated = Utc::now();
    }
}

impl<'a> ImageName<'a> {
    fn parse(image: &'a str) -> Option<Self> {
        let (host, path) = image.split_once('/')?;
        let location = host.strip_suffix("-docker.pkg.dev")?;
        let (project, path) = path.split_once('/')?;
        let (repository, name) = path.split_once('/')?;
        let (package, reference) = match name.split_once('@') {
            Some((package, digest)) => (package.split(':').next()?, digest),
            None => name.split_once(':').unwrap_or((name, "latest")),
        };
        Some(Self {
            location,
            project,
            repository,
            package,
            reference,
        })
    }
}

fn time(at: DateTime<Utc>) -> Value {
    at.to_rfc3339_opts(SecondsFormat::Micros, true).into()
}

fn not_found() -> Reply {
    Reply::not_found("Requested entity was not found.")
}

#[cfg(test)]
mod tests;
