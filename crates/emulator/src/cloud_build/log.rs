//! A build's log: an object that grows in Cloud Storage, entries in Cloud Logging, or both.

use serde_json::{Value, json};

use crate::{Shared, access::Resource, tokens::Principal};

/// Writes a build's lines to where the build wants them.
pub struct BuildLog {
    emulator: Shared,
    project: String,
    id: String,
    /// Bucket and object.
    object: Option<(String, String)>,
    entries: bool,
}

impl BuildLog {
    pub fn of(emulator: &Shared, build: &Value, account: &Principal) -> Self {
        let id = build["id"].as_str().unwrap_or_default();
        let mode = build
            .pointer("/options/logging")
            .and_then(Value::as_str)
            .unwrap_or("LEGACY");
        let bucket = build["logsBucket"].as_str().unwrap_or_default();
        let stored = matches!(mode, "GCS_ONLY" | "LEGACY" | "LOGGING_UNSPECIFIED");
        Self {
            emulator: emulator.clone(),
            project: build["projectId"].as_str().unwrap_or_default().to_owned(),
            id: id.to_owned(),
            object: stored.then(|| place(bucket, id)),
            // Without this right a build runs on, and its log is nowhere.
            entries: !matches!(mode, "GCS_ONLY" | "NONE")
                && emulator.may(account, "logging.logEntries.create", &Resource::Project),
        }
    }

    /// Whether the log can be kept: a bucket of the user's own must be there.
    pub fn bucket_is_missing(&self) -> Option<&str> {
        let (bucket, _) = self.object.as_ref()?;
        let own = !bucket.ends_with(".cloudbuild-logs.googleusercontent.com");
        (own && !self.emulator.storage.bucket_exists(bucket)).then_some(bucket)
    }

    /// The bucket of the user's own that the log goes to.
    pub fn bucket(&self) -> Option<&str> {
        let (bucket, _) = self.object.as_ref()?;
        self.emulator
            .storage
            .bucket_exists(bucket)
            .then_some(bucket.as_str())
    }

    pub fn line(&self, text: &str) {
        if !self.emulator.faults.logs_grow() {
            return;
        }
        if let Some((bucket, object)) = &self.object {
            self.emulator
                .storage
                .append(bucket, object, format!("{text}\n").as_bytes());
        }
        if self.entries {
            self.emulator.logs.write(json!({
                "logName": format!("projects/{}/logs/cloudbuild", self.project),
                "resource": {"type": "build", "labels": {
                    "project_id": self.project, "build_id": self.id, "build_trigger_id": ""}},
                "severity": "INFO", "textPayload": text,
            }));
        }
    }
}

/// `gs://bucket/some/folder` → bucket and `some/folder/log-ID.txt`.
fn place(logs_bucket: &str, id: &str) -> (String, String) {
    let path = logs_bucket.strip_prefix("gs://").unwrap_or(logs_bucket);
    let (bucket, folder) = path.split_once('/').unwrap_or((path, ""));
    let folder = folder.trim_matches('/');
    let slash = if folder.is_empty() { "" } else { "/" };
    (bucket.to_owned(), format!("{folder}{slash}log-{id}.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_in_the_folder_of_the_logs_bucket() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(place("gs://b/logs/", "1"), pair("b", "logs/log-1.txt"));
        assert_eq!(place("gs://b", "1"), pair("b", "log-1.txt"));
        assert_eq!(place("b/x/y", "1"), pair("b", "x/y/log-1.txt"));
    }
}
