//! One comment for each target, whatever runs and people do at the same time.

use llm_deploy_emulator::{
    Emulator, Running, Settings,
    faults::{Fault, Hook, Pattern, Rule},
    github::{PULL_REQUEST, REPOSITORY, WorkflowRun},
};
use std::sync::Arc;

use super::*;
use crate::{
    environment::Environment,
    event::Context,
    pipeline::{live::Surface, recorder::Recorder},
    progress::{Heard, Silent},
    report::{Kind, ModelReport},
    tempo::Tempo,
};

const BOT: &str = "github-actions[bot]";

struct World {
    running: Running,
    github: GitHub,
    heard: Heard,
    /// Whether the job has `actions: read`.
    may_read_runs: bool,
}

impl World {
    async fn new() -> Self {
        // Only the first world's call has an effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let running = Emulator::start(Settings::default()).await.unwrap();
        let mut environment: Environment = running.environment().into_iter().collect();
        environment.set("GITHUB_REPOSITORY", REPOSITORY);
        environment.tempo = Tempo::new(0.05);
        let token = environment.secret("GITHUB_TOKEN").unwrap();
        let world = Self {
            github: GitHub::new(&environment, token).unwrap(),
            running,
            heard: Heard::default(),
            may_read_runs: false,
        };
        world.running.emulator.faults.watch();
        world
    }

    fn comment(&self, number: u64, attempt: u32) -> Sticky<'_> {
        self.of(target(None), Some(RunId { number, attempt }))
    }

    fn of(&self, target: Target, run: Option<RunId>) -> Sticky<'_> {
        Sticky::new(Place {
            runs: self.runs(run, self.may_read_runs),
            github: &self.github,
            pull_request: PULL_REQUEST,
            target,
            run,
            may_create: true,
            progress: &self.heard,
        })
    }

    fn runs(&self, run: Option<RunId>, may_read: bool) -> WorkflowRuns<'_> {
        let context = Context {
            repository: REPOSITORY.to_owned(),
            run,
            workflow: Some(".github/workflows/llm.yml".to_owned()),
            ..Context::default()
        };
        let github = may_read.then_some(&self.github);
        WorkflowRuns::new(github, Box::leak(Box::new(context)), &Silent)
    }

    /// Texts of the comments, oldest first.
    fn texts(&self) -> Vec<String> {
        self.all().into_iter().map(|(_, body)| body).collect()
    }

    fn all(&self) -> Vec<(u64, String)> {
        let comments = self.running.emulator.github.comments(REPOSITORY, PULL_REQUEST);
        comments.into_iter().map(|c| (c.id, c.body)).collect()
    }

    fn post(&self, user: &str, body: &str) {
        let github = &self.running.emulator.github;
        github.comment_as(REPOSITORY, PULL_REQUEST, user, body);
    }

    /// Requests since the last call, by method.
    fn asked(&self) -> Vec<String> {
        let faults = &self.running.emulator.faults;
        let seen = faults.seen().into_iter();
        // Who we are is asked once.
        let seen = seen.filter(|one| !one.path.ends_with("/graphql"));
        let seen = seen.map(|one| one.method).collect();
        faults.watch();
        seen
    }

    fn fault(&self, method: &str, path: &str, fault: Fault) {
        self.running.emulator.faults.add(Rule {
            on: Pattern {
                service: Some("github".to_owned()),
                method: Some(method.to_owned()),
                path: Some(path.to_owned()),
                ..Pattern::default()
            },
            skip: 0,
            times: u32::MAX,
            fault,
        });
    }

    /// Somebody posts this just before the first comment of ours is written.
    fn meanwhile(&self, body: &str) {
        let (emulator, body) = (Arc::clone(&self.running.emulator), body.to_owned());
        let hook = Hook(Arc::new(move || {
            let github = &emulator.github;
            github.comment_as(REPOSITORY, PULL_REQUEST, BOT, &body);
        }));
        self.running.emulator.faults.add(Rule {
            on: Pattern {
                method: Some("POST".to_owned()),
                path: Some("/comments".to_owned()),
                ..Pattern::default()
            },
            skip: 0,
            times: 1,
            fault: Fault::Before(hook),
        });
    }
}

