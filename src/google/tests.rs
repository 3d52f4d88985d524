//! Storage, registry and builds against a scripted server.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Error,
    artifact_registry::{self, Repository},
    cloud_build::{self, Build, Status},
    storage::{self, LogChunk},
    testing::{Server, answer, raw},
};

#[tokio::test]
async fn an_upload_that_was_there_gives_its_generation() {
    let server = Server::script(vec![raw(412, ""), answer(200, json!({"generation": "42"}))]).await;
    let c = server.client();
    let generation = storage::upload(&c, "b", "source/k.tgz", "application/gzip", Bytes::from("x"));
    assert_eq!(generation.await.unwrap(), "42");
    assert_eq!(
        server.lines(),
        [
            "POST /upload/storage/v1/b/b/o?uploadType=media&name=source%2Fk.tgz&ifGenerationMatch=0",
            "GET /storage/v1/b/b/o/source%2Fk.tgz"
        ]
    );
}

#[tokio::test]
async fn somebody_elses_bucket_is_refused() {
    let server = Server::script(vec![
        answer(200, json!({})),
        raw(409, ""),
        answer(200, json!({"items": []})),
    ])
    .await;
    let error = storage::ensure_bucket(&server.client(), "p", "b", "EU")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ForeignBucket { .. }), "{error}");
    // Without the right to list, the projects' numbers decide.
    let server = Server::script(vec![
        raw(403, ""),
        answer(200, json!({"name": "b", "projectNumber": "2"})),
        answer(200, json!({"name": "projects/1"})),
    ])
    .await;
    let error = storage::ensure_bucket(&server.client(), "p", "b", "EU")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ForeignBucket { .. }), "{error}");
}

#[tokio::test]
async fn our_own_bucket_is_used_or_made() {
    let server = Server::script(vec![answer(
        200,
        json!({"items": [{"name": "b2"}, {"name": "b"}]}),
    )])
    .await;
    assert!(
        !storage::ensure_bucket(&server.client(), "p", "b", "EU")
            .await
            .unwrap()
    );
    let server = Server::script(vec![answer(200, json!({})), answer(200, json!({"name": "b"}))]).await;
    assert!(
        storage::ensure_bucket(&server.client(), "p", "b", "EU")
            .await
            .unwrap()
    );
    let body = server.asked()[1].json();
    assert_eq!(body["iamConfiguration"]["publicAccessPrevention"], "enforced");
    assert_eq!(body["lifecycle"]["rule"][0]["condition"]["age"], 7);
}

#[tokio::test]
async fn a_log_is_read_from_where_it_was_left() {
    let server = Server::script(vec![
        raw(404, ""),
        raw(206, "cd"),
        raw(416, ""),
        raw(200, "abcdef"),
    ])
    .await;
    let c = server.client();
    let mut chunks = Vec::new();
    for offset in [0, 2, 4, 4] {
        chunks.push(
            storage::read_from(&c, "b", "logs/log-1.txt", offset)
                .await
                .unwrap(),
        );
    }
    let expected = [
        LogChunk::NotYet,
        LogChunk::Bytes(Bytes::from("cd")),
        LogChunk::NothingNew,
        LogChunk::Bytes(Bytes::from("ef")),
    ];
    assert_eq!(chunks, expected);
    assert_eq!(server.asked()[1].header("range"), "bytes=2-4194305");
}

const REPOSITORY: Repository<'_> = Repository {
    project: "p",
    location: "r",
    repository: "repo",
};

#[tokio::test]
async fn an_images_digest_is_looked_up_by_tag() {
    let version = "projects/p/locations/r/repositories/repo/packages/qwen/versions/sha256:abc";
    let server = Server::script(vec![answer(200, json!({"version": version})), raw(404, "")]).await;
    let c = server.client();
    let digest = artifact_registry::tag_digest(&c, &REPOSITORY, "qwen", "k")
        .await
        .unwrap();
    assert_eq!(digest.as_deref(), Some("sha256:abc"));
    assert_eq!(
        artifact_registry::tag_digest(&c, &REPOSITORY, "qwen", "k")
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        server.lines()[0],
        "GET /v1/projects/p/locations/r/repositories/repo/packages/qwen/tags/k"
    );
}

