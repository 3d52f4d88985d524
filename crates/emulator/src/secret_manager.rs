//! Secret Manager: secrets and their versions.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    Call, PROJECT_NUMBER, Reply, Shared, list,
    policy::{self, Policy},
};

/// Largest payload, in bytes. <https://cloud.google.com/secret-manager/quotas>
const MAX_PAYLOAD: usize = 64 << 10;

/// What the service holds.
#[derive(Default)]
pub struct Secrets {
    secrets: Mutex<BTreeMap<String, Secret>>,
}

struct Secret {
    resource: Value,
    policy: Policy,
    versions: Vec<Version>,
}

struct Version {
    data: Vec<u8>,
    created: String,
    state: &'static str,
}

impl Secrets {
    /// Holds `hf-token`, with one version.
    pub fn seeded() -> Self {
        let secrets = Self::default();
        secrets.insert("hf-token", &json!({"replication": {"automatic": {}}}));
        let value = format!("hf_emulator{}", uuid::Uuid::new_v4().simple());
        if let Some(secret) = secrets.lock().get_mut("hf-token") {
            secret.versions.push(Version::new(value.into_bytes()));
        }
        secrets
    }

    /// Value of an enabled version, by the secret's short name; `latest` works.
    pub fn value(&self, secret: &str, version: &str) -> Option<Vec<u8>> {
        let secrets = self.lock();
        let (_, version) = secrets.get(secret)?.version(version)?;
        (version.state == "ENABLED").then(|| version.data.clone())
    }

    /// Reads or changes the bindings on a secret.
    pub fn bindings<T>(&self, secret: &str, act: impl FnOnce(&mut Vec<Value>) -> T) -> Option<T> {
        let mut secrets = self.lock();
        secrets.get_mut(secret).map(|s| s.policy.edit(act))
    }

