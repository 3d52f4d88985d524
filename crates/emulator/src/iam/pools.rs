//! Workload identity pools and their providers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Call, PROJECT_NUMBER, Reply, list};

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
        let live = |v: &&Value| v["disabled"] != true && v["state"] == "ACTIVE";
        let key = (pool.to_owned(), provider.to_owned());
        self.pools.get(pool).filter(live)?;
        self.providers.get(&key).filter(live)
    }

    /// Whether members of the pool can be named in a policy.
    pub fn is_known(&self, pool: &str) -> bool {
        self.pools.get(pool).is_some_and(|pool| pool["state"] == "ACTIVE")
    }

    pub fn handle(&mut self, call: &Call) -> Reply {
        if call.param("locationsId") != "global" {
            return Reply::invalid("Workload identity pools are in the location global.");
        }
        let name = call
            .id
            .strip_prefix("iam.projects.locations.workloadIdentityPools.");
        let pool = call.param("workloadIdentityPoolsId");
        let provider = (pool.to_owned(), call.param("providersId").to_owned());
        match name.unwrap_or("") {
            "create" => self.create_pool(call),
            "get" => found(self.pools.get(pool)),
            "patch" => patch(self.pools.get_mut(pool), call, "WorkloadIdentityPool", check_pool),
            "delete" => set_state(self.pools.get_mut(pool), "DELETED", "WorkloadIdentityPool"),
            "undelete" => set_state(self.pools.get_mut(pool), "ACTIVE", "WorkloadIdentityPool"),
            "list" => {
                let all: Vec<Value> = self
                    .pools
                    .values()
                    .filter(|v| is_listed(call, v))
                    .cloned()
                    .collect();
                list::reply(call, "workloadIdentityPools", &all)
            }
            "providers.create" => self.create_provider(call),
            "providers.get" => found(self.providers.get(&provider)),
            "providers.patch" => patch(self.providers.get_mut(&provider), call, PROVIDER, check_provider),
            "providers.delete" => set_state(self.providers.get_mut(&provider), "DELETED", PROVIDER),
            "providers.undelete" => set_state(self.providers.get_mut(&provider), "ACTIVE", PROVIDER),
            "providers.list" => {
                let own = self
                    .providers
                    .iter()
                    .filter(|((p, _), v)| p == pool && is_listed(call, v));
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
        if let Err(mistake) = check_pool(&call.json) {
            return Reply::invalid(&mistake);
        }
        // Also one that was deleted less than 30 days ago.
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
        if !self.is_known(pool) {
            return found(None);
        }
        if !is_id(id) {
            return Reply::invalid(&format!("Invalid provider id: \"{id}\""));
        }
        if let Err(mistake) = check_provider(&call.json) {
            return Reply::invalid(&mistake);
        }
        let key = (pool.to_owned(), id.to_owned());
        if self.providers.contains_key(&key) {
            return Reply::already_exists("Requested entity already exists");
        }
        let provider = shown(&format!("{}/providers/{id}", pool_name(pool)), &call.json);
        self.providers.insert(key, provider.clone());
        done(&provider, PROVIDER)
    }
}

const PROVIDER: &str = "WorkloadIdentityPoolProvider";

/// The lengths that the schema's descriptions give.
fn check_pool(sent: &Value) -> Result<(), String> {
    let length = |field: &str| sent[field].as_str().map_or(0, |text| text.chars().count());
    match (length("displayName"), length("description")) {
        (33.., _) => Err("The display name cannot exceed 32 characters.".to_owned()),
        (_, 257..) => Err("The description cannot exceed 256 characters.".to_owned()),
        _ => Ok(()),
    }
}

fn check_provider(sent: &Value) -> Result<(), String> {
    check_pool(sent)?;
    let issuer = sent["oidc"]["issuerUri"].as_str().unwrap_or("");
    if !issuer.starts_with("https://") {
        return Err("The provider needs an oidc.issuerUri that is an HTTPS URI.".to_owned());
    }
    let mapping = &sent["attributeMapping"];
    if mapping["google.subject"].as_str().is_none() {
        return Err("The attribute mapping must map google.subject.".to_owned());
    }
    for (to, _) in mapping.as_object().into_iter().flatten() {
        let custom = to.strip_prefix("attribute.").is_some_and(|name| {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            (1..=100).contains(&name.len()) && name.chars().all(good)
        });
        if !custom && !matches!(to.as_str(), "google.subject" | "google.groups") {
            return Err(format!("Invalid key in attribute mapping: {to}"));
        }
    }
    // Google refuses providers of issuers with many tenants, GitHub's among them, without one.
    let condition = sent["attributeCondition"].as_str().unwrap_or("");
    if issuer == "https://token.actions.githubusercontent.com" && !condition.contains("assertion.") {
        return Err(
            "The attribute condition must reference one of the provider's claims. For more information, see https://cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines#conditions"
                .to_owned(),
        );
    }
    Ok(())
}

/// Deleted ones are listed only to who asks for them.
fn is_listed(call: &Call, resource: &Value) -> bool {
    resource["state"] == "ACTIVE" || call.query("showDeleted") == Some("true")
}

/// Takes over the fields that the mask names.
fn patch(
    resource: Option<&mut Value>,
    call: &Call,
    kind: &str,
    check: fn(&Value) -> Result<(), String>,
) -> Reply {
    let Some(resource) = resource.filter(|r| r["state"] == "ACTIVE") else {
        return found(None);
    };
    let mask = call.query("updateMask").unwrap_or("");
    if mask.is_empty() {
        return Reply::invalid("Update mask is required.");
    }
    let mut next = resource.clone();
    for field in mask.split(',') {
        match call.json.get(field) {
            Some(value) => next[field] = value.clone(),
            None => drop(next.as_object_mut().and_then(|fields| fields.remove(field))),
        }
    }
    if let Err(mistake) = check(&next) {
        return Reply::invalid(&mistake);
    }
    *resource = next;
    done(resource, kind)
}

/// Deletes or restores; a deleted one is kept for 30 days, and its name with it.
fn set_state(resource: Option<&mut Value>, state: &str, kind: &str) -> Reply {
    let Some(resource) = resource else {
        return found(None);
    };
    if resource["state"] == state {
        let text = if state == "ACTIVE" {
            "not deleted"
        } else {
            "already deleted"
        };
        return Reply::failed_precondition(&format!("The resource is {text}."));
    }
    resource["state"] = state.into();
    done(resource, kind)
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
