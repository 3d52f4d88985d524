//! Resource Manager: the project.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::{
    Call, PROJECT_NUMBER, Reply, Shared,
    policy::{self, Policy},
};

/// What the service holds.
#[derive(Default)]
pub struct Projects {
    policy: Mutex<Policy>,
}

const CREATED: &str = "2026-01-05T09:00:00.000Z";

impl Projects {
    /// Reads or changes the bindings on the project.
    pub fn bindings<T>(&self, act: impl FnOnce(&mut Vec<Value>) -> T) -> T {
        let mut policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        policy.edit(act)
    }

    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let project = &emulator.settings.project;
        let mut policy = emulator
            .projects
            .policy
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match call.id.rsplit('.').next().unwrap_or("") {
            "get" if call.path.starts_with("/v1/") => Reply::ok(&first_version(project)),
            "get" => Reply::ok(&json!({
                "name": format!("projects/{PROJECT_NUMBER}"), "projectId": project, "displayName": project,
                "state": "ACTIVE", "createTime": CREATED, "etag": "W/\"1\"",
            })),
            "getIamPolicy" => Reply::ok(&policy.show()),
            "setIamPolicy" => policy.set(&call.json),
            "testIamPermissions" => policy::test_permissions(&call.json),
            _ => Reply::not_implemented(call),
        }
    }
}

fn first_version(project: &str) -> Value {
    json!({
        "projectNumber": PROJECT_NUMBER, "projectId": project, "name": project, "lifecycleState": "ACTIVE",
        "createTime": CREATED,
    })
}