#[tokio::test]
async fn a_repository_is_made_with_its_cleanup_and_waited_for() {
    let operation = |done| json!({"name": "projects/p/locations/r/operations/o", "done": done});
    let server = Server::script(vec![
        raw(404, ""),
        answer(200, operation(false)),
        answer(200, operation(false)),
        answer(200, operation(true)),
    ])
    .await;
    let week = Duration::from_secs(604_800);
    assert!(
        artifact_registry::ensure_repository(&server.client(), &REPOSITORY, 3, week)
            .await
            .unwrap()
    );
    let policies = server.asked()[1].json()["cleanupPolicies"].clone();
    assert_eq!(policies["keep-recent"]["mostRecentVersions"]["keepCount"], 3);
    assert_eq!(policies["delete-old"]["condition"]["olderThan"], "604800s");
    assert_eq!(server.lines()[3], "GET /v1/projects/p/locations/r/operations/o");
}

fn build(status: &str) -> Value {
    json!({"id": "b1", "status": status, "tags": ["svc.key"]})
}

#[tokio::test]
async fn a_build_whose_start_is_unknown_is_found_by_its_own_tag_even_when_it_is_over() {
    let sent = std::sync::Mutex::new(json!(null));
    let server = Server::start(move |asked| {
        let mut sent = sent.lock().unwrap();
        if asked.line.starts_with("POST") {
            *sent = asked.json();
            return raw(504, "timeout");
        }
        let other = json!({"id": "old", "status": "SUCCESS", "tags": ["svc.key"]});
        let mine = json!({"id": "mine", "status": "SUCCESS", "tags": sent["tags"]});
        answer(200, json!({"builds": [other, mine]}))
    })
    .await;
    let wanted = Build {
        tags: vec!["svc.key".to_owned()],
        ..Build::default()
    };
    let started = cloud_build::create(&server.client(), "p", "global", &wanted)
        .await
        .unwrap();
    assert_eq!(started.id, "mine");
    assert_eq!(server.lines().len(), 2);
    assert!(
        server.lines()[1].contains("filter=tags%3D%22request-"),
        "{:?}",
        server.lines()
    );
}

#[tokio::test]
async fn a_build_that_did_not_start_is_sent_again() {
    let server = Server::script(vec![
        raw(504, ""),
        answer(200, json!({})),
        answer(200, json!({"metadata": {"build": build("QUEUED")}})),
    ])
    .await;
    let wanted = Build {
        tags: vec!["svc.key".to_owned()],
        ..Build::default()
    };
    let started = cloud_build::create(&server.client(), "p", "global", &wanted)
        .await
        .unwrap();
    assert_eq!(started.status, Status::Queued);
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn of_several_running_builds_everybody_finds_the_oldest() {
    let at = |id: &str, time: &str| json!({"id": id, "status": "WORKING", "tags": ["svc.key"], "createTime": time});
    let late = at("late", "2026-11-24T09:00:00.500123Z");
    let early = at("early", "2026-11-24T09:00:00.5Z");
    let server = Server::script(vec![
        answer(200, json!({"builds": [late], "nextPageToken": "more"})),
        answer(200, json!({"builds": [early]})),
    ])
    .await;
    let found = cloud_build::find_active(&server.client(), "p", "global", "svc.key")
        .await
        .unwrap();
    assert_eq!(found.unwrap().id, "early");
}

#[tokio::test]
async fn a_build_that_has_ended_needs_no_cancelling() {
    let over = json!({"error": {"code": 400, "status": "FAILED_PRECONDITION", "message": "it is finished"}});
    let gone = json!({"error": {"code": 404, "status": "NOT_FOUND", "message": "no such build"}});
    let denied = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no"}});
    let server = Server::script(vec![
        answer(200, build("CANCELLED")),
        answer(400, over),
        answer(404, gone),
        answer(403, denied),
    ])
    .await;
    let client = server.client();
    for fine in [true, true, true, false] {
        let cancelled = cloud_build::cancel(&client, "p", "global", "b1").await;
        assert_eq!(cancelled.is_ok(), fine, "{cancelled:?}");
    }
    assert_eq!(
        server.lines()[0],
        "POST /v1/projects/p/locations/global/builds/b1:cancel"
    );
}
