//! A test that can't be made says nothing of the endpoint.

use super::*;

#[test]
fn a_test_that_can_t_be_made_is_not_the_endpoint_s_failure() {
    let world = production("");
    let down = [("CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN", "http://127.0.0.1:9/")];
    world.run_with("schedule", &down).expect_code(3);
    world.run_with("schedule", &down).expect_code(3);
    let issue = only(&world);
    assert_eq!(issue.title, "The scheduled test of the LLM endpoints can't run");
    assert!(issue.open && issue.body.contains("127.0.0.1"), "{}", issue.body);
    run(&world, 53, 0);
    let closed = only(&world);
    assert!(
        !closed.open && closed.body.contains("runs again"),
        "{}",
        closed.body
    );
    assert_eq!(notes(&world, closed.number).len(), 1);
    world.run_with("schedule", &down).expect_code(3);
    assert!(!only(&world).open, "once is not twice in a row");
    world.run_with("schedule", &down).expect_code(3);
    assert!(only(&world).open);
}

#[test]
fn a_configuration_with_mistakes_leaves_production_unwatched_which_is_told() {
    let world = production("");
    world.write("llm-deploy.yaml", "projct: x");
    run(&world, 51, 2);
    run(&world, 52, 2);
    let issue = only(&world);
    assert!(
        issue.title.contains("can't run") && issue.body.contains("projct"),
        "{}",
        issue.body
    );
    well(&world, "");
    run(&world, 53, 0);
    assert!(!only(&world).open);
}
