//! Rules for probes: ranges, and a timeout within the period.

use serde_json::Value;

use super::refusal::Violation;

/// Google's defaults when a probe leaves a field out.
pub const PERIOD: i64 = 10;
pub const TIMEOUT: i64 = 1;
pub const THRESHOLD: i64 = 3;

fn field(probe: &Value, key: &str) -> Option<i64> {
    probe.get(key).and_then(Value::as_i64)
}

/// The longest time in any field of a startup probe, in seconds (Google's page on health checks of services, November
/// 2026; the v2 reference still says 240).
const STARTUP_FIELD: i64 = 600;
/// The longest window of a startup probe of a service with a GPU, failureThreshold × periodSeconds, in seconds (the same
/// page; the words of Google's refusal are not known).
const STARTUP_WINDOW: i64 = 1800;

/// Checks `startupProbe`, `livenessProbe` or `readinessProbe` of a container.
pub fn check(index: usize, key: &str, probe: &Value) -> Vec<Violation> {
    let (name, most) = match key {
        "startupProbe" => ("startup_probe", STARTUP_FIELD),
        "livenessProbe" => ("liveness_probe", 3600),
        _ => ("readiness_probe", 3600),
    };
    let at = format!("service.spec.template.spec.containers[{index}].{name}");
    let mut found = Vec::new();
    let mut range = |field: &str, value: Option<i64>, least: i64, most: i64| {
        if value.is_some_and(|v| !(least..=most).contains(&v)) {
            let text = format!("{field} must be a number between {} and {most}.", least.min(0));
            found.push(Violation::new(at.clone(), text));
        }
    };
    // A zero can't be told from an absent field in proto3, so zero means the default.
    range(
        "initial_delay_seconds",
        field(probe, "initialDelaySeconds"),
        0,
        most,
    );
    range("period_seconds", field(probe, "periodSeconds"), 0, most);
    range("timeout_seconds", field(probe, "timeoutSeconds"), 0, most);
    range(
        "failure_threshold",
        field(probe, "failureThreshold"),
        0,
        i64::from(i32::MAX),
    );
    let or = |key, default| field(probe, key).filter(|v| *v != 0).unwrap_or(default);
    let (timeout, period) = (or("timeoutSeconds", TIMEOUT), or("periodSeconds", PERIOD));
    let window = period.saturating_mul(or("failureThreshold", THRESHOLD));
    if key == "startupProbe" && window > STARTUP_WINDOW {
        let text = format!(
            "failure_threshold * period_seconds ({window}) must not be greater than {STARTUP_WINDOW} seconds."
        );
        found.push(Violation::new(at.clone(), text));
    }
    if timeout > period {
        let text = format!("timeout_seconds ({timeout}) must not be greater than period_seconds ({period}).");
        found.push(Violation::new(at.clone(), text));
    }
    let kinds = ["httpGet", "tcpSocket", "grpc"];
    let set = kinds.iter().filter(|kind| probe.get(**kind).is_some()).count();
    if set != 1 {
        found.push(Violation::new(
            at.clone(),
            "exactly one of http_get, tcp_socket or grpc must be set.",
        ));
    }
    if key == "livenessProbe" && probe.get("tcpSocket").is_some() {
        found.push(Violation::new(
            at,
            "tcp_socket is not supported for liveness probes.",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn probe_fields_are_held_to_cloud_runs_ranges() {
        let probe = |extra: Value| {
            let mut probe = json!({"httpGet": {"path": "/health"}});
            probe
                .as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            probe
        };
        let cases = [
            (
                "startupProbe",
                json!({"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 180}),
                None,
            ),
            ("startupProbe", json!({"initialDelaySeconds": 600}), None),
            (
                "startupProbe",
                json!({"periodSeconds": 600, "timeoutSeconds": 600, "failureThreshold": 3}),
                None,
            ),
            (
                "startupProbe",
                json!({"periodSeconds": 601}),
                Some("period_seconds must be a number between 0 and 600."),
            ),
            (
                "startupProbe",
                json!({"periodSeconds": 5, "failureThreshold": 361}),
                Some("failure_threshold * period_seconds (1805) must not be greater than 1800 seconds."),
            ),
            (
                "startupProbe",
                json!({"initialDelaySeconds": 601}),
                Some("initial_delay_seconds must be"),
            ),
            (
                "startupProbe",
                json!({"timeoutSeconds": 11}),
                Some("must not be greater than period_seconds (10)"),
            ),
            (
                "startupProbe",
                json!({"failureThreshold": -1}),
                Some("failure_threshold"),
            ),
            ("livenessProbe", json!({"periodSeconds": 3600}), None),
            (
                "livenessProbe",
                json!({"periodSeconds": 3601}),
                Some("between 0 and 3600"),
            ),
        ];
        for (key, extra, refused) in cases {
            let found = check(0, key, &probe(extra.clone()));
            match refused {
                None => assert_eq!(found, [], "{extra}"),
                Some(text) => assert!(found[0].description.contains(text), "{extra}: {found:?}"),
            }
        }
        assert_eq!(check(0, "startupProbe", &json!({"periodSeconds": 10})).len(), 1);
        assert_eq!(
            check(1, "startupProbe", &probe(json!({"periodSeconds": 601})))[0].field,
            "service.spec.template.spec.containers[1].startup_probe"
        );
    }
}