fn target(file: Option<&str>) -> Target {
    Target::new(Some("my-project"), Some("europe-west4"), file, None)
}

fn model(status: Status) -> ModelReport {
    let mut model = Recorder::new("qwen-pr-12", "Qwen/Qwen3-4B", true, Arc::new(Silent)).report;
    model.status = status;
    model
}

fn report(status: Status, commit: &str) -> Report {
    Report {
        schema_version: crate::report::SCHEMA_VERSION,
        tool_version: "0.0.0".to_owned(),
        status,
        kind: Kind::Preview,
        repository: REPOSITORY.to_owned(),
        commit: commit.repeat(40),
        pull_request: None,
        run_url: None,
        started_at: chrono::Utc::now(),
        duration: Duration::ZERO,
        models: vec![model(status)],
        failure: None,
        notices: Vec::new(),
        environment: Vec::new(),
        memory: Memory::default(),
    }
}

/// What an earlier or a later run has left.
fn left_by(rank: &str, commit: &str) -> String {
    let body = markdown::comment(&report(Status::Succeeded, commit), &target(None).key());
    mark::signed(&body, Some(rank.parse().unwrap()), false)
}

async fn begin(comment: &mut Sticky<'_>, commit: &str) {
    comment.write(&report(Status::Queued, commit)).await.unwrap();
}

async fn end(comment: &mut Sticky<'_>, commit: &str) -> Option<String> {
    comment.deliver(&report(Status::Succeeded, commit)).await
}

#[tokio::test]
async fn one_comment_is_made_and_rewritten_in_place_for_two_requests_each_time() {
    let world = World::new().await;
    let mut comment = world.comment(42, 1);
    begin(&mut comment, "a").await;
    assert_eq!(world.asked(), ["GET", "POST", "GET"]);
    comment.write(&report(Status::Running, "a")).await.unwrap();
    assert_eq!(world.asked(), ["GET", "PATCH"]);
    let url = end(&mut comment, "a").await.unwrap();
    assert_eq!(world.asked(), ["GET", "PATCH"]);
    let all = world.all();
    assert_eq!(all.len(), 1);
    assert!(url.ends_with(&all[0].0.to_string()), "{url}");
    let lines: Vec<&str> = all[0].1.lines().take(2).collect();
    assert_eq!(
        lines,
        [
            "<!-- llm-deploy:preview/my-project/europe-west4 -->",
            "<!-- llm-deploy-run:42-0 -->"
        ]
    );
    assert!(all[0].1.contains("Preview is ready"), "{}", all[0].1);
}

#[tokio::test]
async fn a_comment_deleted_by_hand_during_the_run_is_made_anew() {
    let world = World::new().await;
    let mut comment = world.comment(42, 1);
    begin(&mut comment, "a").await;
    let github = &world.running.emulator.github;
    github.delete_comment(REPOSITORY, world.all()[0].0);
    end(&mut comment, "a").await.unwrap();
    assert_eq!(world.texts().len(), 1);
    assert!(world.texts()[0].contains("Preview is ready"));
}

#[tokio::test]
async fn a_comment_edited_by_hand_is_taken_over_in_place() {
    let whole = left_by("42-0", "a");
    let edits = [
        "all of it is gone".to_owned(),
        format!("Look here!\n\n{whole}"),
        whole.replace("llm-deploy-run", "spoilt"),
        whole.replace("<!-- llm-deploy:", "<!-- spoilt:"),
        whole.replace('\n', "\r\n"),
    ];
    for edit in edits {
        let world = World::new().await;
        let mut comment = world.comment(42, 1);
        begin(&mut comment, "a").await;
        let id = world.all()[0].0;
        world.running.emulator.github.edit_comment(REPOSITORY, id, &edit);
        end(&mut comment, "a").await.unwrap();
        let all = world.all();
        assert_eq!((all.len(), all[0].0), (1, id), "{edit}");
        assert!(all[0].1.starts_with("<!-- llm-deploy:preview/") && !all[0].1.contains("Look here"));
    }
}

