//! Workload identity pools and their providers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::emulator::{Call, PROJECT_NUMBER, Reply, list};

/// Pools by id; providers by pool and provider id.
#[derive(Default)]
pub struct Pools {
    pools: BTreeMap<String, Value>,
    providers: BTreeMap<(String, String), Value>,
}

impl Pools {
    pub fn seed(&mut self) {
        self.pools
            .insert("github".into(), shown(&pool_name("github"), &json!({})));
        let provider = json!({
            "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"},
            "attributeMapping": {"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"},
            "attributeCondition": "assertion.repository_owner == 'org'",
        });
        let name = format!("{}/providers/github", pool_name("github"));
        self.providers
            .insert(("github".into(), "github".into()), shown(&name, &provider));
    }

    /// A provider that is there and, as its pool, enabled.
    pub fn provider(&self, pool: &str, provider: &str) -> Option<&Value> {
        let live = |v: &&Value| v["disabled"] != true;
        let key = (pool.to_owned(), provider.to_owned());
        self.pools.get(pool).filter(live)?;
        self.providers.get(&key).filter(live)
    }

    pub fn handle(&mut self, call: &Call) -> Reply {
        if call.param("locationsId") != "global" {
            return Reply::invalid("Workload identity pools are in the location global.");
        }
        let name = call
            .id
            .strip_prefix("iam.projects.locations.workloadIdentityPools.");
        let pool = call.param("workloadIdentityPoolsId");
        match name.unwrap_or("") {
            "create" => self.create_pool(call),
            "get" => found(self.pools.get(pool)),
            "list" => {
                let all: Vec<Value> = self.pools.values().cloned().collect();
                list::reply(call, "workloadIdentityPools", &all)
            }
            "providers.create" => self.create_provider(call),
            "providers.get" => {
                let key = (pool.to_owned(), call.param("providersId").to_owned());
                found(self.providers.get(&key))
            }
            "providers.list" => {
                let own = self.providers.iter().filter(|((p, _), _)| p == pool);
                let all: Vec<Value> = own.map(|(_, v)| v.clone()).collect();
                list::reply(call, "workloadIdentityPoolProviders", &all)
            }
            // Both kinds are there at once, so their operations are done at once.
            "operations.get" | "providers.operations.get" => {
                Reply::not_found("Requested entity was not found.")
            }
            _ => Reply::not_implemented(call),
        }
    }

    fn create_pool(&mut self, call: &Call) -> Reply {
        let id = call.query("workloadIdentityPoolId").unwrap_or("");
        if !is_id(id) {
            return Reply::invalid(&format!("Invalid workload identity pool id: \"{id}\""));
        }
        if self.pools.contains_key(id) {
            return Reply::already_exists("Requested entity already exists");
        }
        let pool = shown(&pool_name(id), &call.json);
        self.pools.insert(id.to_owned(), pool.clone());
        done(&pool, "WorkloadIdentityPool")
    }

    fn create_provider(&mut self, call: &Call) -> Reply {
        let pool = call.param("workloadIdentityPoolsId");
        let id = call.query("workloadIdentityPoolProviderId").unwrap_or("");
        if !self.pools.contains_key(pool) {
            return found(None);
        }
        if !is_id(id) {
            return Reply::invalid(&format!("Invalid provider id: \"{id}\""));
        }
        if call.json["oidc"]["issuerUri"].as_str().is_none() {
            return Reply::invalid("The provider needs an oidc.issuerUri.");
        }
        if call.json["attributeMapping"]["google.subject"].as_str().is_none() {
            return Reply::invalid("The attribute mapping must map google.subject.");
        }
        let key = (pool.to_owned(), id.to_owned());
        if self.providers.contains_key(&key) {
            return Reply::already_exists("Requested entity already exists");
        }
        let provider = shown(&format!("{}/providers/{id}", pool_name(pool)), &call.json);
        self.providers.insert(key, provider.clone());
        done(&provider, "WorkloadIdentityPoolProvider")
    }
}

fn pool_name(id: &str) -> String {
    format!("projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/{id}")
}

fn shown(name: &str, sent: &Value) -> Value {
    let mut out = json!({"name": name, "state": "ACTIVE"});
    for (key, value) in sent.as_object().into_iter().flatten() {
        if key != "name" {
            out[key] = value.clone();
        }
    }
    out
}

fn found(resource: Option<&Value>) -> Reply {
    resource.map_or_else(|| Reply::not_found("Requested entity was not found."), Reply::ok)
}

fn done(resource: &Value, kind: &str) -> Reply {
    let mut response = resource.clone();
    response["@type"] = format!("type.googleapis.com/google.iam.admin.v1.{kind}").into();
    let name = resource["name"].as_str().unwrap_or("");
    Reply::ok(&json!({"name": format!("{name}/operations/created"), "done": true, "response": response}))
}

/// 4 to 32 lower-case letters, digits and hyphens; `gcp-` is reserved.
fn is_id(id: &str) -> bool {
    (4..=32).contains(&id.len())
        && !id.starts_with("gcp-")
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
