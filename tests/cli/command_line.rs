//! A mistake on the command line: exit code 2, and what would be right.

use crate::support::{World, ran};

#[track_caller]
fn refused(arguments: &[&str], parts: &[&str]) {
    let ran = ran(World::new().command(arguments));
    ran.expect_code(2);
    for part in parts {
        assert!(ran.stderr.contains(part), "no `{part}` in:\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn run_on_a_laptop_names_the_commands_that_need_no_event() {
    refused(&["run"], &["GITHUB_EVENT_NAME", "`llm-deploy plan`", "`demo`"]);
}

#[test]
fn without_a_command_the_commands_and_the_demo_are_shown() {
    refused(&[], &["Usage:", "deploy", "llm-deploy demo", "Exit codes"]);
}

#[test]
fn a_pull_request_has_a_number_from_one() {
    for command in ["deploy", "cleanup"] {
        refused(&[command, "--pull-request", "0"], &["--pull-request", "1.."]);
    }
}

#[test]
fn the_emulator_takes_no_pace_that_is_no_duration() {
    let files = ["emulator", "--port-file", "port", "--env-file", "env"];
    for pace in ["-1", "nan", "inf", "1e300"] {
        let pace = format!("--pace={pace}");
        let arguments: Vec<&str> = files.iter().copied().chain([pace.as_str()]).collect();
        refused(&arguments, &["--pace", "from 0 to 100"]);
    }
}

#[test]
fn nothing_can_not_serve_a_model() {
    refused(&["demo", "--serve", ""], &["--serve"]);
}

#[test]
fn a_file_that_the_emulator_can_not_write_is_named() {
    refused(
        &["emulator", "--port-file", "no/port", "--env-file", "env"],
        &["no/port", "folder that is there"],
    );
    refused(
        &[
            "emulator",
            "--port-file",
            "port",
            "--env-file",
            "env",
            "--record",
            "no/log",
        ],
        &["no/log", "folder that is there"],
    );
}
