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

    /// Reads or changes the bindings; a change makes a new etag.
    pub fn edit<T>(&mut self, act: impl FnOnce(&mut Vec<Value>) -> T) -> T {
        let before = self.bindings.clone();
        let out = act(&mut self.bindings);
        self.serial += u64::from(self.bindings != before);
        out
    }
}

/// The roles that members who satisfy `is` hold. A binding with a condition gives none: conditions are not worked
/// out here.
pub fn roles(bindings: &[Value], is: impl Fn(&str) -> bool) -> Vec<String> {
    let open = bindings.iter().filter(|b| b["condition"].is_null());
    let held = open.filter(|b| members(b).any(&is));
    held.filter_map(|b| b["role"].as_str().map(str::to_owned))
        .collect()
}

/// Gives `member` the role.
pub fn grant(bindings: &mut Vec<Value>, role: &str, member: &str) {
    let open = bindings
        .iter_mut()
        .find(|b| b["role"] == role && b["condition"].is_null());
    match open.and_then(|b| b["members"].as_array_mut()) {
        Some(members) if members.iter().any(|m| m == member) => {}
        Some(members) => members.push(member.into()),
        None => bindings.push(json!({"role": role, "members": [member]})),
    }
}

/// Takes the role from `member`; false when it wasn't theirs.
pub fn revoke(bindings: &mut Vec<Value>, role: &str, member: &str) -> bool {
    let mut taken = false;
    for binding in bindings.iter_mut().filter(|b| b["role"] == role) {
        if let Some(members) = binding["members"].as_array_mut() {
            let before = members.len();
            members.retain(|m| m != member);
            taken |= members.len() < before;
        }
    }
    bindings.retain(|b| members(b).next().is_some());
    taken
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

/// Checks the request of `testIamPermissions`; what the caller holds of it is picked out afterwards.
pub fn test_permissions(request: &Value) -> Reply {
    let asked = request["permissions"].as_array().cloned().unwrap_or_default();
    if asked.iter().any(|p| p.as_str().is_none_or(|p| p.contains('*'))) {
        return Reply::invalid("Permissions with wildcards are not allowed.");
    }
    Reply::ok(&json!({"permissions": asked}))
}
