//! A build's log is shown from wherever the build writes it.

use llm_deploy_emulator::faults::{Fault, Pattern, Rule};

use crate::support::{Ran, World, config, ended};

/// A file whose builds log to `place`.
fn logging_to(world: &World, place: &str) {
    let more =
        format!("build: {{ logs: {place} }}\nlatency: {{ requests: 1, concurrency: [1], max-tokens: 2 }}");
    world.write("llm-deploy.yaml", &config(&more));
}

/// The lines of the group that holds the build's log.
fn group(ran: &Ran) -> Vec<&str> {
    let lines = ran.stdout.lines();
    let group = lines
        .skip_while(|line| !line.starts_with("::group::Build log of "))
        .skip(1);
    group.take_while(|line| *line != "::endgroup::").collect()
}

fn reads(world: &World, id: &str) -> usize {
    world.requests().iter().filter(|r| r["id"] == id).count()
}

#[test]
fn a_log_in_cloud_logging_is_shown_to_its_last_line_and_needs_no_bucket() {
    let world = World::new();
    logging_to(&world, "cloud-logging");
    let ran = world.run("pull_request.opened");
    ran.expect_code(0);
    let log = group(&ran);
    assert!(
        log.first().is_some_and(|line| line.contains("starting build")),
        "{log:?}"
    );
    assert!(log.last().is_some_and(|line| line.contains("DONE")), "{log:?}");
    assert!(
        log.iter()
            .any(|line| line.contains("download: every file is there"))
            || log.len() > 10,
        "{log:?}"
    );
    let build = world
        .requests()
        .into_iter()
        .find(|r| r["id"] == "cloudbuild.projects.locations.builds.create")
        .unwrap();
    let body = build["body"].to_string();
    assert!(
        body.contains("CLOUD_LOGGING_ONLY") && !body.contains("logsBucket"),
        "{body}"
    );
    assert!(reads(&world, "logging.entries.list") > 0);
}

#[test]
fn an_adopted_builds_log_is_read_where_that_build_writes_it() {
    let world = World::with(|settings| settings.pace = 1.0);
    logging_to(&world, "cloud-logging");
    let mut first = world.start("pull_request.opened");
    world.wait_for_request("builds.create");
    first.kill().unwrap();
    ended(first);
    world.forget_requests();
    logging_to(&world, "bucket");
    let ran = world.run("pull_request.synchronize");
    ran.expect_code(0);
    assert_eq!(
        reads(&world, "cloudbuild.projects.locations.builds.create"),
        0,
        "adopted"
    );
    let log = group(&ran);
    assert!(log.last().is_some_and(|line| line.contains("DONE")), "{log:?}");
    assert!(reads(&world, "logging.entries.list") > 0);
}

/// Reads of a build's log in the bucket meet this fault.
fn log_reads_meet(world: &World, times: u32, fault: Fault) {
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some("storage".to_owned()),
            path: Some("/o/logs%2Flog-".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times,
        fault,
    });
}

#[test]
fn a_log_that_comes_cut_off_is_read_again_and_whole() {
    let world = World::new();
    logging_to(&world, "bucket");
    log_reads_meet(&world, 2, Fault::Truncated);
    let ran = world.run("pull_request.opened");
    ran.expect_code(0);
    let log = group(&ran);
    assert!(
        log.first().is_some_and(|line| line.contains("starting build")),
        "{log:?}"
    );
    assert!(log.last().is_some_and(|line| line.contains("DONE")), "{log:?}");
    let starts = log.iter().filter(|line| line.contains("starting build")).count();
    assert_eq!(starts, 1, "no line twice: {log:?}");
}

#[test]
fn a_log_that_may_not_be_read_is_told_once_and_the_build_goes_on() {
    let world = World::new();
    logging_to(&world, "bucket");
    let fault = Fault::Answer {
        status: 403,
        retry_after: None,
        body: None,
    };
    log_reads_meet(&world, u32::MAX, fault);
    let ran = world.run("pull_request.opened");
    ran.expect_code(0);
    assert_eq!(
        ran.stdout.matches("log can't be shown").count(),
        1,
        "{}",
        ran.stdout
    );
}
