//! Builds that are followed, and logs that are late, cut off, out of order, too long or forbidden.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::follow;
use crate::{
    environment::Api,
    google::{
        Client,
        cloud_build::{Build, Options, Status},
        storage::CHUNK,
        testing::{Asked, Counting, Scripted, Server, answer, client, raw},
    },
};

fn build(status: &str) -> Value {
    json!({"id": "b1", "status": status})
}

fn started(logging: &str) -> Build {
    Build {
        id: "b1".to_owned(),
        logs_bucket: (logging == "GCS_ONLY").then(|| "gs://b/logs".to_owned()),
        create_time: Some("2026-11-24T10:00:00Z".to_owned()),
        options: Some(Options {
            logging: Some(logging.to_owned()),
            ..Options::default()
        }),
        ..Build::default()
    }
}

/// A build that is over once its log was asked for `reads` times; `log` answers the n-th time, from 0.
fn working(
    reads: usize,
    log: impl Fn(usize, &Asked) -> Scripted + Send + Sync,
) -> impl Fn(&Asked) -> Scripted + Send + Sync {
    let (looks, asked_for) = (AtomicUsize::new(0), AtomicUsize::new(0));
    move |asked| {
        if !asked.line.contains("/builds/") {
            return log(asked_for.fetch_add(1, Ordering::SeqCst), asked);
        }
        match looks.fetch_add(1, Ordering::SeqCst) {
            0 => answer(200, build("QUEUED")),
            1 => raw(503, ""),
            _ if asked_for.load(Ordering::SeqCst) < reads => answer(200, build("WORKING")),
            _ => answer(200, build("SUCCESS")),
        }
    }
}

async fn followed(c: &Client, started: &Build) -> (Build, Vec<String>, Vec<Status>) {
    let (lines, statuses) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let on_line = |line: &str| lines.lock().unwrap().push(line.to_owned());
    let on_status = |status| statuses.lock().unwrap().push(status);
    let deadline = Duration::from_secs(20);
    let build = follow(c, "p", "global", started, deadline, &on_line, &on_status)
        .await
        .unwrap();
    (build, lines.into_inner().unwrap(), statuses.into_inner().unwrap())
}

#[tokio::test]
async fn a_build_is_followed_to_the_last_line_of_its_log() {
    const LOG: &[u8] = b"step 1\nstep 2\nDONE";
    let server = Server::start(working(6, |n, asked| match n {
        0..=2 => raw(404, ""),
        3 | 4 => ranged(&LOG[..10], asked),
        5 => ranged(&LOG[..16], asked),
        _ => ranged(LOG, asked),
    }))
    .await;
    let (build, lines, statuses) = followed(&server.client(), &started("GCS_ONLY")).await;
    assert_eq!(build.status, Status::Success);
    assert_eq!(lines, ["step 1", "step 2", "DONE"]);
    assert_eq!(statuses, [Status::Queued, Status::Working, Status::Success]);
}

/// Serves `log` by range, as Cloud Storage does.
fn ranged(log: &[u8], asked: &Asked) -> Scripted {
    let range = asked.header("range").strip_prefix("bytes=").unwrap();
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    match log.get(first..(last + 1).min(log.len())) {
        Some(part) if !part.is_empty() => raw(206, part),
        _ => raw(416, ""),
    }
}

#[tokio::test]
async fn a_long_log_of_an_adopted_build_is_read_whole_and_in_parts() {
    let log: String = (0..100_000).fold(String::new(), |log, n| {
        log + &format!("line {n:06} of a log that was long before anybody looked, and still is at its end\n")
    });
    assert!(log.len() as u64 > CHUNK, "no second part is needed");
    let lines_of_it: Vec<String> = log.lines().map(str::to_owned).collect();
    let server = Server::start(working(1, move |_, asked| ranged(log.as_bytes(), asked))).await;
    let (_, lines, _) = followed(&server.client(), &started("GCS_ONLY")).await;
    assert!(lines == lines_of_it, "{} lines", lines.len());
}

#[tokio::test]
async fn a_forbidden_log_does_not_stop_the_wait() {
    for logging in ["GCS_ONLY", "CLOUD_LOGGING_ONLY"] {
        let server = Server::start(working(1, |_, _| raw(403, "no"))).await;
        let (build, lines, _) = followed(&server.client(), &started(logging)).await;
        assert_eq!(build.status, Status::Success);
        assert_eq!(lines.len(), 1, "told once: {lines:?}");
        assert!(lines[0].contains("log can't be shown"), "{lines:?}");
    }
}

#[tokio::test]
async fn a_gap_in_the_log_is_told_once_and_what_follows_is_shown() {
    const LOG: &[u8] = b"step 1\nDONE\n";
    // By range: the read that the build's end breaks off is made again.
    let server = Server::start(working(10, |n, asked| match n {
        0 => ranged(&LOG[..7], asked),
        1..=9 => raw(500, ""),
        _ => ranged(LOG, asked),
    }))
    .await;
    let (_, lines, _) = followed(&server.client(), &started("GCS_ONLY")).await;
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].contains("log is late"), "{lines:?}");
    assert_eq!(lines[2], "DONE");
}

