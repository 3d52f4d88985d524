//! IAM policies: who holds which role on a resource. Read, and granted to by read-modify-write; each API has its own
//! way of it.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{client::Client, error::Error, request::Request, resource::Resource};

/// Conditions are only seen, and kept, by who asks for this version.
/// <https://docs.cloud.google.com/iam/docs/policies#versions>
const VERSION: i64 = 3;

/// `google.iam.v1.Policy`. What we don't know is kept, so that writing it back loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Policy {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<Binding>,
    /// Guards the read-modify-write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// 3 when a binding has a condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    #[serde(flatten)]
    pub other: serde_json::Map<String, Value>,
}

/// Members of one role.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Binding {
    pub role: String,
    pub members: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Value>,
}

impl Policy {
    /// Whether `member` holds `role` without a condition.
    pub fn grants(&self, role: &str, member: &str) -> bool {
        let unconditional = self.bindings.iter().filter(|b| b.condition.is_none());
        unconditional
            .filter(|b| b.role == role)
            .any(|b| b.members.iter().any(|m| m == member))
    }

    /// The members that hold one of the roles, with or without a condition.
    pub fn members_of<'a>(&'a self, roles: &'a [&str]) -> impl Iterator<Item = &'a String> {
        let bindings = self.bindings.iter();
        bindings
            .filter(|b| roles.contains(&b.role.as_str()))
            .flat_map(|b| &b.members)
    }

    /// Takes the role from `member`, where it is held without a condition. False when it isn't.
    pub fn revoke(&mut self, role: &str, member: &str) -> bool {
        if !self.grants(role, member) {
            return false;
        }
        for binding in &mut self.bindings {
            if binding.role == role && binding.condition.is_none() {
                binding.members.retain(|m| m != member);
            }
        }
        self.bindings.retain(|binding| !binding.members.is_empty());
        true
    }

    /// Gives `member` the role, without a condition. False when it held it already.
    pub fn grant(&mut self, role: &str, member: &str) -> bool {
        if self.grants(role, member) {
            return false;
        }
        let open = |b: &&mut Binding| b.role == role && b.condition.is_none();
        match self.bindings.iter_mut().find(open) {
            Some(binding) => binding.members.push(member.to_owned()),
            None => self.bindings.push(Binding {
                role: role.to_owned(),
                members: vec![member.to_owned()],
                condition: None,
            }),
        }
        true
    }
}

/// The policy as it is now.
pub async fn read(c: &Client, resource: &Resource) -> Result<Policy, Error> {
    let what = format!("read the policy of {resource}");
    let (api, path) = resource.path();
    let version = VERSION.to_string();
    let request = match resource {
        Resource::Project(_) => Request::new(api, Method::POST, format!("{path}:getIamPolicy"), what)
            .json(&json!({ "options": { "requestedPolicyVersion": VERSION } }))?
            .repeatable(),
        Resource::ServiceAccount { .. } => {
            Request::new(api, Method::POST, format!("{path}:getIamPolicy"), what)
                .query("options.requestedPolicyVersion", version)
                .repeatable()
        }
        Resource::Bucket(_) => {
            Request::get(api, format!("{path}/iam"), what).query("optionsRequestedPolicyVersion", version)
        }
        Resource::Repository { .. } | Resource::Secret { .. } => {
            Request::get(api, format!("{path}:getIamPolicy"), what)
                .query("options.requestedPolicyVersion", version)
        }
    };
    c.json(request).await
}

/// Gives each member its role, and leaves everything else as it is. False when nothing was missing. Two writers at
/// once don't lose each other's grants: the etag has the later one refused (409 ABORTED or 412), and it is for the
/// caller to begin again.
pub async fn grant(c: &Client, resource: &Resource, grants: &[(String, String)]) -> Result<bool, Error> {
    let mut policy = read(c, resource).await?;
    let mut changed = false;
    for (role, member) in grants {
        changed |= policy.grant(role, member);
    }
    if changed {
        write(c, resource, policy).await?;
    }
    Ok(changed)
}

/// Takes the role from the member, and leaves everything else as it is. False when it was not held. Of two writers at once
/// the later one is refused, as with [`grant`].
pub async fn revoke(c: &Client, resource: &Resource, role: &str, member: &str) -> Result<bool, Error> {
    let mut policy = read(c, resource).await?;
    let changed = policy.revoke(role, member);
    if changed {
        write(c, resource, policy).await?;
    }
    Ok(changed)
}

async fn write(c: &Client, resource: &Resource, mut policy: Policy) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Set {
        policy: Policy,
    }
    policy.version = Some(VERSION);
    let what = format!("change the policy of {resource}");
    let (api, path) = resource.path();
    let request = match resource {
        Resource::Bucket(_) => Request::new(api, Method::PUT, format!("{path}/iam"), what).json(&policy)?,
        _ => Request::new(api, Method::POST, format!("{path}:setIamPolicy"), what).json(&Set { policy })?,
    };
    // With the etag, a second sending after the first had its effect is refused.
    c.send(request.repeatable(), &[]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_added_once_and_everything_else_stays() {
        let before = json!({"etag": "e", "version": 3, "auditConfigs": [{"service": "allServices"}], "bindings": [
            {"role": "r", "members": ["user:a"], "condition": {"expression": "false"}},
            {"role": "r", "members": ["user:b"]}]});
        let mut policy: Policy = serde_json::from_value(before.clone()).unwrap();
        assert!(!policy.grants("r", "user:a"), "a conditional grant is none");
        assert!(!policy.grant("r", "user:b"));
        assert_eq!(serde_json::to_value(&policy).unwrap(), before);
        assert!(policy.grant("r", "user:a") && policy.grant("q", "user:a"));
        let after = serde_json::to_value(&policy).unwrap();
        assert_eq!(after["bindings"][1]["members"], json!(["user:b", "user:a"]));
        assert_eq!(after["bindings"][2], json!({"role": "q", "members": ["user:a"]}));
        assert_eq!(after["auditConfigs"], before["auditConfigs"]);
        assert_eq!(after["bindings"][0], before["bindings"][0]);
        assert!(policy.revoke("q", "user:a") && policy.revoke("r", "user:a"));
        assert!(!policy.revoke("q", "user:a"));
        assert_eq!(serde_json::to_value(&policy).unwrap(), before);
    }
}