#[tokio::test]
async fn a_comment_edited_between_two_runs_is_taken_over_while_it_begins_with_its_hidden_line() {
    let whole = left_by("42-0", "a");
    for (edit, taken) in [
        (whole.replace("llm-deploy-run", "changed"), true),
        (format!("Look here!\n\n{whole}"), false),
    ] {
        let world = World::new().await;
        world.post(BOT, &edit);
        end(&mut world.comment(43, 1), "b").await.unwrap();
        let texts = world.texts();
        assert_eq!(texts.len(), if taken { 1 } else { 2 }, "{edit}");
        assert!(texts.last().unwrap().contains("bbbbbbb"), "{texts:?}");
        assert!(taken || texts[0] == edit);
    }
}

#[tokio::test]
async fn of_two_runs_that_start_together_one_comment_is_left_and_it_is_the_newer_ones() {
    // The other run has written its comment just before this one writes.
    for (other, this, winner) in [("42-0", 43, "bbbbbbb"), ("43-0", 42, "aaaaaaa")] {
        let world = World::new().await;
        world.meanwhile(&left_by(other, "a"));
        let mut comment = world.comment(this, 1);
        begin(&mut comment, "b").await;
        comment.write(&report(Status::Running, "b")).await.unwrap();
        let url = end(&mut comment, "b").await.unwrap();
        let all = world.all();
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].1.contains(winner), "{}", all[0].1);
        assert!(
            url.ends_with(&all[0].0.to_string()),
            "the page of what is left: {url}"
        );
    }
}

#[tokio::test]
async fn an_older_run_leaves_a_newer_ones_comment_alone_whenever_that_comes() {
    let world = World::new().await;
    let (mut older, mut newer) = (world.comment(42, 1), world.comment(43, 1));
    begin(&mut older, "a").await;
    begin(&mut newer, "b").await;
    older.write(&report(Status::Running, "a")).await.unwrap();
    assert!(older.gave_way);
    end(&mut newer, "b").await.unwrap();
    end(&mut older, "a").await.unwrap();
    assert_eq!(world.texts().len(), 1);
    assert!(world.texts()[0].contains("bbbbbbb"));
    end(&mut world.comment(41, 1), "c").await.unwrap();
    assert!(world.texts()[0].contains("bbbbbbb"));
}

#[tokio::test]
async fn a_run_that_is_run_again_writes_over_what_was_there_until_the_next_event() {
    let world = World::new().await;
    let mut between = world.comment(43, 1);
    begin(&mut between, "b").await;
    let mut again = world.comment(42, 2);
    begin(&mut again, "a").await;
    assert!(world.texts()[0].contains("aaaaaaa"));
    between.write(&report(Status::Running, "b")).await.unwrap();
    assert!(between.gave_way, "it was overridden by a person");
    end(&mut world.comment(44, 1), "c").await.unwrap();
    end(&mut again, "a").await.unwrap();
    assert!(world.texts()[0].contains("ccccccc"));
}

