//! Conditions of services and revisions, in Cloud Run's words.

use std::time::Duration;

use serde_json::{Value, json};

pub const RECONCILING: &str = "CONDITION_RECONCILING";
pub const FAILED: &str = "CONDITION_FAILED";
pub const SUCCEEDED: &str = "CONDITION_SUCCEEDED";

/// Why a revision didn't come up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Number of the `google.rpc.Code` in the operation's error.
    pub code: u32,
    /// Condition of the revision that fails.
    pub condition: &'static str,
    /// `reason` or `revisionReason`, with its value.
    pub reason: (&'static str, &'static str),
    pub message: String,
}

/// Now, as Google writes times.
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Sets a condition; the transition time moves only when the state changes.
pub fn set(conditions: &mut Vec<Value>, kind: &str, state: &str, message: &str) {
    let mut condition = json!({"type": kind, "state": state, "lastTransitionTime": now()});
    if !message.is_empty() {
        condition["message"] = json!(message);
    }
    if matches!(kind, "ContainerHealthy" | "Active") {
        condition["severity"] = json!("INFO");
    }
    match conditions.iter_mut().find(|c| c["type"] == kind) {
        Some(old) => {
            if old["state"] == condition["state"] {
                condition["lastTransitionTime"] = old["lastTransitionTime"].take();
            }
            *old = condition;
        }
        None => conditions.push(condition),
    }
}

/// Sets a condition to failed for a cause.
pub fn fail(conditions: &mut Vec<Value>, kind: &str, message: &str, reason: (&str, &str)) {
    set(conditions, kind, FAILED, message);
    if let Some(condition) = conditions.iter_mut().find(|c| c["type"] == kind) {
        condition[reason.0] = json!(reason.1);
    }
}

fn seconds(elapsed: Duration) -> String {
    let all = elapsed.as_secs_f64();
    if all < 60.0 {
        return format!("{all:.2}s");
    }
    format!("{}m{:.2}s", (all / 60.0) as u64, all % 60.0)
}

pub fn imported(elapsed: Duration) -> String {
    format!("Container image import completed in {}.", seconds(elapsed))
}

/// While the startup probe runs; both times are the specification's.
pub fn provisioned(elapsed: Duration, window: Duration, delay: Duration) -> String {
    format!(
        "Provisioning imported containers completed in {}. Checking container health. This will wait for up to {} \
         for the configured startup probe, including an initial delay of {}s.",
        seconds(elapsed),
        minutes(window),
        delay.as_secs()
    )
}

fn minutes(window: Duration) -> String {
    match (window.as_secs() / 60, window.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, 0) => format!("{minutes}m"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

pub fn healthy(elapsed: Duration) -> String {
    format!("Containers became healthy in {}.", seconds(elapsed))
}

pub fn deployed(elapsed: Duration) -> String {
    format!("Deploying revision succeeded in {}.", seconds(elapsed))
}

/// A service's condition when its revision fails.
pub fn not_ready(revision: &str, message: &str) -> String {
    format!("Revision '{revision}' is not ready and cannot serve traffic. {message}")
}

pub fn unhealthy(port: u64) -> Cause {
    Cause {
        code: 9,
        condition: "ContainerHealthy",
        reason: ("revisionReason", "HEALTH_CHECK_CONTAINER_ERROR"),
        message: format!(
            "The user-provided container failed to start and listen on the port defined provided by the PORT={port} \
             environment variable within the allocated timeout. This can happen when the container port is \
             misconfigured or if the timeout is too short. The health check timeout can be extended. Logs for this \
             revision might contain more information."
        ),
    }
}

pub fn image_missing(image: &str) -> Cause {
    Cause {
        code: 5,
        condition: "ContainerReady",
        reason: ("reason", "CONTAINER_MISSING"),
        message: format!("Image '{image}' not found."),
    }
}

/// Cloud Run gives the same text for a secret that isn't there and one that may not be read.
pub fn secret_denied(container: usize, env: usize, secret: &str, version: &str, account: &str) -> Cause {
    Cause {
        code: 9,
        condition: "ResourcesAvailable",
        reason: ("reason", "SECRETS_ACCESS_CHECK_FAILED"),
        message: format!(
            "spec.template.spec.containers[{container}].env[{env}].value_from.secret_key_ref.name: Permission denied \
             on secret: projects/{}/secrets/{secret}/versions/{version} for Revision service account {account}. The \
             service account used must be granted the 'Secret Manager Secret Accessor' role \
             (roles/secretmanager.secretAccessor) at the secret, project or higher level.",
            crate::PROJECT_NUMBER
        ),
    }
}

pub fn no_gpu_left() -> Cause {
    Cause {
        code: 8,
        condition: "ResourcesAvailable",
        reason: ("revisionReason", "MIN_INSTANCES_NOT_PROVISIONED"),
        message: "Quota exceeded for total allowable count of GPUs per project per region.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_cloud_runs_do() {
        let window = Duration::from_secs(240);
        let lines = [
            imported(Duration::from_millis(431_180)),
            provisioned(Duration::from_millis(31_910), window, Duration::ZERO),
            healthy(Duration::from_millis(13_640)),
            deployed(Duration::from_millis(44_450)),
            not_ready("svc-1", &unhealthy(8000).message),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_transition_time_moves_only_with_the_state() {
        let mut conditions = Vec::new();
        set(&mut conditions, "Ready", RECONCILING, "one");
        let first = conditions[0]["lastTransitionTime"].clone();
        set(&mut conditions, "Ready", RECONCILING, "two");
        assert_eq!(conditions[0]["lastTransitionTime"], first);
        assert_eq!(conditions[0]["message"], "two");
        fail(&mut conditions, "Ready", "three", ("reason", "REVISION_FAILED"));
        assert_eq!((conditions.len(), &conditions[0]["state"]), (1, &json!(FAILED)));
        assert_eq!(conditions[0]["reason"], "REVISION_FAILED");
    }
}
