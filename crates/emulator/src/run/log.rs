//! What Cloud Run writes to Cloud Logging about a revision.

use std::sync::Weak;

use serde_json::{Value, json};

use super::record::Id;
use crate::{Emulator, Shared};

/// Writes a revision's lines; holds the emulator weakly, because instances outlive requests.
#[derive(Clone)]
pub struct RevisionLog {
    emulator: Weak<Emulator>,
    id: Id,
    revision: String,
}

/// The same for one instance, whose id goes on every line.
#[derive(Clone)]
pub struct InstanceLog {
    revision: RevisionLog,
    instance: String,
}

impl RevisionLog {
    pub fn new(emulator: &Shared, id: &Id, revision: &str) -> Self {
        Self {
            emulator: std::sync::Arc::downgrade(emulator),
            id: id.clone(),
            revision: revision.to_owned(),
        }
    }

    pub fn instance(&self) -> InstanceLog {
        InstanceLog {
            revision: self.clone(),
            instance: format!("00{}", uuid::Uuid::new_v4().simple()),
        }
    }

    /// A line of the platform itself.
    pub fn system(&self, severity: &str, text: &str) {
        self.write(
            "varlog%2Fsystem",
            json!({"severity": severity, "textPayload": text}),
        );
    }

    /// The line of a request that came in at `received`; `request` is a `HttpRequest`.
    pub fn request(&self, severity: &str, request: &Value, received: &str) {
        self.write(
            "requests",
            json!({"severity": severity, "httpRequest": request, "timestamp": received}),
        );
    }

    fn write(&self, log: &str, mut entry: Value) {
        let Some(emulator) = self.emulator.upgrade() else {
            return;
        };
        let project = &self.id.project;
        entry["logName"] = json!(format!("projects/{project}/logs/run.googleapis.com%2F{log}"));
        if entry["timestamp"].is_null() {
            entry["timestamp"] = json!(super::conditions::now());
        }
        entry["resource"] = json!({"type": "cloud_run_revision", "labels": {
            "project_id": project,
            "location": self.id.region,
            "service_name": self.id.service,
            "configuration_name": self.id.service,
            "revision_name": self.revision,
        }});
        emulator.logs.write(entry);
    }
}

impl InstanceLog {
    /// A line that the container wrote to `stdout` or `stderr`.
    pub fn line(&self, stream: &str, text: &str) {
        self.revision.write(
            stream,
            json!({"textPayload": text, "labels": {"instanceId": self.instance}}),
        );
    }

    /// A line of the platform about this instance.
    pub fn system(&self, severity: &str, text: &str) {
        let entry =
            json!({"severity": severity, "textPayload": text, "labels": {"instanceId": self.instance}});
        self.revision.write("varlog%2Fsystem", entry);
    }
}
