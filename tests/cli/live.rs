//! The pull request is told how far a run is: one comment for each target, whoever else writes or deletes.

use std::{
    process::Child,
    sync::{Arc, Mutex},
};

use llm_deploy::{
    cli::Common,
    commands::run::{self, Run},
    environment::Environment,
    progress::Progress,
    tempo::Tempo,
};
use llm_deploy_emulator::{
    faults::{Fault, Pattern, Rule},
    github::Access,
};
use serde_json::Value;

use crate::{
    race::{NEWER, OLDER, PREVIEW, empty, expect_comment},
    support::{PROJECT, PULL_REQUEST, REGION, REPOSITORY, World, config, ended},
};

const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
const EVENT: &str = "pull_request.opened";
const LIVE: &str = " live -->";

fn world(pace: f64) -> World {
    let world = World::with(|settings| settings.pace = pace);
    world.write("llm-deploy.yaml", &config(QUICK));
    world
}

/// What the log warned of.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn stage(&self, _: &str, _: &str) {}
    fn status(&self, _: &str, _: &str) {}
    fn note(&self, _: &str, _: &str) {}
    fn warn(&self, _: &str, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn fail(&self, _: &str, _: &str, _: Option<&llm_deploy::report::Place>) {}
    fn log(&self, _: &str, _: &str) {}
}

/// A run in this process, in quick time: its exit code and what it warned of.
pub fn quickly(world: &World, event: &str, tempo: f64) -> (u8, Vec<String>) {
    let (event, payload) = world.event(event);
    world.write("event.json", &payload.to_string());
    let mut environment: Environment = world.emulator.environment().into_iter().collect();
    let event_path = world.path("event.json").display().to_string();
    for (name, value) in [
        ("GITHUB_EVENT_NAME", event.as_str()),
        ("GITHUB_EVENT_PATH", event_path.as_str()),
        ("GITHUB_REPOSITORY", REPOSITORY),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_RUN_ID", "42"),
        ("GITHUB_WORKSPACE", world.folder.path().to_str().unwrap()),
    ] {
        environment.set(name, value);
    }
    environment.tempo = Tempo::new(tempo);
    let common = Common {
        config: world.path("llm-deploy.yaml").to_str().map(str::to_owned),
        service_account: Some(format!("llm-deployer@{PROJECT}.iam.gserviceaccount.com")),
        ..Common::default()
    };
    let heard = Arc::new(Heard::default());
    let progress = Arc::clone(&heard) as Arc<dyn Progress>;
    let (report, blame) = world.block_on(async {
        let run = Run::from_event(&environment, Vec::new()).await.unwrap();
        let github = run::github(&environment, progress.as_ref());
        run::execute(&common, environment, Arc::clone(&progress), &run, github.as_ref()).await
    });
    let warnings = heard.0.lock().unwrap().clone();
    (run::exit_code(&report, blame), warnings)
}

/// Bodies of the requests to GitHub whose path ends so.
fn sent(world: &World, path: &str) -> Vec<Value> {
    let requests = world.requests().into_iter();
    let to_github = requests.filter(|r| r["service"] == "github" && r["method"] != "GET");
    let fitting = to_github.filter(|r| r["path"].as_str().unwrap().contains(path));
    fitting.map(|r| r["body"].clone()).collect()
}

/// A run whose first text is there, and whose build takes a moment.
fn begun(world: &World) -> Child {
    let run = world.start(EVENT);
    world.wait_for_request("builds.create");
    world.wait_until("the comment", || !world.comments().is_empty());
    run
}

#[track_caller]
fn expect_ready(world: &World) {
    let comments = world.comments();
    assert_eq!(comments.len(), 1, "{comments:?}");
    assert!(
        comments[0].contains("Preview is ready") && !comments[0].contains(LIVE),
        "{}",
        comments[0]
    );
}

fn post_of_comment(world: &World) -> Option<usize> {
    let is_comment =
        |r: &Value| r["method"] == "POST" && r["path"].as_str().is_some_and(|p| p.ends_with("/12/comments"));
    world.requests().iter().position(is_comment)
}

