use super::*;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

fn runner(event: &str) -> Environment {
    [
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_REPOSITORY", "Codertocat/Hello-World"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", SHA),
        ("GITHUB_RUN_ID", "42"),
        ("GITHUB_ACTOR", "octocat"),
    ]
    .into_iter()
    .collect()
}

fn shown(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Preview(p) => format!("preview of #{} at {:.7} on {}", p.number, p.head_sha, p.head_ref),
        Trigger::Closed(p) => format!("#{} closed", p.number),
        Trigger::PlanOnly { reason, .. } => format!("plan only: {reason}"),
        other => format!("{other:?}"),
    }
}

/// One line per real payload: what it is, what becomes of it.
fn outcomes(event: &str, payloads: &str) -> String {
    let payloads: Vec<serde_json::Value> = serde_json::from_str(payloads).unwrap();
    let mut lines = Vec::new();
    for payload in &payloads {
        let (trigger, context) = read(&runner(event), Some(&payload.to_string())).unwrap();
        let what = payload["action"].as_str().or(payload["ref"].as_str()).unwrap();
        assert!(is_commit(&context.sha) && context.default_branch.is_some());
        lines.push(format!(
            "{what} → {} [{:.7} {}]",
            shown(&trigger),
            context.sha,
            context.ref_name
        ));
    }
    lines.join("\n")
}

#[test]
fn real_pushes_deploy_production_from_the_default_branch_only() {
    insta::assert_snapshot!(outcomes(
        "push",
        include_str!("../../tests/fixtures/webhooks/push.json")
    ));
}

#[test]
fn real_pull_requests_become_previews_and_closings() {
    insta::assert_snapshot!(outcomes(
        "pull_request",
        include_str!("../../tests/fixtures/webhooks/pull_request.json")
    ));
}

#[test]
fn enterprise_servers_payloads_are_read_as_well() {
    for (event, payloads) in [
        (
            "push",
            include_str!("../../tests/fixtures/webhooks/ghes_push.json"),
        ),
        (
            "pull_request",
            include_str!("../../tests/fixtures/webhooks/ghes_pull_request.json"),
        ),
        (
            "workflow_dispatch",
            include_str!("../../tests/fixtures/webhooks/ghes_workflow_dispatch.json"),
        ),
    ] {
        insta::assert_snapshot!(format!("ghes_{event}"), outcomes(event, payloads));
    }
}

/// As many as the package has; `refresh.py --check` holds them against it.
#[test]
fn every_example_is_there() {
    let count = |text: &str| {
        serde_json::from_str::<Vec<serde_json::Value>>(text)
            .unwrap()
            .len()
    };
    let counts = [
        count(include_str!("../../tests/fixtures/webhooks/push.json")),
        count(include_str!("../../tests/fixtures/webhooks/pull_request.json")),
        count(include_str!(
            "../../tests/fixtures/webhooks/workflow_dispatch.json"
        )),
    ];
    assert_eq!(counts, [7, 29, 2]);
}

#[test]
fn real_dispatches_deploy_production_from_the_default_branch() {
    let payloads = include_str!("../../tests/fixtures/webhooks/workflow_dispatch.json");
    insta::assert_snapshot!(outcomes("workflow_dispatch", payloads));
}

fn pull_request(change: impl FnOnce(&mut serde_json::Value)) -> (Trigger, Context) {
    let payloads = include_str!("../../tests/fixtures/webhooks/pull_request.json");
    let mut payloads: Vec<serde_json::Value> = serde_json::from_str(payloads).unwrap();
    let payload = payloads
        .iter_mut()
        .find(|p| p["action"] == "synchronize")
        .unwrap();
    change(payload);
    read(&runner("pull_request"), Some(&payload.to_string())).unwrap()
}

#[test]
fn a_pull_request_is_about_its_head_and_not_the_merge_commit() {
    let (trigger, context) = pull_request(|_| {});
    let Trigger::Preview(pull_request) = trigger else {
        panic!("{trigger:?}")
    };
    assert_eq!(context.sha, pull_request.head_sha);
    assert_ne!(context.sha, SHA);
    assert_eq!(
        context.run_url.as_deref(),
        Some("https://github.com/Codertocat/Hello-World/actions/runs/42")
    );
}

#[test]
fn a_fork_is_planned_only_also_when_it_is_gone_or_closed() {
    let gone = |p: &mut serde_json::Value| {
        p["pull_request"]["head"]["repo"] = serde_json::Value::Null;
    };
    let other = |p: &mut serde_json::Value| {
        p["pull_request"]["head"]["repo"]["id"] = 1.into();
    };
    let no_id = |p: &mut serde_json::Value| {
        p["pull_request"]["head"]["repo"]["id"].take();
    };
    let closed = |p: &mut serde_json::Value| {
        p["action"] = "closed".into();
        p["pull_request"]["head"]["repo"]["id"] = 1.into();
    };
    let changes: [&dyn Fn(&mut serde_json::Value); 4] = [&gone, &other, &no_id, &closed];
    for change in changes {
        let (trigger, _) = pull_request(change);
        let Trigger::PlanOnly {
            reason,
            pull_request: Some(pull_request),
            ..
        } = trigger
        else {
            panic!("{trigger:?}")
        };
        assert!(pull_request.fork && reason.contains("fork"), "{reason}");
    }
}

#[test]
fn a_label_on_a_closed_pull_request_brings_no_preview_back() {
    let (trigger, _) = pull_request(|p| {
        p["action"] = "labeled".into();
        p["pull_request"]["state"] = "closed".into();
    });
    assert!(
        matches!(&trigger, Trigger::PlanOnly { reason, .. } if reason.contains("closed already")),
        "{trigger:?}"
    );
}

#[test]
fn a_schedule_tests_production_with_or_without_a_payload() {
    let payload = r#"{"schedule": "17 6 * * *", "repository": {"default_branch": "trunk"}}"#;
    let (trigger, context) = read(&runner("schedule"), Some(payload)).unwrap();
    assert_eq!(
        (trigger, context.default_branch.as_deref()),
        (Trigger::Schedule, Some("trunk"))
    );
    let (trigger, context) = read(&runner("schedule"), None).unwrap();
    assert_eq!((trigger, context.ref_name.as_str()), (Trigger::Schedule, "main"));
}

#[test]
fn what_cannot_be_followed_says_what_to_do() {
    let message = |event: &str, payload: Option<&str>| read(&runner(event), payload).unwrap_err().to_string();
    assert!(message("pull_request_target", Some("{}")).contains("secrets"));
    assert!(message("release", Some("{}")).contains("`release` events are not handled"));
    assert!(message("push", None).contains("GITHUB_EVENT_PATH"));
    assert!(message("push", Some("[1")).contains("can't be read"));
    assert!(message("pull_request", Some(r#"{"action": "opened"}"#)).contains("`pull_request` is missing"));
    assert!(!message("re\u{1b}[31m\nlease", Some("{}")).contains(['\u{1b}', '\n']));
    assert!(
        read(&Environment::default(), None)
            .unwrap_err()
            .to_string()
            .contains("llm-deploy plan")
    );
}

#[test]
fn text_that_is_no_commit_is_refused() {
    let payload = r#"{"ref": "refs/heads/main", "after": "$(id)", "repository": {"default_branch": "main"}}"#;
    assert!(matches!(
        read(&runner("push"), Some(payload)),
        Err(Error::BadPayload { .. })
    ));
}
