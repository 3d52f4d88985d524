//! Cloud Logging: entries that the other services write, and a search over them.

pub mod filter;

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{Call, PROJECT_NUMBER, Reply, Shared, list};

/// Entries that are kept; the oldest go first.
const KEPT: usize = 50_000;

/// What the service holds.
#[derive(Default)]
pub struct Logs {
    entries: Mutex<VecDeque<Value>>,
}

impl Logs {
    /// Stores a LogEntry; `insertId` and the timestamps are filled in when absent.
    pub fn write(&self, mut entry: Value) {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Nanos, true);
        if !entry.is_object() {
            return;
        }
        for key in ["timestamp", "receiveTimestamp"] {
            if entry[key].is_null() {
                entry[key] = now.as_str().into();
            }
        }
        if entry["insertId"].is_null() {
            entry["insertId"] = uuid::Uuid::new_v4().simple().to_string().into();
        }
        let mut entries = self.lock();
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        match call.id.as_str() {
            "logging.entries.list" => emulator.logs.list(call, &emulator.settings.project),
            "logging.entries.write" => emulator.logs.write_all(&call.json, &emulator.settings.project),
            _ => Reply::not_implemented(call),
        }
    }

    fn list(&self, call: &Call, project: &str) -> Reply {
        let request = &call.json;
        let names = request["resourceNames"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        if names.is_empty() {
            return Reply::invalid("At least one resource must be specified in resource_names.");
        }
        if let Some(other) = names.iter().find(|n| !is_ours(n, project)) {
            return denied(other, "logging.logEntries.list");
        }
        let filter = match filter::parse(request["filter"].as_str().unwrap_or("")) {
            Ok(filter) => filter,
            Err(mistake) => return Reply::invalid(&format!("Unparseable filter: {mistake}")),
        };
        let newest_first = match request["orderBy"].as_str().unwrap_or("") {
            "" | "timestamp" | "timestamp asc" => false,
            "timestamp desc" => true,
            other => return Reply::invalid(&format!("order_by is invalid: {other}")),
        };
        let size = request["pageSize"].as_i64().unwrap_or(50);
        let Some(size) = usize::try_from(size).ok().filter(|s| *s <= 1000) else {
            return Reply::invalid("page_size must be between 0 and 1000.");
        };
        let found = self.search(&filter, newest_first);
        let size = if size == 0 { 50 } else { size };
        match list::page(&found, size, request["pageToken"].as_str().unwrap_or("")) {
            Ok((page, next)) => {
                let mut out = Map::new();
                if !page.is_empty() {
                    out.insert("entries".into(), page.into());
                }
                if let Some(next) = next {
                    out.insert("nextPageToken".into(), next.into());
                }
                Reply::ok(&out.into())
            }
            Err(refused) => *refused,
        }
    }

    fn search(&self, filter: &filter::Filter, newest_first: bool) -> Vec<Value> {
        let entries = self.lock();
        let mut found: Vec<Value> = entries.iter().filter(|e| filter.fits(e)).cloned().collect();
        found.sort_by_cached_key(|e| filter::instant(&e["timestamp"]));
        if newest_first {
            found.reverse();
        }
        found
    }

    fn write_all(&self, request: &Value, project: &str) -> Reply {
        let entries = request["entries"].as_array().cloned().unwrap_or_default();
        for mut entry in entries {
            for key in ["logName", "resource"] {
                if entry[key].is_null() {
                    entry[key] = request[key].clone();
                }
            }
            let name = entry["logName"].as_str().unwrap_or("");
            if name
                .split_once("/logs/")
                .is_none_or(|(p, _)| !is_ours(p, project))
            {
                return denied(name, "logging.logEntries.create");
            }
            self.write(entry);
        }
        Reply::ok(&json!({}))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Value>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_ours(resource: &str, project: &str) -> bool {
    resource
        .strip_prefix("projects/")
        .is_some_and(|p| p == project || p == PROJECT_NUMBER)
}

fn denied(resource: &str, permission: &str) -> Reply {
    let message = format!("Permission '{permission}' denied on resource '{resource}' (or it may not exist).");
    Reply::permission_denied(&message, permission, "logging.googleapis.com")
}
