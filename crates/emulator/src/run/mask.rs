//! Update masks: only the named fields change, and each name must exist.

use serde_json::Value;

use super::{defaults::MUTABLE, refusal::Refusal};

/// Output-only fields, which a mask may name without effect.
const OUTPUT: [&str; 21] = [
    "conditions",
    "createTime",
    "creator",
    "deleteTime",
    "etag",
    "expireTime",
    "generation",
    "lastModifier",
    "latestCreatedRevision",
    "latestReadyRevision",
    "name",
    "observedGeneration",
    "reconciling",
    "satisfiesPzs",
    "terminalCondition",
    "threatDetectionEnabled",
    "trafficStatuses",
    "uid",
    "updateTime",
    "uri",
    "urls",
];
const TEMPLATE: [&str; 22] = [
    "ambientNetworking",
    "annotations",
    "client",
    "clientVersion",
    "containers",
    "encryptionKey",
    "encryptionKeyRevocationAction",
    "encryptionKeyShutdownDuration",
    "executionEnvironment",
    "gpuZonalRedundancyDisabled",
    "healthCheckDisabled",
    "labels",
    "maxInstanceRequestConcurrency",
    "nodeSelector",
    "revision",
    "sandboxes",
    "scaling",
    "serviceAccount",
    "sessionAffinity",
    "timeout",
    "volumes",
    "vpcAccess",
];
const SCALING: [&str; 4] = [
    "manualInstanceCount",
    "maxInstanceCount",
    "minInstanceCount",
    "scalingMode",
];

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut all, word| {
        let mut letters = word.chars();
        all.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        all.push_str(letters.as_str());
        all
    })
}

fn exists(path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    let Some(second) = rest.first() else {
        return MUTABLE.contains(&first.as_str()) || OUTPUT.contains(&first.as_str());
    };
    match first.as_str() {
        "template" => TEMPLATE.contains(&second.as_str()),
        "scaling" => SCALING.contains(&second.as_str()) && rest.len() == 1,
        "labels" | "annotations" => rest.len() == 1,
        // Lists and scalars have no fields that a mask can name.
        "traffic" | "customAudiences" | "description" | "ingress" | "launchStage" | "client" => false,
        other => MUTABLE.contains(&other),
    }
}

/// The current fields with those of `incoming` that the mask names; without a mask, all of `incoming`.
///
/// # Errors
/// 400 for a path that no field of a service has.
pub fn apply(current: &Value, incoming: &Value, mask: Option<&str>) -> Result<Value, Refusal> {
    let paths: Vec<&str> = mask
        .unwrap_or("*")
        .split(',')
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect();
    if paths.is_empty() || paths == ["*"] {
        return Ok(incoming.clone());
    }
    let mut merged = current.clone();
    for path in paths {
        let parts: Vec<String> = path.split('.').map(camel).collect();
        if !exists(&parts) {
            let text = format!("Invalid update_mask: field path '{path}' does not exist in Service.");
            return Err(Refusal::invalid(text));
        }
        if !OUTPUT.contains(&parts[0].as_str()) {
            copy(&mut merged, incoming, &parts);
        }
    }
    Ok(merged)
}

fn copy(into: &mut Value, from: &Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        match (from.get(first), into.as_object_mut()) {
            (Some(value), Some(map)) => drop(map.insert(first.clone(), value.clone())),
            (None, Some(map)) => drop(map.shift_remove(first)),
            _ => {}
        }
        return;
    }
    if into.get(first).is_none_or(Value::is_null) {
        into[first] = Value::Object(serde_json::Map::new());
    }
    copy(&mut into[first], from.get(first).unwrap_or(&Value::Null), rest);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_masked_fields_change() {
        let current = json!({"labels": {"a": "1", "b": "2"}, "description": "old",
            "template": {"timeout": "1s", "serviceAccount": "x"}});
        let incoming = json!({"labels": {"a": "9"}, "description": "new", "template": {"timeout": "2s"}});
        let cases = [
            (
                "description",
                json!({"labels": {"a": "1", "b": "2"}, "description": "new",
                "template": {"timeout": "1s", "serviceAccount": "x"}}),
            ),
            (
                "labels",
                json!({"labels": {"a": "9"}, "description": "old",
                "template": {"timeout": "1s", "serviceAccount": "x"}}),
            ),
            (
                "labels.a, template.timeout",
                json!({"labels": {"a": "9", "b": "2"}, "description": "old",
                "template": {"timeout": "2s", "serviceAccount": "x"}}),
            ),
            (
                "template.service_account",
                json!({"labels": {"a": "1", "b": "2"}, "description": "old",
                "template": {"timeout": "1s"}}),
            ),
            ("uri,etag", current.clone()),
        ];
        for (mask, expected) in cases {
            assert_eq!(apply(&current, &incoming, Some(mask)), Ok(expected), "{mask}");
        }
        assert_eq!(apply(&current, &incoming, None), Ok(incoming.clone()));
    }

    #[test]
    fn a_path_that_does_not_exist_is_refused() {
        for path in [
            "templates",
            "template.replicas",
            "scaling.min",
            "traffic.percent",
            "labels.a.b",
            "template.",
        ] {
            let refused = apply(&json!({}), &json!({}), Some(path)).unwrap_err();
            assert!(refused.message.contains(path), "{path}");
        }
    }
}