#[tokio::test]
async fn only_a_newer_run_that_github_confirms_silences_this_one() {
    for (named, exists, may_read, silenced) in [
        ("43-0", true, true, true),
        ("43-0", false, true, false),
        ("43-0", false, false, true),
        // An attempt of this very run, which can't be.
        ("42-7", false, true, false),
        ("42-7", false, false, false),
        ("99999999999-0", false, true, false),
        // No run of this server can have that number.
        ("99999999999-0", false, false, false),
    ] {
        let mut world = World::new().await;
        world.may_read_runs = may_read;
        if exists {
            let run = WorkflowRun {
                event: "pull_request".to_owned(),
                ..WorkflowRun::push(43)
            };
            world.running.emulator.github.run(REPOSITORY, run);
        }
        world.post(BOT, &left_by(named, "a"));
        end(&mut world.comment(42, 1), "b").await;
        let texts = world.texts();
        let wanted = if silenced { "aaaaaaa" } else { "bbbbbbb" };
        assert!(
            texts.len() == 1 && texts[0].contains(wanted),
            "{named} {exists} {may_read}: {texts:?}"
        );
    }
}

#[tokio::test]
async fn a_run_that_gave_way_takes_back_what_it_said_and_nothing_else() {
    let world = World::new().await;
    let superseded = report(Status::Superseded, "a");
    world.comment(42, 1).deliver(&superseded).await;
    assert!(world.texts().is_empty(), "a newer run has its own word");
    let mut comment = world.comment(42, 1);
    begin(&mut comment, "a").await;
    comment.deliver(&superseded).await;
    assert!(world.texts()[0].contains("superseded"), "{}", world.texts()[0]);
    end(&mut world.comment(43, 1), "b").await.unwrap();
    comment.deliver(&superseded).await;
    assert!(world.texts()[0].contains("bbbbbbb"));
}

