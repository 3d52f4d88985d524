//! Cloud Storage: buckets and their objects, by the JSON interface and, for reading, by plain URLs.

mod buckets;
mod download;
mod errors;
mod objects;
mod upload;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::Method;
use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use serde_json::Value;

use super::{
    Call, Reply, Shared,
    access::Resource,
    tokens::{self, Principal},
};

pub use errors::{denial, denied, refusal, unauthenticated};

/// What the service holds.
#[derive(Default)]
pub struct Storage {
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

struct Bucket {
    resource: Value,
    policy: Value,
    objects: BTreeMap<String, Object>,
    /// Of a project that isn't ours: its name is taken, and nothing of it can be seen.
    foreign: bool,
}

struct Object {
    data: Vec<u8>,
    content_type: String,
    generation: u64,
    created: String,
    updated: String,
    metadata: Option<Value>,
}

impl Storage {
    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let storage = &emulator.storage;
        let project = &emulator.settings.project;
        match call.id.as_str() {
            "storage.buckets.insert" => storage.insert_bucket(call, project),
            "storage.buckets.get" => storage.get_bucket(call),
            "storage.buckets.patch" => storage.patch_bucket(call),
            "storage.buckets.list" => storage.list_buckets(call, project),
            "storage.buckets.delete" => storage.delete_bucket(call),
            "storage.buckets.getIamPolicy" => storage.policy(call),
            "storage.buckets.setIamPolicy" => storage.set_policy(call),
            "storage.buckets.testIamPermissions" => storage.test_permissions(call),
            "storage.objects.insert" => storage.insert_object(emulator, call),
            "storage.objects.get" => storage.get_object(call),
            "storage.objects.list" => storage.list_objects(call),
            "storage.objects.delete" => storage.delete_object(call),
            _ => Reply::not_implemented(call),
        }
    }

    /// `GET /{bucket}/{object}`, as browsers and gcloud's log reader ask.
    pub async fn handle_plain(emulator: &Shared, call: &Call) -> Reply {
        let caller = match tokens::bearer(&call.headers) {
            None => None,
            Some(token) => match emulator.tokens.principal(token) {
                Some(caller) => Some(caller),
                None => return errors::xml_unauthenticated(),
            },
        };
        let is_read = call.method == Method::GET || call.method == Method::HEAD;
        match call.path[1..].split_once('/') {
            Some((bucket, object)) if is_read && !object.is_empty() && bucket != "storage" => {
                let permission = "storage.objects.get";
                let on = Resource::Bucket(bucket.to_owned());
                let there = emulator.storage.bucket_exists(bucket);
                if there && !caller.as_ref().is_some_and(|c| emulator.may(c, permission, &on)) {
                    let name = caller.as_ref().map_or(errors::ANONYMOUS, Principal::name);
                    return errors::xml_denied(name, permission);
                }
                emulator.storage.download_plain(bucket, object, &call.headers)
            }
            _ => Reply::unknown_url(&call.path),
        }
    }

    /// The whole object, as it is now.
    pub fn get(&self, bucket: &str, object: &str) -> Option<Bytes> {
        let buckets = self.lock();
        let object = buckets.get(bucket)?.objects.get(object)?;
        Some(Bytes::copy_from_slice(&object.data))
    }

    /// Generation of the object as it is now.
    pub fn generation(&self, bucket: &str, object: &str) -> Option<u64> {
        Some(self.lock().get(bucket)?.objects.get(object)?.generation)
    }

    /// Adds to the end of an object, which is created when absent; false when the bucket isn't there.
    pub fn append(&self, bucket: &str, object: &str, data: &[u8]) -> bool {
        let mut buckets = self.lock();
        let Some(bucket) = buckets.get_mut(bucket).filter(|b| !b.foreign) else {
            return false;
        };
        let object = bucket
            .objects
            .entry(object.to_owned())
            .or_insert_with(|| Object::new(Vec::new(), "text/plain; charset=utf-8"));
        object.data.extend_from_slice(data);
        object.updated = now();
        true
    }

    /// Puts an object in place of another, as anyone may who can write to the bucket.
    pub fn put(&self, bucket: &str, object: &str, data: Vec<u8>) {
        if let Some(bucket) = self.lock().get_mut(bucket) {
            bucket
                .objects
                .insert(object.to_owned(), Object::new(data, "application/octet-stream"));
        }
    }

    /// Reads or changes the bindings on a bucket of ours.
    pub fn bindings<T>(&self, bucket: &str, act: impl FnOnce(&mut Vec<Value>) -> T) -> Option<T> {
        let mut buckets = self.lock();
        let bucket = buckets.get_mut(bucket).filter(|b| !b.foreign)?;
        bucket.policy["bindings"].as_array_mut().map(act)
    }

    pub fn bucket_exists(&self, bucket: &str) -> bool {
        self.lock().get(bucket).is_some_and(|b| !b.foreign)
    }

    /// A bucket that somebody else's project holds.
    pub fn add_foreign_bucket(&self, name: &str) {
        let bucket = Bucket {
            resource: Value::Null,
            policy: Value::Null,
            objects: BTreeMap::new(),
            foreign: true,
        };
        self.lock().insert(name.to_owned(), bucket);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Object {
    fn new(data: Vec<u8>, content_type: &str) -> Self {
        Self {
            data,
            content_type: content_type.to_owned(),
            generation: generation(),
            created: now(),
            updated: now(),
            metadata: None,
        }
    }
}

/// Microseconds since 1970, as Google's generations look.
fn generation() -> u64 {
    u64::try_from(Utc::now().timestamp_micros()).unwrap_or(1)
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests;
