//! Buckets and their policies.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Bucket, Storage, errors, now};
use crate::{Call, PROJECT_NUMBER, Reply, tokens::Principal};

impl Storage {
    pub(super) fn insert_bucket(&self, call: &Call, project: &str) -> Reply {
        if let Some(refused) = unknown_project(call, project) {
            return refused;
        }
        let name = call.json["name"].as_str().unwrap_or("");
        if !is_bucket_name(name) {
            return errors::invalid(&format!("Invalid bucket name: '{name}'"));
        }
        let mut buckets = self.lock();
        if let Some(taken) = buckets.get(name) {
            return errors::error(StatusCode::CONFLICT, "conflict", taken_message(taken.foreign));
        }
        let bucket = Bucket::new(name, &call.json, project);
        let resource = bucket.resource.clone();
        buckets.insert(name.to_owned(), bucket);
        Reply::ok(&resource)
    }

    /// Makes a bucket unless it is there.
    pub fn add_bucket(&self, name: &str, settings: &Value, project: &str) {
        let mut buckets = self.lock();
        let new = || Bucket::new(name, settings, project);
        buckets.entry(name.to_owned()).or_insert_with(new);
    }

    pub(super) fn get_bucket(&self, call: &Call) -> Reply {
        self.with_bucket(call, "storage.buckets.get", |b| Reply::ok(&b.resource))
    }

    pub(super) fn patch_bucket(&self, call: &Call) -> Reply {
        self.with_bucket(call, "storage.buckets.update", |bucket| {
            let metageneration = bucket.resource["metageneration"].as_str().unwrap_or("");
            if call
                .query("ifMetagenerationMatch")
                .is_some_and(|m| m != metageneration)
            {
                return errors::condition_not_met();
            }
            let next = metageneration.parse::<u64>().unwrap_or(1) + 1;
            merge(&mut bucket.resource, &call.json);
            bucket.resource["metageneration"] = next.to_string().into();
            bucket.resource["updated"] = now().into();
            Reply::ok(&bucket.resource)
        })
    }

    pub(super) fn list_buckets(&self, call: &Call, project: &str) -> Reply {
        if let Some(refused) = unknown_project(call, project) {
            return refused;
        }
        let prefix = call.query("prefix").unwrap_or("");
        let buckets = self.lock();
        let own = buckets
            .iter()
            .filter(|(name, b)| !b.foreign && name.starts_with(prefix));
        let items: Vec<&Value> = own.map(|(_, b)| &b.resource).collect();
        Reply::ok(&json!({"kind": "storage#buckets", "items": items}))
    }

    pub(super) fn delete_bucket(&self, call: &Call) -> Reply {
        let refused = self.with_bucket(call, "storage.buckets.delete", |bucket| {
            if bucket.objects.is_empty() {
                return Reply::json(StatusCode::NO_CONTENT, &Value::Null);
            }
            let message = "The bucket you tried to delete is not empty.";
            errors::error(StatusCode::CONFLICT, "conflict", message)
        });
        if refused.status == StatusCode::NO_CONTENT {
            self.lock().remove(call.param("bucket"));
            return Reply {
                body: axum::body::Body::empty(),
                ..refused
            };
        }
        refused
    }

    pub(super) fn policy(&self, call: &Call) -> Reply {
        self.with_bucket(call, "storage.buckets.getIamPolicy", |b| {
            Reply::ok(&shown_policy(b))
        })
    }

    pub(super) fn set_policy(&self, call: &Call) -> Reply {
        self.with_bucket(call, "storage.buckets.setIamPolicy", |bucket| {
            let current = shown_policy(bucket);
            let sent = &call.json["etag"];
            if sent.is_string() && *sent != current["etag"] {
                return errors::condition_not_met();
            }
            bucket.policy = json!({"version": call.json["version"].as_i64().unwrap_or(1), "bindings": call.json["bindings"]});
            if !bucket.policy["bindings"].is_array() {
                bucket.policy["bindings"] = json!([]);
            }
            Reply::ok(&shown_policy(bucket))
        })
    }

