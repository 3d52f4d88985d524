//! Services asked at other addresses than their public ones.

use crate::support::World;

const RUN: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN";

#[test]
fn a_server_that_is_asked_instead_of_the_public_one_is_logged_once() {
    let world = World::new();
    let ran = world.run("pull_request.opened");
    ran.expect_code(0);
    let notes = ran.stderr.matches(" send requests to http://127.0.0.1:").count();
    assert_eq!(notes, 1, "{}", ran.stderr);
}

#[test]
fn in_a_job_no_token_goes_to_a_host_that_is_not_googles() {
    let world = World::new();
    // Not loopback by its name, so that it would be refused; nothing answers there.
    let elsewhere = "https://run.proxy.invalid/";
    for command in ["run", "deploy", "smoke", "cleanup", "doctor"] {
        let (name, payload) = world.event("push");
        world.write("event.json", &payload.to_string());
        let ran = world.actions(&[command], &name, &[(RUN, elsewhere)]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        ran.expect_code(if command == "doctor" { 1 } else { 2 });
        assert!(
            said.contains(RUN) && said.contains("LLM_DEPLOY_GOOGLE_HOSTS=run.proxy.invalid"),
            "{command}: {said}"
        );
    }
    assert!(world.requests().iter().all(|r| r["service"] != "run"));
}
