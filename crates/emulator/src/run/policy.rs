//! IAM policies of services.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    record::Service,
    refusal::Refusal,
    services::{id, missing},
};
use crate::{Call, Reply, Shared, policy};

type Answer = Result<Reply, Refusal>;

pub fn get(emulator: &Shared, call: &Call) -> Answer {
    let id = id(call);
    let policy = emulator
        .run
        .with(&id, |s| s.policy.clone())
        .ok_or_else(|| missing(&id))?;
    Ok(Reply::ok(&shown(policy)))
}

/// Reads or changes the bindings; a change makes a new etag and takes effect at once.
pub fn edit<T>(service: &mut Service, act: impl FnOnce(&mut Vec<Value>) -> T) -> Option<T> {
    let bindings = service.policy["bindings"].as_array_mut()?;
    let before = bindings.clone();
    let out = act(bindings);
    if *bindings != before {
        service.policy["etag"] = BASE64_STANDARD.encode(uuid::Uuid::new_v4().as_bytes()).into();
        service.front.admit(&service.spec, &service.policy);
    }
    Some(out)
}

/// An empty list of bindings isn't sent.
fn shown(mut policy: Value) -> Value {
    if policy["bindings"].as_array().is_none_or(Vec::is_empty)
        && let Some(map) = policy.as_object_mut()
    {
        map.shift_remove("bindings");
    }
    policy
}

pub fn set(emulator: &Shared, call: &Call) -> Answer {
    let id = id(call);
    let wanted = &call.json["policy"];
    let bindings = wanted["bindings"].as_array().cloned().unwrap_or_default();
    for binding in &bindings {
        binding_ok(binding)?;
    }
    let act = |service: &mut Service| {
        let current = service.policy["etag"].as_str().unwrap_or_default();
        if wanted["etag"]
            .as_str()
            .is_some_and(|e| !e.is_empty() && e != current)
        {
            return Err(Refusal::aborted(
                "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
            ));
        }
        let etag = BASE64_STANDARD.encode(uuid::Uuid::new_v4().as_bytes());
        service.policy =
            json!({"version": wanted["version"].as_u64().unwrap_or(1), "etag": etag, "bindings": bindings});
        service.front.admit(&service.spec, &service.policy);
        Ok(service.policy.clone())
    };
    let policy = emulator.run.with(&id, act).ok_or_else(|| missing(&id))??;
    Ok(Reply::ok(&shown(policy)))
}

fn binding_ok(binding: &Value) -> Result<(), Refusal> {
    let role = binding["role"].as_str().unwrap_or_default();
    let known = ["roles/", "projects/", "organizations/"]
        .iter()
        .any(|p| role.starts_with(p));
    if !known {
        return Err(Refusal::invalid(format!(
            "Role {role} is not supported for this resource."
        )));
    }
    for member in binding["members"].as_array().into_iter().flatten() {
        let member = member.as_str().unwrap_or_default();
        let named = member
            .split_once(':')
            .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
        if !(matches!(member, "allUsers" | "allAuthenticatedUsers") || named) {
            return Err(Refusal::invalid(format!("Invalid member: {member}")));
        }
    }
    Ok(())
}

/// Checks the request; what the caller holds of it is picked out afterwards.
pub fn test(emulator: &Shared, call: &Call) -> Answer {
    let id = id(call);
    emulator.run.with(&id, |_| ()).ok_or_else(|| missing(&id))?;
    Ok(policy::test_permissions(&call.json))
}
