//! Desired against live, field by field.

use serde_json::Value;

use super::target::label;
use crate::google::run::types::Service;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted path in Cloud Run's own names, `template.containers[0].args`.
    pub path: String,
    pub from: String,
    pub to: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} → {}", self.path, self.from, self.to)
    }
}

/// Fields that are never compared here: the revision's name follows from the change, and traffic has rules of its own.
const APART: [&str; 2] = ["template.revision", "traffic"];
/// Labels that say when and by what a service was last changed; they are no reason to change it.
const BOOKKEEPING: [&str; 2] = [label::COMMIT, label::EXPIRES];

/// Every difference. A field that the desired service leaves out is the server's to fill, except that a switch
/// that is on, or a list that has entries, was put there by somebody and goes away.
pub fn changes(desired: &Service, live: &Service) -> Vec<Change> {
    let mut out = Vec::new();
    // Serialising typed structs of strings, numbers and maps can't fail; a failure would show as one change.
    let value = |service: &Service| serde_json::to_value(service).unwrap_or(Value::Null);
    let mut live = live.clone();
    strip_output(&mut live);
    compare("", &value(desired), &value(&live), &mut out);
    out
}

/// The top-level fields that changed, as an update mask.
pub fn update_mask(changes: &[Change]) -> Vec<&'static str> {
    const FIELDS: [&str; 6] = [
        "labels",
        "launchStage",
        "ingress",
        "invokerIamDisabled",
        "scaling",
        "template",
    ];
    let touches = |field: &str| {
        changes.iter().any(|c| {
            c.path
                .strip_prefix(field)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    FIELDS.into_iter().filter(|field| touches(field)).collect()
}

fn strip_output(live: &mut Service) {
    let Service {
        labels,
        ingress,
        launch_stage,
        invoker_iam_disabled,
        scaling,
        template,
        ..
    } = std::mem::take(live);
    *live = Service {
        labels,
        ingress,
        launch_stage,
        invoker_iam_disabled,
        scaling,
        template,
        ..Service::default()
    };
}

fn compare(path: &str, desired: &Value, live: &Value, out: &mut Vec<Change>) {
    if APART.contains(&path) || BOOKKEEPING.iter().any(|name| path == format!("labels.{name}")) {
        return;
    }
    match (desired, live) {
        (Value::Object(want), Value::Object(have)) => {
            for (key, value) in want {
                compare(
                    &join(path, key),
                    value,
                    have.get(key).unwrap_or(&Value::Null),
                    out,
                );
            }
            for (key, value) in have
                .iter()
                .filter(|(key, value)| !want.contains_key(*key) && is_set(value))
            {
                compare(&join(path, key), &Value::Null, value, out);
            }
        }
        (Value::Array(want), Value::Array(have))
            if want.len() == have.len() && want.iter().all(Value::is_object) =>
        {
            for (index, (want, have)) in want.iter().zip(have).enumerate() {
                compare(&format!("{path}[{index}]"), want, have, out);
            }
        }
        // Proto JSON leaves out zero, false and empty.
        (want, Value::Null) if is_zero(want) => {}
        (want, have) if want == have => {}
        (want, have) => out.push(Change {
            path: path.to_owned(),
            from: shown(have),
            to: shown(want),
        }),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn is_set(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_array().is_some_and(|items| !items.is_empty())
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Object(fields) => fields.values().all(is_zero),
        _ => false,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::run::types::{Container, EnvVar, RevisionTemplate, Scaling};

    fn service() -> Service {
        let container = Container {
            image: "i@sha256:1".to_owned(),
            args: vec!["--a".to_owned()],
            env: vec![EnvVar {
                name: "A".to_owned(),
                value: Some("1".to_owned()),
                value_source: None,
            }],
            ..Container::default()
        };
        Service {
            ingress: Some("INGRESS_TRAFFIC_ALL".to_owned()),
            scaling: Some(Scaling {
                min_instance_count: Some(0),
                max_instance_count: None,
            }),
            template: Some(RevisionTemplate {
                containers: vec![container],
                ..RevisionTemplate::default()
            }),
            ..Service::default()
        }
    }

    fn paths(change: impl FnOnce(&mut Service)) -> Vec<String> {
        let mut live = service();
        change(&mut live);
        changes(&service(), &live).into_iter().map(|c| c.path).collect()
    }

    #[test]
    fn what_the_server_fills_in_or_leaves_out_is_no_change() {
        let none: Vec<String> = Vec::new();
        assert_eq!(paths(|_| ()), none);
        assert_eq!(
            paths(|live| live.scaling = None),
            none,
            "zero and absent are the same in proto JSON"
        );
        assert_eq!(paths(|live| live.uri = Some("https://x".to_owned())), none);
        assert_eq!(
            paths(|live| template(live).service_account = Some("default@p".to_owned())),
            none
        );
        assert_eq!(
            paths(|live| template(live).revision = Some("x-00001".to_owned())),
            none
        );
        assert_eq!(
            paths(|live| drop(live.labels.insert(label::EXPIRES.to_owned(), "1".to_owned()))),
            none
        );
    }

    #[test]
    fn each_difference_is_found_with_its_path() {
        assert_eq!(
            paths(|live| live.ingress = Some("INGRESS_TRAFFIC_NONE".to_owned())),
            ["ingress"]
        );
        assert_eq!(
            paths(|live| live.invoker_iam_disabled = true),
            ["invokerIamDisabled"]
        );
        let container =
            |live: &mut Service, change: fn(&mut Container)| change(&mut template(live).containers[0]);
        assert_eq!(
            paths(|l| container(l, |c| c.args.push("--b".to_owned()))),
            ["template.containers[0].args"]
        );
        assert_eq!(
            paths(|l| container(l, |c| c.args.clear())),
            ["template.containers[0].args"]
        );
        assert_eq!(
            paths(|l| container(l, |c| c.env.push(EnvVar::default()))),
            ["template.containers[0].env"]
        );
        assert_eq!(
            paths(|l| container(l, |c| c.image.push('2'))),
            ["template.containers[0].image"]
        );
        assert_eq!(paths(|l| l.template = None).len(), 1);
    }

    #[test]
    fn the_mask_names_the_top_level_fields_only() {
        let changed = changes(&service(), &Service::default());
        assert_eq!(update_mask(&changed), ["ingress", "template"]);
    }

    fn template(live: &mut Service) -> &mut RevisionTemplate {
        live.template.as_mut().unwrap()
    }
}
