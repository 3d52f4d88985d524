use super::*;
use crate::google::run::types::{Container, EnvVar, RevisionTemplate, Scaling};

fn service() -> Service {
    let container = Container {
        image: "i@sha256:1".to_owned(),
        args: vec!["--a".to_owned()],
        env: vec![variable("A", "1"), variable("EMPTY", "")],
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

fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_source: None,
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
fn environment_variables_are_compared_by_name_and_without_their_order() {
    let change = |change: fn(&mut Vec<EnvVar>)| {
        let mut live = service();
        change(&mut template(&mut live).containers[0].env);
        let changes = changes(&service(), &live);
        changes
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(change(|env| env.reverse()), "");
    assert_eq!(
        change(|env| env[1].value = None),
        "",
        "empty and absent are the same"
    );
    let path = "template.containers[0].env";
    assert_eq!(
        change(|env| env[0].value = Some("hunter2".to_owned())),
        format!("{path}.A: (a value that is not shown) → 1")
    );
    assert_eq!(
        change(|env| env.push(variable("TOKEN", "hunter2"))),
        format!("{path}.TOKEN: (a value that is not shown) → (none)")
    );
    assert_eq!(change(|env| drop(env.remove(0))), format!("{path}.A: (none) → 1"));
    assert_eq!(
        change(Vec::clear),
        format!("{path}.A: (none) → 1; {path}.EMPTY: (none) → ")
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
        paths(|l| container(l, |c| c.env.push(variable("B", "2")))),
        ["template.containers[0].env.B"]
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
