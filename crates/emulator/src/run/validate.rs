//! What a service body must obey beyond the published schema.

use serde_json::Value;

use super::{
    names, probe_rules,
    refusal::{Refusal, Violation},
    resources,
};

/// Longest value of an environment variable, in bytes.
const ENV_VALUE: usize = 32_768;
/// Longest description, in characters.
const DESCRIPTION: usize = 512;
/// Longest request, in seconds.
const TIMEOUT: u64 = 3600;
const RESERVED_ENV: [&str; 4] = ["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"];

/// Checks the whole of a service, after the mask and the defaults have been applied.
pub fn service(id: &str, region: &str, spec: &Value) -> Result<(), Refusal> {
    let mut found = Vec::new();
    found.extend(names::service_id(id).err());
    found.extend(names::labels("metadata.labels", spec.get("labels")));
    found.extend(names::annotations(
        "metadata.annotations",
        spec.get("annotations"),
    ));
    if spec["description"]
        .as_str()
        .is_some_and(|d| d.chars().count() > DESCRIPTION)
    {
        let text = format!("description must be at most {DESCRIPTION} characters.");
        found.push(Violation::new(
            "metadata.annotations[run.googleapis.com/description]",
            text,
        ));
    }
    let stage = spec["launchStage"].as_str().unwrap_or("GA");
    found.extend(template(id, region, stage, &spec["template"]));
    found.extend(scaling("spec.scaling", spec.get("scaling")));
    if found.is_empty() {
        return Ok(());
    }
    Err(Refusal::violations(&found))
}

