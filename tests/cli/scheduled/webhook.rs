//! What a webhook gets, and what nobody learns of it.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_webhook_gets_json_that_slack_and_others_read() {
    let receiver = Receiver::new(&[429, 503]);
    let url = [("LLM_DEPLOY_WEBHOOK_URL", receiver.url.as_str())];
    let both = "schedule: { on-failure: [issue, webhook] }";
    let world = production(both);
    // A name that would call everybody in the channel.
    let hostile = "'<!channel> @here & co'";
    expect(&world, hostile, both);
    let ran = world.run_with("schedule", &url);
    ran.expect_code(1);
    let messages = receiver.messages();
    assert_eq!(messages.len(), 3, "turned away twice, then taken");
    let message = &messages[2];
    let text = message["text"].as_str().unwrap();
    assert!(
        text.starts_with("*LLM endpoint qwen3-5-4b fails its scheduled test*"),
        "{text}"
    );
    assert!(
        text.contains("&lt;!channel&gt;") && text.contains("&amp; co"),
        "{text}"
    );
    assert!(!text.contains("<!") && !text.contains("@here"), "{text}");
    for (field, expected) in [
        ("status", json!("failing")),
        ("service", json!(SERVICE)),
        ("model", json!("Qwen/Qwen3.5-4B")),
        ("repository", json!(REPOSITORY)),
        (
            "run_url",
            json!(format!("https://github.com/{REPOSITORY}/actions/runs/42")),
        ),
    ] {
        assert_eq!(message[field], expected);
    }
    for field in ["cause", "since", "url"] {
        assert!(!message[field].as_str().unwrap().is_empty(), "{field}: {message}");
    }
    let flat = |value: &Value| value.is_string() || value.is_boolean();
    assert!(message.as_object().unwrap().values().all(flat), "{message}");

    world.run_with("schedule", &url).expect_code(1);
    assert_eq!(receiver.messages().len(), 3, "still failing is no news");
    well(&world, both);
    world.run_with("schedule", &url).expect_code(0);
    let messages = receiver.messages();
    assert_eq!((messages.len(), &messages[3]["status"]), (4, &json!("recovered")));
}

#[test]
fn a_failure_that_a_deployment_mended_is_told_to_be_over_by_the_next_test() {
    for on_failure in ["[issue, webhook]", "webhook"] {
        let receiver = Receiver::new(&[]);
        let url = ("LLM_DEPLOY_WEBHOOK_URL", receiver.url.as_str());
        let more = format!("schedule: {{ on-failure: {on_failure} }}");
        let world = production(&more);
        expect(&world, "first", &more);
        let again = [url, ("GITHUB_RUN_ID", "51")];
        world.run_with("schedule", &again).expect_code(1);
        well(&world, &more);
        world.run_with("push", &[("GITHUB_RUN_ID", "52")]).expect_code(0);
        assert_eq!(receiver.messages().len(), 1, "a deployment tells nobody");
        let last = [url, ("GITHUB_RUN_ID", "53")];
        world.run_with("schedule", &last).expect_code(0);
        let messages = receiver.messages();
        assert_eq!(messages.len(), 2, "{on_failure}");
        assert_eq!(messages[1]["status"], "recovered");
        for issue in issues(&world) {
            assert!(!issue.open);
            let notes = notes(&world, issue.number);
            assert!(notes.len() == 1 && notes[0].contains("well again"), "{notes:?}");
        }
    }
}

#[test]
fn the_webhook_s_url_is_told_to_nobody_and_a_redirect_is_not_followed() {
    let receiver = Receiver::new(&[307; 20]);
    let both = "schedule: { on-failure: [issue, webhook] }";
    let world = production(both);
    expect(&world, "first", both);
    let ran = world.run_with("schedule", &[("LLM_DEPLOY_WEBHOOK_URL", receiver.url.as_str())]);
    ran.expect_code(1);
    assert_eq!(receiver.messages().len(), 1);
    assert!(ran.masked.contains(&receiver.url), "the runner hides it");
    let secret = receiver.url.rsplit('/').next().unwrap();
    let places = [
        ran.stdout.clone(),
        ran.stderr.clone(),
        world.read("summary.md"),
        only(&world).body,
    ];
    for place in places {
        assert!(!place.contains(secret), "{place}");
    }
    assert!(
        ran.stderr.contains("redirect") || ran.stdout.contains("redirect"),
        "{}",
        ran.stderr
    );
    assert!(crate::support::found_below(&world.path("report"), secret).is_empty());
    let missing = world.run("schedule");
    missing.expect_code(1);
}

#[test]
fn a_webhook_that_is_asked_for_and_not_given_is_a_warning_and_in_doctor_a_failure() {
    let asked = "schedule: { on-failure: webhook }";
    let world = production(asked);
    expect(&world, "first", asked);
    let ran = run(&world, 51, 1);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("LLM_DEPLOY_WEBHOOK_URL") && said.contains("webhook-url"),
        "{said}"
    );
    assert!(issues(&world).is_empty(), "no issue was asked for");
    let doctor = world.actions(&["doctor"], "schedule", &[]);
    assert!(
        doctor.stdout.contains("LLM_DEPLOY_WEBHOOK_URL"),
        "{}",
        doctor.stdout
    );
}
