//! Service Usage: which APIs the project has enabled. All that are needed are, until a test disables one.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Call, PROJECT_NUMBER, Reply, Shared, list, schema::Service};

/// Most services of one batch. <https://cloud.google.com/service-usage/docs/reference/rest>
const MAX_ENABLE: usize = 20;
const MAX_GET: usize = 30;

/// What the service holds.
#[derive(Default)]
pub struct Services {
    disabled: Mutex<BTreeSet<String>>,
}

/// On in a new project, of those that are needed.
/// <https://docs.cloud.google.com/service-usage/docs/enabled-service>
const FROM_THE_START: [&str; 4] = ["logging", "monitoring", "serviceusage", "storage"];

impl Services {
    /// As a new project has them.
    pub fn bare() -> Self {
        let kept = |host: &String| {
            FROM_THE_START
                .iter()
                .all(|p| *host != format!("{p}.googleapis.com"))
        };
        Self {
            disabled: Mutex::new(hosts().filter(kept).collect()),
        }
    }

    /// By host name, such as `run.googleapis.com`.
    pub fn is_enabled(&self, host: &str) -> bool {
        !self.lock().contains(host)
    }

    /// Takes an API away, as a project that never enabled it.
    pub fn disable(&self, host: &str) {
        self.lock().insert(host.to_owned());
    }

    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let services = &emulator.services;
        match call.id.as_str() {
            "serviceusage.services.get" => services.get(call.param("servicesId")),
            "serviceusage.services.list" => services.list(call),
            "serviceusage.services.batchGet" => services.batch_get(call),
            "serviceusage.services.enable" => services.enable(&[call.param("servicesId")], false),
            "serviceusage.services.batchEnable" => {
                let ids = call.json["serviceIds"].as_array().into_iter().flatten();
                services.enable(&ids.filter_map(Value::as_str).collect::<Vec<_>>(), true)
            }
            "serviceusage.operations.get" => {
                Reply::not_found("Operation not found: enabling is done at once here.")
            }
            _ => Reply::not_implemented(call),
        }
    }

    fn get(&self, host: &str) -> Reply {
        if !hosts().any(|h| h == host) {
            return unknown(host);
        }
        Reply::ok(&self.shown(host))
    }

    fn list(&self, call: &Call) -> Reply {
        let wanted = match call.query("filter").unwrap_or("") {
            "" => None,
            "state:ENABLED" => Some(true),
            "state:DISABLED" => Some(false),
            other => return Reply::invalid(&format!("Invalid filter: {other}")),
        };
        let all: Vec<Value> = hosts()
            .filter(|h| wanted.is_none_or(|w| self.is_enabled(h) == w))
            .map(|h| self.shown(&h))
            .collect();
        list::reply(call, "services", &all)
    }

    fn batch_get(&self, call: &Call) -> Reply {
        let names = call.query.iter().filter(|(name, _)| name == "names");
        let names: Vec<&str> = names.map(|(_, v)| v.rsplit('/').next().unwrap_or("")).collect();
        if names.is_empty() || names.len() > MAX_GET {
            return Reply::invalid("names must hold between 1 and 30 services.");
        }
        match names.iter().find(|n| !hosts().any(|h| h == **n)) {
            Some(name) => unknown(name),
            None => {
                let found: Vec<Value> = names.iter().map(|n| self.shown(n)).collect();
                Reply::ok(&json!({ "services": found }))
            }
        }
    }

    fn enable(&self, ids: &[&str], batch: bool) -> Reply {
        if ids.is_empty() || ids.len() > MAX_ENABLE {
            return Reply::invalid("service_ids must hold between 1 and 20 services.");
        }
        if let Some(id) = ids.iter().find(|id| !hosts().any(|h| h == **id)) {
            return unknown(id);
        }
        let changed = ids.iter().filter(|id| self.lock().remove(**id)).count();
        let services: Vec<Value> = ids.iter().map(|id| self.shown(id)).collect();
        let (kind, field, value) = if batch {
            ("BatchEnableServicesResponse", "services", Value::from(services))
        } else {
            ("EnableServiceResponse", "service", services[0].clone())
        };
        let name = match changed {
            0 => "operations/noop.DONE_OPERATION".to_owned(),
            _ => format!("operations/acat.p2-{PROJECT_NUMBER}-{}", uuid::Uuid::new_v4()),
        };
        let mut response = json!({"@type": format!("type.googleapis.com/google.api.serviceusage.v1.{kind}")});
        response[field] = value;
        Reply::ok(&json!({"name": name, "done": true, "response": response}))
    }

    fn shown(&self, host: &str) -> Value {
        let parent = format!("projects/{PROJECT_NUMBER}");
        let state = if self.is_enabled(host) {
            "ENABLED"
        } else {
            "DISABLED"
        };
        json!({"name": format!("{parent}/services/{host}"), "parent": parent, "state": state, "config": {"name": host}})
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.disabled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that the emulator has, and those that only look-ups of costs want.
fn hosts() -> impl Iterator<Item = String> {
    let others = ["cloudbilling", "billingbudgets"];
    let own = Service::ALL.into_iter().map(Service::prefix);
    own.chain(others).map(|p| format!("{p}.googleapis.com"))
}

fn unknown(host: &str) -> Reply {
    let message = format!("Not found or permission denied for service(s): {host}.\nHelp Token: emulator");
    Reply::google_error(StatusCode::FORBIDDEN, "PERMISSION_DENIED", &message, Vec::new())
}