#[tokio::test]
async fn each_target_has_a_comment_of_its_own() {
    let world = World::new().await;
    let run = Some(RunId {
        number: 42,
        attempt: 1,
    });
    let mut all = [
        world.of(target(None), run),
        world.of(target(Some("other.yaml")), run),
        world.of(
            Target::new(Some("my-project"), Some("us-central1"), None, None),
            run,
        ),
    ];
    for _ in 0..2 {
        for comment in &mut all {
            end(comment, "a").await.unwrap();
        }
    }
    assert_eq!(world.texts().len(), 3);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_finds_its_targets_comment_and_keeps_its_line() {
    let world = World::new().await;
    end(&mut world.comment(42, 1), "a").await.unwrap();
    let run = Some(RunId {
        number: 43,
        attempt: 1,
    });
    let broken = || Target::new(None, None, None, None);
    world
        .of(broken(), run)
        .deliver(&report(Status::Failed, "b"))
        .await;
    assert_eq!(world.texts().len(), 1);
    assert!(world.texts()[0].starts_with("<!-- llm-deploy:preview/my-project/europe-west4 -->"));
    assert!(world.texts()[0].contains("failed"));
    // The first run of all, before anything is known: whoever comes first takes its comment.
    let world = World::new().await;
    world
        .of(broken(), run)
        .deliver(&report(Status::Failed, "b"))
        .await;
    end(&mut world.comment(44, 1), "c").await.unwrap();
    assert_eq!(world.texts().len(), 1);
    assert!(world.texts()[0].starts_with("<!-- llm-deploy:preview/my-project/europe-west4 -->"));
}

#[tokio::test]
async fn a_second_comment_that_a_killed_run_left_behind_is_removed_and_a_persons_is_not() {
    let world = World::new().await;
    for rank in ["41-0", "42-0"] {
        world.post(BOT, &left_by(rank, "a"));
    }
    let quote = format!("> {}", left_by("41-0", "a").replace('\n', "\n> "));
    world.post("octocat", &quote);
    end(&mut world.comment(43, 1), "b").await.unwrap();
    assert_eq!(world.texts().len(), 2);
    assert!(world.texts()[0].contains("bbbbbbb"));
    assert_eq!(world.texts()[1], quote);
}

#[tokio::test]
async fn what_a_run_may_not_edit_is_passed_over() {
    let world = World::new().await;
    world.post(BOT, &left_by("41-0", "a"));
    let first = world.all()[0].0;
    let refused = Fault::Answer {
        status: 403,
        retry_after: None,
        body: None,
    };
    world.fault("PATCH", &format!("/comments/{first}"), refused);
    end(&mut world.comment(42, 1), "b").await.unwrap();
    assert_eq!(world.texts().len(), 2);
    assert!(world.texts()[0].contains("aaaaaaa") && world.texts()[1].contains("bbbbbbb"));
}

#[tokio::test]
async fn a_comment_that_may_not_be_edited_any_more_is_no_reason_for_a_second_one() {
    let world = World::new().await;
    let mut comment = world.comment(42, 1);
    begin(&mut comment, "a").await;
    let refused = Fault::Answer {
        status: 403,
        retry_after: None,
        body: None,
    };
    world.fault("PATCH", "/comments/", refused);
    for _ in 0..3 {
        end(&mut comment, "a").await;
    }
    assert_eq!(world.texts().len(), 1);
    let told = world.heard.0.lock().unwrap();
    assert!(
        told.len() == 1 && told[0].contains("pull-requests: write"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_rate_limit_is_no_reason_for_a_second_comment() {
    let world = World::new().await;
    world.post(BOT, &left_by("41-0", "a"));
    let limited = Fault::Answer {
        status: 429,
        retry_after: Some(3600),
        body: None,
    };
    world.fault("PATCH", "/comments/", limited);
    end(&mut world.comment(42, 1), "b").await;
    assert_eq!(world.texts().len(), 1);
    assert_eq!(world.heard.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn without_the_permission_there_is_one_warning_and_one_try() {
    let world = World::new().await;
    let access = llm_deploy_emulator::github::Access::Read;
    world.running.emulator.github.permit("pull-requests", access);
    world.running.emulator.github.permit("issues", access);
    let mut comment = world.comment(42, 1);
    let draft = |models| Report {
        models,
        ..report(Status::Running, "a")
    };
    let mut follower = Follower {
        comment: &mut comment,
        draft: &draft,
    };
    assert!(follower.write(vec![model(Status::Queued)]).await.is_break());
    assert_eq!(world.asked(), ["GET", "POST"]);
    assert_eq!(end(&mut comment, "a").await, None);
    assert!(world.asked().is_empty());
    let told = world.heard.0.lock().unwrap();
    assert!(
        told.len() == 1 && told[0].contains("pull-requests: write"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_comment_that_was_begun_gets_its_end_though_github_refused_in_between() {
    let world = World::new().await;
    let mut comment = world.comment(42, 1);
    begin(&mut comment, "a").await;
    world.running.emulator.faults.add(Rule {
        on: Pattern {
            method: Some("GET".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: 1,
        fault: Fault::Answer {
            status: 401,
            retry_after: None,
            body: None,
        },
    });
    let draft = |models| Report {
        models,
        ..report(Status::Running, "a")
    };
    let mut follower = Follower {
        comment: &mut comment,
        draft: &draft,
    };
    assert!(follower.write(vec![model(Status::Running)]).await.is_break());
    end(&mut comment, "a").await.unwrap();
    assert!(world.texts()[0].contains("Preview is ready"));
}

#[tokio::test]
async fn the_removal_of_a_preview_that_nobody_heard_of_is_not_told() {
    let world = World::new().await;
    let mut closing = world.comment(42, 1);
    closing.place.may_create = false;
    assert_eq!(closing.deliver(&report(Status::Deleted, "a")).await, None);
    assert!(world.texts().is_empty());
}

#[test]
fn a_run_that_goes_on_reads_well_before_its_models_are_known_and_while_they_are() {
    for status in [Status::Queued, Status::Running] {
        let text = markdown::comment(&report(status, "a"), "preview/p/r");
        let heading = text.lines().find(|line| line.starts_with('#')).unwrap();
        assert!(heading.contains("Qwen/Qwen3-4B"), "{heading}");
        assert!(!text.contains("ready") && !text.contains("failed"), "{text}");
    }
}