    pub(super) fn test_permissions(&self, call: &Call) -> Reply {
        self.with_bucket(call, "storage.buckets.get", |_| {
            let asked = call.query.iter().filter(|(name, _)| name == "permissions");
            let permissions: Vec<&str> = asked.map(|(_, p)| p.as_str()).collect();
            Reply::ok(&json!({"kind": "storage#testIamPermissionsResponse", "permissions": permissions}))
        })
    }

    /// The bucket of the path; refused when it isn't there or is somebody else's.
    pub(super) fn with_bucket(
        &self,
        call: &Call,
        permission: &str,
        f: impl FnOnce(&mut Bucket) -> Reply,
    ) -> Reply {
        match self.lock().get_mut(call.param("bucket")) {
            None => errors::no_bucket(),
            Some(bucket) if bucket.foreign => {
                let caller = call.caller.as_ref().map_or(errors::ANONYMOUS, Principal::name);
                errors::denied(caller, permission)
            }
            Some(bucket) => f(bucket),
        }
    }
}

/// What a new bucket gives to those who hold a basic role on the project: these roles themselves hold little of
/// Cloud Storage. <https://cloud.google.com/storage/docs/access-control/iam#convenience-values>
fn first_policy(project: &str) -> Value {
    let editors = [
        format!("projectEditor:{project}"),
        format!("projectOwner:{project}"),
    ];
    let viewers = [format!("projectViewer:{project}")];
    json!({"version": 1, "bindings": [
        {"role": "roles/storage.legacyBucketOwner", "members": editors},
        {"role": "roles/storage.legacyBucketReader", "members": viewers},
        {"role": "roles/storage.legacyObjectOwner", "members": editors},
        {"role": "roles/storage.legacyObjectReader", "members": viewers},
    ]})
}

impl Bucket {
    fn new(name: &str, settings: &Value, project: &str) -> Self {
        Self {
            resource: resource(name, settings),
            policy: first_policy(project),
            objects: BTreeMap::new(),
            foreign: false,
        }
    }
}

fn unknown_project(call: &Call, project: &str) -> Option<Reply> {
    let asked = call.query("project").unwrap_or("");
    let known = asked == project || asked == PROJECT_NUMBER;
    (!known).then(|| errors::invalid(&format!("Unknown project id: {asked}")))
}

fn taken_message(foreign: bool) -> &'static str {
    if foreign {
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."
    } else {
        "Your previous request to create the named bucket succeeded and you already own it."
    }
}

/// 3 to 63 lower-case letters, digits, `-`, `_`; dots make it a domain name of up to 222.
/// <https://cloud.google.com/storage/docs/buckets#naming>
fn is_bucket_name(name: &str) -> bool {
    let longest = if name.contains('.') { 222 } else { 63 };
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    (3..=longest).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c))
        && ends(name.chars().next())
        && ends(name.chars().last())
        && !name.starts_with("goog")
        && !name.contains("google")
        && name.split('.').all(|part| !part.is_empty() && part.len() <= 63)
}

fn resource(name: &str, sent: &Value) -> Value {
    let mut out = json!({
        "kind": "storage#bucket", "id": name, "name": name,
        "selfLink": format!("https://www.googleapis.com/storage/v1/b/{name}"),
        "projectNumber": PROJECT_NUMBER, "metageneration": "1", "location": "US", "locationType": "multi-region",
        "storageClass": "STANDARD", "etag": "CAE=", "timeCreated": now(), "updated": now(),
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": false}, "publicAccessPrevention": "inherited"},
    });
    merge(&mut out, sent);
    let location = out["location"].as_str().unwrap_or("US").to_uppercase();
    let multi = matches!(location.as_str(), "US" | "EU" | "ASIA");
    out["locationType"] = if multi { "multi-region" } else { "region" }.into();
    out["location"] = location.into();
    out
}

/// Objects are merged key by key, everything else is replaced.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn shown_policy(bucket: &Bucket) -> Value {
    use base64::Engine as _;
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bucket.policy.to_string());
    let name = bucket.resource["name"].as_str().unwrap_or("");
    json!({
        "kind": "storage#policy", "resourceId": format!("projects/_/buckets/{name}"),
        "version": bucket.policy["version"], "bindings": bucket.policy["bindings"],
        "etag": base64::prelude::BASE64_STANDARD.encode(&digest[..6]),
    })
}
