//! An IAM policy on a resource, with the etag that guards read-modify-write.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::Reply;

/// Who holds which role on one resource.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    version: i64,
    bindings: Vec<Value>,
    serial: u64,
}

impl Policy {
    /// One binding per role.
    pub fn of(bindings: &[(&str, Vec<String>)]) -> Self {
        let binding = |(role, members): &(&str, Vec<String>)| json!({"role": role, "members": members});
        Self {
            version: 1,
            bindings: bindings.iter().map(binding).collect(),
            serial: 1,
        }
    }

    /// As a message; Google leaves `bindings` out when there is none.
    pub fn show(&self) -> Value {
        let mut out = json!({"etag": BASE64_STANDARD.encode(self.serial.to_be_bytes())});
        if !self.bindings.is_empty() {
            out["version"] = self.version.max(1).into();
            out["bindings"] = self.bindings.clone().into();
        }
        out
    }

    /// Replaces the policy by `request.policy`, if its etag is absent or the current one.
    pub fn set(&mut self, request: &Value) -> Reply {
        let policy = &request["policy"];
        if !policy.is_object() {
            return Reply::invalid("Policy is required.");
        }
        if policy["etag"].is_string() && policy["etag"] != self.show()["etag"] {
            return Reply::aborted(
                "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff. The request's ETag did not match the current policy's ETag.",
            );
        }
        let bindings = policy["bindings"].as_array().cloned().unwrap_or_default();
        let conditional = |list: &[Value]| list.iter().any(|b| b["condition"].is_object());
        if policy["version"] != 3 && (conditional(&bindings) || conditional(&self.bindings)) {
            return Reply::invalid(
                "The specified policy version is invalid: a policy with conditions is read and written with version 3.",
            );
        }
        if let Some(member) = bindings.iter().flat_map(members).find(|m| !is_member(m)) {
            return Reply::invalid(&format!(
                "The member {member} is of an unknown type. Please set a valid type prefix for the member."
            ));
        }
        self.version = policy["version"].as_i64().unwrap_or(1);
        self.bindings = bindings;
        self.serial += 1;
        Reply::ok(&self.show())
    }

    /// Whether a member of `role` satisfies `is`.
    pub fn has(&self, role: &str, is: impl Fn(&str) -> bool) -> bool {
        let bindings = self.bindings.iter().filter(|b| b["role"] == role);
        bindings.flat_map(members).any(is)
    }
}

fn members(binding: &Value) -> impl Iterator<Item = &str> {
    let members = binding["members"].as_array().into_iter().flatten();
    members.filter_map(Value::as_str)
}

fn is_member(member: &str) -> bool {
    const KINDS: [&str; 10] = [
        "deleted:",
        "user:",
        "serviceAccount:",
        "group:",
        "domain:",
        "projectOwner:",
        "projectEditor:",
        "projectViewer:",
        "principal://",
        "principalSet://",
    ];
    matches!(member, "allUsers" | "allAuthenticatedUsers") || KINDS.iter().any(|k| member.starts_with(k))
}

/// What `testIamPermissions` answers to somebody who may do everything.
pub fn test_permissions(request: &Value) -> Reply {
    let asked = request["permissions"].as_array().cloned().unwrap_or_default();
    if asked.iter().any(|p| p.as_str().is_none_or(|p| p.contains('*'))) {
        return Reply::invalid("Permissions with wildcards are not allowed.");
    }
    Reply::ok(&json!({"permissions": asked}))
}