    /// Disables every version of a secret: what `value` and `:access` then refuse.
    pub fn disable(&self, secret: &str) {
        if let Some(secret) = self.lock().get_mut(secret) {
            secret.versions.iter_mut().for_each(|v| v.state = "DISABLED");
        }
    }

    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let secrets = &emulator.secrets;
        let name = call.id.strip_prefix("secretmanager.projects.secrets.");
        match name.unwrap_or("") {
            "create" => secrets.create(call),
            "list" => {
                let all: Vec<Value> = secrets.lock().values().map(|s| s.resource.clone()).collect();
                list::reply(call, "secrets", &all)
            }
            "get" => secrets.with(call, |s| Reply::ok(&s.resource)),
            "addVersion" => secrets.with(call, |s| s.add(&call.json)),
            "getIamPolicy" => secrets.with(call, |s| Reply::ok(&s.policy.show())),
            "setIamPolicy" => secrets.with(call, |s| s.policy.set(&call.json)),
            "testIamPermissions" => secrets.with(call, |_| policy::test_permissions(&call.json)),
            "versions.list" => secrets.with(call, |s| {
                let newest_first = (1..=s.versions.len()).rev();
                let all: Vec<Value> = newest_first
                    .filter_map(|n| s.versions.get(n - 1).map(|v| s.shown(n, v)))
                    .collect();
                list::reply(call, "versions", &all)
            }),
            "versions.get" => secrets.with_version(call, |s, n, v| Reply::ok(&s.shown(n, v))),
            "versions.access" => secrets.with_version(call, access),
            _ => Reply::not_implemented(call),
        }
    }

    fn insert(&self, id: &str, sent: &Value) -> Value {
        let name = format!("projects/{PROJECT_NUMBER}/secrets/{id}");
        let mut resource = json!({"name": name, "createTime": now(), "etag": "\"16a2b3c4d5e6f7\""});
        for (key, value) in sent.as_object().into_iter().flatten() {
            if key != "name" && key != "etag" {
                resource[key] = value.clone();
            }
        }
        let secret = Secret {
            resource: resource.clone(),
            policy: Policy::default(),
            versions: Vec::new(),
        };
        self.lock().insert(id.to_owned(), secret);
        resource
    }

    fn create(&self, call: &Call) -> Reply {
        let id = call.query("secretId").unwrap_or("");
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > 255 || !id.chars().all(good) {
            return Reply::invalid(
                "The provided Secret ID does not match the expected format [[a-zA-Z_0-9-]+].",
            );
        }
        if !call.json["replication"].is_object() {
            return Reply::invalid("Field [replication] is required.");
        }
        if self.lock().contains_key(id) {
            return Reply::already_exists(&format!(
                "Secret [projects/{PROJECT_NUMBER}/secrets/{id}] already exists."
            ));
        }
        Reply::ok(&self.insert(id, &call.json))
    }

    fn with(&self, call: &Call, f: impl FnOnce(&mut Secret) -> Reply) -> Reply {
        let id = call.param("secretsId");
        match self.lock().get_mut(id) {
            Some(secret) => f(secret),
            None => Reply::not_found(&format!(
                "Secret [projects/{PROJECT_NUMBER}/secrets/{id}] not found."
            )),
        }
    }

    fn with_version(&self, call: &Call, f: impl FnOnce(&Secret, usize, &Version) -> Reply) -> Reply {
        self.with(call, |secret| {
            let asked = call.param("versionsId");
            match secret.version(asked) {
                Some((n, version)) => f(secret, n, version),
                None => Reply::not_found(&format!(
                    "Secret Version [{}/versions/{asked}] not found.",
                    secret.resource["name"].as_str().unwrap_or("")
                )),
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secret {
    /// By number, counted from 1, or `latest`.
    fn version(&self, asked: &str) -> Option<(usize, &Version)> {
        let number = match asked {
            "latest" => self.versions.len(),
            asked => asked.parse().ok()?,
        };
        Some((number, self.versions.get(number.checked_sub(1)?)?))
    }

    fn shown(&self, number: usize, version: &Version) -> Value {
        let name = self.resource["name"].as_str().unwrap_or("");
        json!({
            "name": format!("{name}/versions/{number}"), "createTime": version.created, "state": version.state,
            "replicationStatus": {"automatic": {}}, "etag": "\"16a2b3c4d5e6f8\"",
        })
    }

    fn add(&mut self, request: &Value) -> Reply {
        let data = request["payload"]["data"].as_str().unwrap_or("");
        let Ok(data) = BASE64_STANDARD.decode(data) else {
            return Reply::invalid("Secret Payload is not valid base64.");
        };
        if data.is_empty() || data.len() > MAX_PAYLOAD {
            return Reply::invalid("Secret Payload must be between 1 byte and 64KiB.");
        }
        let checksum = request["payload"]["dataCrc32c"].as_str();
        if checksum.is_some_and(|c| c != crc32c(&data).to_string()) {
            return Reply::invalid("Payload checksum does not match the data.");
        }
        self.versions.push(Version::new(data));
        let number = self.versions.len();
        Reply::ok(&self.shown(number, &self.versions[number - 1]))
    }
}

impl Version {
    fn new(data: Vec<u8>) -> Self {
        Self {
            data,
            created: now(),
            state: "ENABLED",
        }
    }
}

fn access(secret: &Secret, number: usize, version: &Version) -> Reply {
    let name = format!(
        "{}/versions/{number}",
        secret.resource["name"].as_str().unwrap_or("")
    );
    if version.state != "ENABLED" {
        return Reply::failed_precondition(&format!(
            "Secret Version [{name}] is in {} state.",
            version.state
        ));
    }
    let data = BASE64_STANDARD.encode(&version.data);
    Reply::ok(
        &json!({"name": name, "payload": {"data": data, "dataCrc32c": crc32c(&version.data).to_string()}}),
    )
}

/// CRC-32C (Castagnoli), reflected.
fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_published_test_value() {
        // Check value of CRC-32C in the catalogue of parametrised CRC algorithms.
        assert_eq!(super::crc32c(b"123456789"), 0xe306_9283);
    }
}