fn template(service: &str, region: &str, stage: &str, template: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    if let Some(revision) = template["revision"].as_str() {
        found.extend(names::revision(service, revision).err());
    }
    found.extend(names::labels(
        "spec.template.metadata.labels",
        template.get("labels"),
    ));
    found.extend(names::annotations(
        "spec.template.metadata.annotations",
        template.get("annotations"),
    ));
    found.extend(timeout(template));
    found.extend(scaling("spec.template.scaling", template.get("scaling")));
    if template["maxInstanceRequestConcurrency"]
        .as_i64()
        .is_some_and(|c| !(1..=1000).contains(&c))
    {
        let text = "container_concurrency must be between 1 and 1000.";
        found.push(Violation::new("spec.template.spec.container_concurrency", text));
    }
    let containers = template["containers"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    found.extend(
        containers
            .iter()
            .enumerate()
            .flat_map(|(i, c)| container(i, c, template)),
    );
    found.extend(exposed_ports(containers));
    found.extend(resources::template(template, region, stage));
    found
}

fn timeout(template: &Value) -> Option<Violation> {
    let timeout = super::quantity::duration(template["timeout"].as_str()?)?;
    (timeout.as_secs_f64() > TIMEOUT as f64 || timeout.is_zero()).then(|| {
        let text = format!("timeout_seconds must be between 1 and {TIMEOUT}.");
        Violation::new("spec.template.spec.timeout_seconds", text)
    })
}

fn scaling(field: &str, scaling: Option<&Value>) -> Vec<Violation> {
    let count = |key| scaling.and_then(|s| s.get(key)).and_then(Value::as_i64);
    let (min, max) = (count("minInstanceCount"), count("maxInstanceCount"));
    let mut found = Vec::new();
    if min.is_some_and(|n| n < 0) || max.is_some_and(|n| n < 0) {
        found.push(Violation::new(field, "instance counts must not be negative."));
    }
    if let (Some(min), Some(max)) = (min, max.filter(|m| *m > 0))
        && min > max
    {
        let text = format!("min_instance_count ({min}) must not be greater than max_instance_count ({max}).");
        found.push(Violation::new(field, text));
    }
    found
}

/// One container takes the requests, on one port.
fn exposed_ports(containers: &[Value]) -> Option<Violation> {
    let ports = |c: &Value| c["ports"].as_array().map_or(0, Vec::len);
    if containers.is_empty() {
        return Some(Violation::new(
            "spec.template.spec.containers",
            "Revision template should contain at least one container.",
        ));
    }
    let with_ports = containers.iter().filter(|c| ports(c) > 0).count();
    if with_ports != 1 || containers.iter().any(|c| ports(c) > 1) {
        return Some(Violation::new(
            "spec.template.spec.containers",
            "Revision template should contain exactly one container with an exposed port.",
        ));
    }
    None
}

fn container(index: usize, container: &Value, template: &Value) -> Vec<Violation> {
    let at = |rest: &str| format!("spec.template.spec.containers[{index}].{rest}");
    let mut found = Vec::new();
    if container["image"].as_str().unwrap_or_default().is_empty() {
        found.push(Violation::new(at("image"), "image is required."));
    }
    for port in container["ports"].as_array().into_iter().flatten() {
        if !port["containerPort"]
            .as_i64()
            .is_some_and(|p| (1..=65_535).contains(&p))
        {
            let text = "container_port must be between 1 and 65535.";
            found.push(Violation::new(at("ports[0].container_port"), text));
        }
        if !matches!(port["name"].as_str(), None | Some("" | "http1" | "h2c")) {
            found.push(Violation::new(
                at("ports[0].name"),
                "port name must be empty, http1 or h2c.",
            ));
        }
    }
    found.extend(environment(index, container));
    found.extend(resources::container(index, container));
    for key in ["startupProbe", "livenessProbe", "readinessProbe"] {
        found.extend(
            container
                .get(key)
                .into_iter()
                .flat_map(|p| probe_rules::check(index, key, p)),
        );
    }
    found.extend(mounts(index, container, template));
    found
}

fn environment(index: usize, container: &Value) -> Vec<Violation> {
    let field = format!("spec.template.spec.containers[{index}].env");
    let mut found = Vec::new();
    let mut seen = Vec::new();
    let mut reserved = Vec::new();
    for (n, entry) in container["env"].as_array().into_iter().flatten().enumerate() {
        let name = entry["name"].as_str().unwrap_or_default();
        let at = format!("{field}[{n}]");
        if name.is_empty() || name.contains('=') {
            found.push(Violation::new(
                at.clone(),
                format!("'{name}' is no name of an environment variable."),
            ));
        }
        if seen.contains(&name) {
            found.push(Violation::new(
                at.clone(),
                format!("duplicate environment variable '{name}'."),
            ));
        }
        seen.push(name);
        if RESERVED_ENV.contains(&name) {
            reserved.push(name);
        }
        if entry["value"].as_str().is_some_and(|v| v.len() > ENV_VALUE) {
            let text = format!("value of '{name}' is longer than {ENV_VALUE} bytes.");
            found.push(Violation::new(at.clone(), text));
        }
        if entry.get("value").is_some() && entry.get("valueSource").is_some() {
            let text = format!("'{name}' has both value and value_source.");
            found.push(Violation::new(at.clone(), text));
        }
        if let Some(source) = entry.pointer("/valueSource/secretKeyRef")
            && source["version"].as_str().unwrap_or_default().is_empty()
        {
            found.push(Violation::new(
                format!("{at}.value_from.secret_key_ref.key"),
                "version is required.",
            ));
        }
    }
    if !reserved.is_empty() {
        let text = format!(
            "The following reserved env names were provided: {}. These values are automatically set by the system.",
            reserved.join(", ")
        );
        found.push(Violation::new(field, text));
    }
    found
}

fn mounts(index: usize, container: &Value, template: &Value) -> Vec<Violation> {
    let volumes = template["volumes"].as_array();
    let known = |name: &str| volumes.is_some_and(|v| v.iter().any(|v| v["name"] == name));
    let mounts = container["volumeMounts"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate();
    mounts
        .filter_map(|(n, mount)| {
            let name = mount["name"].as_str().unwrap_or_default();
            let at = format!("spec.template.spec.containers[{index}].volume_mounts[{n}]");
            if !known(name) {
                return Some(Violation::new(
                    at,
                    format!("volume '{name}' is not declared in the template."),
                ));
            }
            let path = mount["mountPath"].as_str().unwrap_or_default();
            (!path.starts_with('/'))
                .then(|| Violation::new(at, format!("mount path '{path}' is not absolute.")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "labels": {"managed-by": "x"},
            "template": {
                "timeout": "3600s",
                "containers": [{
                    "image": "europe-west4-docker.pkg.dev/p/r/i@sha256:0",
                    "ports": [{"name": "http1", "containerPort": 8080}],
                    "env": [{"name": "A", "value": "b"}],
                    "resources": {"limits": {"cpu": "1", "memory": "512Mi"}}
                }]
            }
        })
    }

    /// A pointer, what to put there, and what the refusal must say.
    #[test]
    fn each_rule_refuses_what_breaks_it() {
        let cases = [
            (
                "/template/timeout",
                json!("3601s"),
                "timeout_seconds must be between",
            ),
            (
                "/template/revision",
                json!("other-1"),
                "must be prefixed by the name of the service",
            ),
            ("/template/containers", json!([]), "at least one container"),
            ("/template/containers/0/image", json!(""), "image is required"),
            (
                "/template/containers/0/ports",
                json!([]),
                "exactly one container with an exposed port",
            ),
            (
                "/template/containers/0/ports",
                json!([{"containerPort": 1}, {"containerPort": 2}]),
                "exactly one container with an exposed port",
            ),
            (
                "/template/containers/0/ports",
                json!([{"containerPort": 70_000}]),
                "between 1 and 65535",
            ),
            (
                "/template/containers/0/ports",
                json!([{"containerPort": 80, "name": "web"}]),
                "http1 or h2c",
            ),
            (
                "/template/containers/0/env",
                json!([{"name": "PORT", "value": "1"}]),
                "The following reserved env names were provided: PORT.",
            ),
            (
                "/template/containers/0/env",
                json!([{"name": "A"}, {"name": "A"}]),
                "duplicate",
            ),
            (
                "/template/containers/0/env",
                json!([{"name": "A", "value": "x".repeat(32_769)}]),
                "longer than 32768 bytes",
            ),
            (
                "/template/containers/0/env",
                json!([{"name": "A", "valueSource": {"secretKeyRef": {"secret": "s"}}}]),
                "version is required",
            ),
            (
                "/template/containers/0/volumeMounts",
                json!([{"name": "w", "mountPath": "/m"}]),
                "not declared",
            ),
            (
                "/template/containers/0/startupProbe",
                json!({"periodSeconds": 5}),
                "exactly one of http_get",
            ),
            (
                "/template/scaling",
                json!({"minInstanceCount": 3, "maxInstanceCount": 1}),
                "must not be greater",
            ),
            (
                "/template/maxInstanceRequestConcurrency",
                json!(1001),
                "between 1 and 1000",
            ),
            ("/labels", json!({"Bad": "x"}), "label key 'Bad'"),
            ("/description", json!("x".repeat(513)), "at most 512"),
        ];
        assert_eq!(service("svc", "europe-west4", &good()), Ok(()));
        for (pointer, value, expected) in cases {
            let mut body = good();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(parent).unwrap()[key] = value;
            let refused = service("svc", "europe-west4", &body).unwrap_err();
            assert_eq!(refused.code, 400);
            assert!(
                refused.message.contains(expected),
                "{pointer}: {}",
                refused.message
            );
        }
    }

    #[test]
    fn every_broken_rule_is_listed_in_the_details() {
        let mut body = good();
        body["template"]["timeout"] = json!("9999s");
        body["labels"] = json!({"Bad": "x"});
        let refused = service("Svc", "europe-west4", &body).unwrap_err();
        assert_eq!(refused.details[0]["fieldViolations"].as_array().unwrap().len(), 3);
    }
}
