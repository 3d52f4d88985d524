//! What the server fills in, and how it writes proto3 messages as JSON.

use serde_json::{Map, Value, json};

use super::{
    probe_rules,
    resources::{self, Limits},
};
use crate::PROJECT_NUMBER;

/// Fields of a service that a caller sets; everything else is output only.
pub const MUTABLE: [&str; 19] = [
    "annotations",
    "binaryAuthorization",
    "buildConfig",
    "client",
    "clientVersion",
    "customAudiences",
    "defaultUriDisabled",
    "description",
    "functionalType",
    "iapEnabled",
    "ingress",
    "invokerIamDisabled",
    "labels",
    "launchStage",
    "multiRegionSettings",
    "scaling",
    "sshEnabled",
    "template",
    "traffic",
];

/// The fields that a caller may set, without proto3's default values.
pub fn mutable(body: &Value) -> Value {
    let mut kept = Map::new();
    for key in MUTABLE {
        if let Some(value) = body.get(key) {
            kept.insert(key.to_owned(), value.clone());
        }
    }
    let mut kept = Value::Object(kept);
    prune(&mut kept);
    kept
}

/// Drops `false`, 0 and null fields, which proto3 can't tell from absent ones.
pub fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !(v.is_null() || *v == json!(false) || *v == json!(0)));
            map.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

fn default(object: &mut Value, key: &str, value: Value) {
    if object.get(key).is_none_or(Value::is_null) {
        object[key] = value;
    }
}

/// Fills in what Cloud Run fills in.
pub fn fill(spec: &mut Value, limits: &Limits) {
    default(spec, "launchStage", json!("GA"));
    default(spec, "ingress", json!("INGRESS_TRAFFIC_ALL"));
    let no_traffic = spec["traffic"].as_array().is_none_or(Vec::is_empty);
    if no_traffic {
        spec["traffic"] = json!([{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]);
    }
    default(spec, "template", json!({}));
    let template = &mut spec["template"];
    default(template, "timeout", json!("300s"));
    default(template, "maxInstanceRequestConcurrency", json!(80));
    let account = format!("{PROJECT_NUMBER}-compute@developer.gserviceaccount.com");
    default(template, "serviceAccount", json!(account));
    let several = template["containers"].as_array().map_or(0, Vec::len) > 1;
    for container in template["containers"].as_array_mut().into_iter().flatten() {
        fill_container(container, several);
    }
    default(template, "scaling", json!({}));
    let most = resources::default_max_instances(template, limits);
    default(&mut template["scaling"], "maxInstanceCount", json!(most));
}

fn fill_container(container: &mut Value, several: bool) {
    if !several {
        default(
            container,
            "ports",
            json!([{"name": "http1", "containerPort": 8080}]),
        );
    }
    for port in container["ports"].as_array_mut().into_iter().flatten() {
        default(port, "name", json!("http1"));
        default(port, "containerPort", json!(8080));
    }
    // Absent `resources` means request-based billing; with `resources`, an absent `cpuIdle` means false.
    default(
        container,
        "resources",
        json!({"cpuIdle": true, "startupCpuBoost": true}),
    );
    default(&mut container["resources"], "limits", json!({}));
    default(&mut container["resources"]["limits"], "cpu", json!("1000m"));
    default(&mut container["resources"]["limits"], "memory", json!("512Mi"));
    let Some(port) = container.pointer("/ports/0/containerPort").cloned() else {
        return;
    };
    let tcp = json!({"timeoutSeconds": 240, "periodSeconds": 240, "failureThreshold": 1,
        "tcpSocket": {"port": port}});
    default(container, "startupProbe", tcp);
    for key in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let Some(probe) = container.get_mut(key) else {
            continue;
        };
        default(probe, "timeoutSeconds", json!(probe_rules::TIMEOUT));
        default(probe, "periodSeconds", json!(probe_rules::PERIOD));
        default(probe, "failureThreshold", json!(probe_rules::THRESHOLD));
        if let Some(http) = probe.get_mut("httpGet") {
            default(http, "path", json!("/"));
            default(http, "port", port.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_service_gets_cloud_runs_defaults() {
        let mut spec = mutable(&json!({
            "name": "n", "uri": "output only", "etag": "e", "invokerIamDisabled": false,
            "template": {"containers": [{"image": "i"}], "scaling": {"minInstanceCount": 0}}
        }));
        fill(&mut spec, &Limits::default());
        insta::assert_json_snapshot!(spec);
    }

    #[test]
    fn with_resources_given_an_absent_cpu_idle_means_always_allocated() {
        let mut spec = mutable(&json!({"template": {"containers": [
            {"image": "i", "resources": {"limits": {"cpu": "8"}, "cpuIdle": false}}]}}));
        fill(&mut spec, &Limits::default());
        assert_eq!(
            spec["template"]["containers"][0]["resources"],
            json!({"limits": {"cpu": "8", "memory": "512Mi"}})
        );
    }
}
