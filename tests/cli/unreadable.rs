//! Files that can't be read or written: which one, why, and what to do.

use crate::support::{Ran, World, config, ran};

#[track_caller]
fn says(ran: &Ran, parts: &[&str]) {
    for part in parts {
        assert!(ran.stderr.contains(part), "no `{part}` in:\n{}", ran.stderr);
    }
}

#[test]
fn a_configuration_that_can_not_be_read_is_named_with_what_to_do() {
    let world = World::new();
    std::fs::write(world.path("latin1.yaml"), b"project: caf\xe9\n").unwrap();
    for (file, next) in [
        ("missing.yaml", "--config"),
        (".", "--config"),
        ("latin1.yaml", "UTF-8"),
    ] {
        let plan = ran(world.command(&["plan", "--config", file]));
        plan.expect_code(2);
        says(&plan, &["could not read the configuration", file, next]);
    }
}

#[test]
fn without_a_file_the_settings_that_are_missing_are_named_once_with_their_options() {
    let world = World::new();
    std::fs::remove_file(world.path("llm-deploy.yaml")).unwrap();
    let plan = ran(world.command(&["plan"]));
    plan.expect_code(2);
    says(
        &plan,
        &["llm-deploy.yaml", "`--project`", "`--region`", "`--model`"],
    );
    assert!(!plan.stderr.contains("error: error:"), "{}", plan.stderr);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_read_as_if_they_were_not_there() {
    let world = World::new();
    let text = config("").replace('\n', "\r\n");
    world.write("llm-deploy.yaml", &format!("\u{feff}{text}"));
    ran(world.command(&["plan"])).expect_code(0);
}

#[test]
fn a_credentials_file_that_is_none_is_named_and_its_content_is_not() {
    let world = World::new();
    world.write("key.json", "no-json-but-a-secret");
    for file in ["key.json", "missing.json"] {
        let mut command = world.command(&["plan"]);
        command
            .env("CLOUDSDK_AUTH_ACCESS_TOKEN", "")
            .env("GOOGLE_APPLICATION_CREDENTIALS", file);
        let plan = ran(command);
        plan.expect_code(2);
        says(&plan, &[file, "GOOGLE_APPLICATION_CREDENTIALS", "unset it"]);
        assert!(!plan.stderr.contains("but-a-secret"), "{}", plan.stderr);
    }
}

#[test]
fn a_report_folder_that_can_not_be_made_is_a_warning_and_leaves_the_verdict() {
    let world = World::new();
    world.write("taken", "a file");
    let ran = ran(world.command(&["deploy", "--report-dir", "taken"]));
    ran.expect_code(0);
    says(&ran, &["taken", "`report-dir`"]);
}

#[test]
fn a_demo_that_can_not_write_names_the_folder_and_the_option() {
    let world = World::new();
    world.write("taken", "a file");
    let demo = ran(world.command(&["demo", "--out", "taken"]));
    demo.expect_code(2);
    says(&demo, &["taken", "--out"]);
}