#[tokio::test]
async fn a_log_that_hangs_does_not_stop_the_wait() {
    // Takes connections, and never answers.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}/", listener.local_addr().unwrap());
    let server = Server::start(working(0, |_, _| raw(418, ""))).await;
    let mut environment = server.environment();
    environment.set(Api::Storage.override_variable(), silent);
    let c = client(&environment, Arc::new(Counting::default()));
    let began = Instant::now();
    let (build, lines, _) = followed(&c, &started("GCS_ONLY")).await;
    assert_eq!(build.status, Status::Success);
    assert!(lines.is_empty(), "{lines:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_build_that_never_ends_meets_the_deadline() {
    let server = Server::start(|_| answer(200, build("WORKING"))).await;
    let c = server.client();
    let deadline = Duration::from_millis(20);
    let never = follow(&c, "p", "global", &started("NONE"), deadline, &|_| {}, &|_| {}).await;
    let error = never.unwrap_err();
    assert!(error.is_deadline(), "{error}");
}

#[tokio::test]
async fn a_build_that_is_not_found_yet_is_followed_all_the_same() {
    let looks = AtomicUsize::new(0);
    let server = Server::start(move |_| match looks.fetch_add(1, Ordering::SeqCst) {
        0..=2 => raw(404, ""),
        _ => answer(200, build("SUCCESS")),
    })
    .await;
    let (found, _, _) = followed(&server.client(), &started("NONE")).await;
    assert_eq!(found.status, Status::Success);
    let server = Server::start(|_| raw(404, "")).await;
    let (c, build, deadline) = (server.client(), started("NONE"), Duration::from_secs(20));
    let gone = follow(&c, "p", "global", &build, deadline, &|_| {}, &|_| {}).await;
    assert!(gone.unwrap_err().is_not_found());
}

/// Entries as `(seconds, insertId, text, from which read on they are stored)`, searched as Cloud Logging does, two a page.
fn logged(stored: &'static [(u32, &str, &str, usize)]) -> impl Fn(usize, &Asked) -> Scripted + Send + Sync {
    move |read, asked| {
        let body = asked.json();
        assert_eq!(body["orderBy"], "timestamp asc");
        assert_eq!(body["resourceNames"], json!(["projects/p"]));
        let filter = body["filter"].as_str().unwrap();
        let from = filter
            .split("timestamp>=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let time = |seconds: u32| format!("2026-11-24T10:{:02}:{:02}.000000000Z", seconds / 60, seconds % 60);
        let mut found: Vec<_> = stored
            .iter()
            .filter(|(seconds, _, _, stored)| *stored <= read && time(*seconds).as_str() >= from)
            .collect();
        found.sort_by_key(|(seconds, id, _, _)| (*seconds, *id));
        let skip: usize = body["pageToken"].as_str().map_or(0, |t| t.parse().unwrap());
        let entries: Vec<Value> = found
            .iter()
            .skip(skip)
            .take(2)
            .map(|(s, id, text, _)| json!({"timestamp": time(*s), "insertId": id, "textPayload": text}))
            .collect();
        let next = skip + entries.len();
        let more = next < found.len();
        answer(
            200,
            json!({"entries": entries, "nextPageToken": if more { next.to_string() } else { String::new() }}),
        )
    }
}

#[tokio::test]
async fn entries_that_come_late_or_twice_are_shown_once_each() {
    let server = Server::start(working(
        8,
        logged(&[
            (1, "a", "FETCHSOURCE", 0),
            (2, "b", "Step 1", 0),
            (2, "b", "Step 1", 0),
            (2, "c", "Step 1", 3),
            // Older than what has been shown, and stored after it.
            (1, "d", "Fetched", 4),
            (200, "e", "PUSH", 5),
            (150, "f", "Step 2", 7),
            // After the build's end.
            (201, "g", "DONE", 12),
        ]),
    ))
    .await;
    let (build, lines, _) = followed(&server.client(), &started("CLOUD_LOGGING_ONLY")).await;
    assert_eq!(build.status, Status::Success);
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "DONE",
            "FETCHSOURCE",
            "Fetched",
            "PUSH",
            "Step 1",
            "Step 1",
            "Step 2"
        ]
    );
    assert_eq!(lines.last().unwrap(), "DONE");
    let asked = server.asked();
    let first = asked
        .iter()
        .find(|a| a.line.contains("entries:list"))
        .unwrap()
        .json();
    assert_eq!(
        first["filter"],
        r#"logName="projects/p/logs/cloudbuild" AND resource.type="build" AND timestamp>="2026-11-24T10:00:00.000000000Z" AND resource.labels.build_id="b1""#
    );
    assert_eq!(first["pageSize"], 1000);
}

#[tokio::test]
async fn a_log_without_its_end_is_waited_for_only_a_moment() {
    let server = Server::start(working(1, logged(&[(1, "a", "Step 1", 0)]))).await;
    let began = Instant::now();
    let (_, lines, _) = followed(&server.client(), &started("CLOUD_LOGGING_ONLY")).await;
    assert_eq!(lines, ["Step 1"]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
