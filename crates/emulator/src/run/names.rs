//! Rules for names and labels that the published schema leaves out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::Violation;

/// Longest service name.
const SERVICE_NAME: usize = 49;
/// Longest revision name.
const REVISION_NAME: usize = 63;
/// Longest tag and service name together.
const TAG_AND_SERVICE: usize = 46;
/// Most labels on a resource.
const LABELS: usize = 64;
const RESERVED_NAMESPACES: [&str; 4] = [
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
];

fn is_dns_label(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(inside) && !name.ends_with('-')
}

pub fn service_id(id: &str) -> Result<(), Violation> {
    if id.is_empty() {
        return Err(Violation::new("service_id", "service_id is required."));
    }
    if is_dns_label(id) && id.len() <= SERVICE_NAME {
        return Ok(());
    }
    Err(Violation::new(
        "service_id",
        format!(
            "Service ID '{id}' must use only lowercase alphanumeric characters and dashes, must begin with a \
             letter, must not end with a dash, and must be less than 50 characters."
        ),
    ))
}

/// A revision name that the caller chose.
pub fn revision(service: &str, revision: &str) -> Result<(), Violation> {
    let prefixed = revision
        .strip_prefix(service)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| !rest.is_empty());
    let field = "spec.template.metadata.name";
    if !prefixed {
        let text =
            format!("Revision name '{revision}' must be prefixed by the name of the service, '{service}-'.");
        return Err(Violation::new(field, text));
    }
    if !is_dns_label(revision) || revision.len() > REVISION_NAME {
        let text = format!(
            "Revision name '{revision}' must be at most {REVISION_NAME} characters, use only lowercase alphanumeric \
             characters and dashes, begin with a letter and not end with a dash."
        );
        return Err(Violation::new(field, text));
    }
    Ok(())
}

pub fn tag(service: &str, tag: &str) -> Result<(), Violation> {
    let field = "spec.traffic.tag";
    if !is_dns_label(tag) {
        let text = format!(
            "traffic tag '{tag}' must use only lowercase alphanumeric characters and dashes, begin with a letter \
             and not end with a dash."
        );
        return Err(Violation::new(field, text));
    }
    if tag.len() + service.len() > TAG_AND_SERVICE {
        let text = format!(
            "traffic tag '{tag}' and service name '{service}' together are too long. Combined traffic tag and \
             service name cannot exceed {TAG_AND_SERVICE} characters."
        );
        return Err(Violation::new(field, text));
    }
    Ok(())
}

fn label_key(key: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    key.len() <= 63 && key.starts_with(|c: char| c.is_ascii_lowercase()) && key.chars().all(inside)
}

fn label_value(value: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    value.len() <= 63 && value.chars().all(inside)
}

fn as_map(value: Option<&Value>) -> BTreeMap<&str, &str> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)))
        .collect()
}

/// Labels of a service or template; `field` is Google's name of the map.
pub fn labels(field: &str, labels: Option<&Value>) -> Vec<Violation> {
    let labels = as_map(labels);
    let mut found = Vec::new();
    if labels.len() > LABELS {
        found.push(Violation::new(
            field,
            format!("at most {LABELS} labels are allowed."),
        ));
    }
    for (key, value) in labels {
        if let Some(text) = reserved(key) {
            found.push(Violation::new(field, text));
        } else if !label_key(key) {
            found.push(Violation::new(
                field,
                format!(
                    "label key '{key}' is invalid: keys start with a lowercase letter and have only lowercase \
                     letters, digits, '-' and '_', at most 63 characters."
                ),
            ));
        } else if !label_value(value) {
            found.push(Violation::new(
                field,
                format!(
                    "value '{value}' of label '{key}' is invalid: values have only lowercase letters, digits, '-' \
                     and '_', at most 63 characters."
                ),
            ));
        }
    }
    found
}

/// Annotations may hold anything but the platform's own namespaces.
pub fn annotations(field: &str, annotations: Option<&Value>) -> Vec<Violation> {
    as_map(annotations)
        .keys()
        .filter_map(|key| Some(Violation::new(field, reserved(key)?)))
        .collect()
}

fn reserved(key: &str) -> Option<String> {
    let (namespace, _) = key.split_once('/')?;
    RESERVED_NAMESPACES
        .contains(&namespace)
        .then(|| format!("key '{key}' is in the system namespace '{namespace}', which the v2 API rejects."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn service_names_follow_cloud_runs_rule() {
        for good in ["a", "qwen-pr-12", &"a".repeat(49)] {
            assert_eq!(service_id(good), Ok(()), "{good}");
        }
        for bad in ["", "Qwen", "1a", "a-", "a_b", &"a".repeat(50)] {
            assert!(service_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_revision_is_named_after_its_service() {
        assert_eq!(revision("svc", "svc-abc123"), Ok(()));
        for bad in [
            "svc",
            "svc-",
            "other-abc",
            "svcabc",
            "svc-A",
            &format!("svc-{}", "a".repeat(60)),
        ] {
            assert!(revision("svc", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tag_and_service_name_share_46_characters() {
        assert_eq!(tag(&"s".repeat(42), "cand"), Ok(()));
        let refused = tag(&"s".repeat(43), "cand").unwrap_err();
        assert_eq!(refused.field, "spec.traffic.tag");
        assert_eq!(
            refused.description,
            format!(
                "traffic tag 'cand' and service name '{}' together are too long. Combined traffic tag and service \
                 name cannot exceed 46 characters.",
                "s".repeat(43)
            )
        );
    }

    #[test]
    fn labels_are_checked_for_charset_namespace_and_number() {
        assert_eq!(
            labels("labels", Some(&json!({"managed-by": "llm_deploy-1", "pr": ""}))),
            []
        );
        for bad in [
            json!({"Managed": "x"}),
            json!({"a": "Upper"}),
            json!({"a": "dot.ted"}),
            json!({"run.googleapis.com/x": "y"}),
            json!({"a/b": "c"}),
        ] {
            assert_eq!(labels("labels", Some(&bad)).len(), 1, "{bad}");
        }
        let many: serde_json::Map<_, _> = (0..65).map(|n| (format!("k{n}"), json!("v"))).collect();
        assert_eq!(labels("labels", Some(&many.into())).len(), 1);
        assert_eq!(
            annotations("a", Some(&json!({"autoscaling.knative.dev/maxScale": "3"}))).len(),
            1
        );
    }
}