#[test]
fn the_pull_request_is_told_before_anything_is_built() {
    let world = world(1000.0);
    let mut run = begun(&world);
    let first = sent(&world, "/comments")[0]["body"].clone();
    let comment = first.as_str().unwrap();
    // The plan may have begun by then; the build has not.
    assert!(
        comment.contains("🕒 image build") && comment.contains("Qwen/Qwen3.5-4B"),
        "{comment}"
    );
    let built = |r: &Value| r["id"] == "cloudbuild.projects.locations.builds.create";
    let build = world.requests().iter().position(built);
    assert!(post_of_comment(&world) < build);
    run.kill().unwrap();
    ended(run);
}

#[test]
fn each_stage_is_seen_in_order_and_the_result_at_last() {
    const ORDER: [&str; 7] = [
        "Planned, about to begin",
        "Building the image",
        "Deploying",
        "Testing",
        "Measuring latency",
        "Moving traffic",
        "Deployed and tested",
    ];
    let world = world(0.6);
    let (code, warnings) = quickly(&world, EVENT, 0.1);
    assert_eq!(code, 0, "{warnings:?}");

    let statuses = sent(&world, "/statuses");
    let place = |status: &Value| ORDER.iter().position(|said| status["description"] == *said);
    let places: Vec<usize> = statuses.iter().map(|s| place(s).unwrap()).collect();
    assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
    assert!(
        places.starts_with(&[0, 1]) && places.ends_with(&[6]) && places.len() > 3,
        "{places:?}"
    );
    for (status, place) in statuses.iter().zip(&places) {
        let state = match place {
            0 => "queued",
            6 => "success",
            _ => "in_progress",
        };
        assert_eq!(status["state"], state);
        let page = format!("https://github.com/{REPOSITORY}/actions/runs/42");
        assert_eq!(status["log_url"], page);
        assert_eq!(status["environment_url"].is_string(), *place == 6);
    }

    let texts: Vec<String> = sent(&world, "/comments")
        .iter()
        .map(|body| body["body"].as_str().unwrap().to_owned())
        .collect();
    let (last, before) = texts.split_last().unwrap();
    assert!(before.iter().all(|text| text.contains(LIVE)));
    assert!(before[0].contains("🕒 image build"), "{}", before[0]);
    let unlike: std::collections::BTreeSet<&String> = before.iter().collect();
    assert!(unlike.len() == before.len() && before.len() > 2, "{before:#?}");
    assert!(last.contains("Preview is ready") && !last.contains(LIVE));
    expect_ready(&world);

    let github = world
        .requests()
        .iter()
        .filter(|r| r["service"] == "github")
        .count();
    assert!(github < 50, "{github} of the 1,000 requests of an hour");
}

#[test]
fn a_github_that_never_answers_keeps_nothing_from_being_deployed() {
    let world = world(0.1);
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            path: Some("/comments".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: u32::MAX,
        fault: Fault::Hang,
    });
    let (code, warnings) = quickly(&world, EVENT, 0.05);
    assert_eq!(code, 0, "{warnings:?}");
    assert!(world.service("qwen3-5-4b-pr-12").is_some());
    let told = warnings.iter().filter(|text| text.contains("the comment"));
    assert_eq!(told.count(), 1, "{warnings:?}");
}

#[test]
fn a_comment_that_somebody_deletes_meanwhile_is_made_anew() {
    let world = world(1.0);
    let run = begun(&world);
    let github = &world.emulator.emulator.github;
    let id = github.comments(REPOSITORY, PULL_REQUEST)[0].id;
    github.delete_comment(REPOSITORY, id);
    ended(run).expect_code(0);
    expect_ready(&world);
}

#[test]
fn a_comment_that_somebody_edits_meanwhile_is_taken_over() {
    let world = world(1.0);
    let run = begun(&world);
    let github = &world.emulator.emulator.github;
    let id = github.comments(REPOSITORY, PULL_REQUEST)[0].id;
    github.edit_comment(REPOSITORY, id, "Nothing to see here.");
    ended(run).expect_code(0);
    expect_ready(&world);
    assert_eq!(github.comments(REPOSITORY, PULL_REQUEST)[0].id, id);
}

#[test]
fn two_runs_at_once_leave_one_comment_and_one_service() {
    std::thread::scope(|scope| {
        for first in [OLDER, NEWER] {
            scope.spawn(move || {
                let world = empty();
                let second = if first.run == OLDER.run { NEWER } else { OLDER };
                let mut runs = [first, second].map(|push| (push, push.start(&world, PREVIEW.event, true)));
                // The older one waits for the end of the newer one's workflow run.
                runs.sort_by_key(|(push, _)| push.run == OLDER.run);
                for (push, run) in runs {
                    ended(run).expect_code(0);
                    push.ends(&world, "success");
                }
                expect_comment(&world, NEWER);
                let services = format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services");
                let found = world.get(&services).unwrap();
                assert_eq!(found["services"].as_array().unwrap().len(), 1);
            });
        }
    });
}

#[test]
fn two_targets_have_two_comments_and_each_is_told_of_its_own_end() {
    let world = world(0.0);
    for name in ["alpha", "beta", "alpha"] {
        world.run_with(EVENT, &[("LLM_DEPLOY_NAME", name)]).expect_code(0);
    }
    let named = |name: &str| {
        let comments = world.comments();
        let line = format!("<!-- llm-deploy:preview/{PROJECT}/{REGION}/name/{name} -->");
        let theirs: Vec<String> = comments.into_iter().filter(|c| c.starts_with(&line)).collect();
        assert_eq!(theirs.len(), 1, "{name}");
        theirs[0].clone()
    };
    assert_eq!(world.comments().len(), 2);
    assert!(named("alpha").contains("alpha-pr-12") && named("beta").contains("beta-pr-12"));
    let beta = named("beta");
    let closed = world.run_with("pull_request.closed", &[("LLM_DEPLOY_NAME", "alpha")]);
    closed.expect_code(0);
    assert!(named("alpha").contains("Preview deleted"), "{}", named("alpha"));
    assert_eq!(named("beta"), beta);
}

#[test]
fn a_changed_model_keeps_the_comment() {
    let world = world(0.0);
    world.run(EVENT).expect_code(0);
    let changed = config(QUICK).replace("Qwen3.5-4B", "Qwen3-0.6B");
    world.write("llm-deploy.yaml", &changed);
    world.run("pull_request.synchronize").expect_code(0);
    assert_eq!(world.comments().len(), 1);
    assert!(world.comments()[0].contains("Qwen/Qwen3-0.6B"));
}

#[test]
fn a_file_that_cannot_be_read_is_told_in_the_comment_that_is_there() {
    let world = world(0.0);
    world.run(EVENT).expect_code(0);
    for broken in ["project: [\nregion: }", &config("service: { gpu: abacus }")] {
        world.write("llm-deploy.yaml", broken);
        world.run("pull_request.synchronize").expect_code(2);
        let comments = world.comments();
        assert_eq!(comments.len(), 1);
        assert!(
            comments[0].contains("Preview failed")
                && comments[0].starts_with(&format!("<!-- llm-deploy:preview/{PROJECT}/{REGION} -->")),
            "{}",
            comments[0]
        );
    }
}

#[test]
fn each_permission_that_is_missing_is_told_in_one_line() {
    let world = world(0.1);
    let github = &world.emulator.emulator.github;
    for permission in ["issues", "pull-requests", "deployments"] {
        github.permit(permission, Access::None);
    }
    let ran = world.run(EVENT);
    ran.expect_code(0);
    for permission in ["pull-requests: write", "deployments: write"] {
        let lines: Vec<&str> = ran
            .stdout
            .lines()
            .filter(|line| line.contains(permission))
            .collect();
        assert_eq!(lines.len(), 1, "{lines:#?}");
    }
    assert_eq!(world.output("status").as_deref(), Some("succeeded"));
}
