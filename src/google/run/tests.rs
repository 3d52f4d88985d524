use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use super::*;
use crate::google::testing::{Scripted, Server, answer, raw};

const LOCATION: Location<'_> = Location {
    project: "p",
    region: "r",
};
const DEADLINE: Duration = Duration::from_secs(20);

fn ready() -> Value {
    json!({
        "name": "projects/p/locations/r/services/qwen", "generation": "1", "observedGeneration": "1",
        "latestReadyRevision": "x/revisions/qwen-1", "latestCreatedRevision": "x/revisions/qwen-1",
        "terminalCondition": {"type": "Ready", "state": "CONDITION_SUCCEEDED"}, "uri": "https://qwen.example",
    })
}

fn failed() -> Value {
    json!({
        "latestCreatedRevision": "x/revisions/qwen-1", "generation": "1", "observedGeneration": "1",
        "terminalCondition": {"type": "Ready", "state": "CONDITION_FAILED", "reason": "REVISION_FAILED",
            "message": "Revision 'qwen-1' is not ready and cannot serve traffic."},
    })
}

fn operation(done: bool) -> Value {
    json!({"name": "projects/p/locations/r/operations/o", "done": done})
}

async fn created(server: &Server, heard: &Mutex<Vec<String>>) -> Result<Service, Error> {
    let hear = |text: &str| heard.lock().unwrap().push(text.to_owned());
    let service = Service::default();
    create(&server.client(), &LOCATION, "qwen", &service, DEADLINE, &hear).await
}

/// Answers the reads by what is asked, and the waits by their number.
fn cloud_run(
    service: fn() -> Value,
    revision: fn(usize) -> Value,
    wait: fn(usize) -> Scripted,
) -> impl Fn(&crate::google::testing::Asked) -> Scripted + Send + Sync {
    let waits = AtomicUsize::new(0);
    move |asked| match asked.line.split(' ').next() {
        Some("POST") if asked.line.contains(":wait") => wait(waits.fetch_add(1, Ordering::SeqCst)),
        Some("POST" | "PATCH") => answer(200, operation(false)),
        _ if asked.line.contains("/revisions/") => answer(200, revision(waits.load(Ordering::SeqCst))),
        _ => answer(200, service()),
    }
}

fn importing(message: &str) -> Value {
    json!({"conditions": [{"type": "ContainerReady", "state": "CONDITION_RECONCILING", "message": message}]})
}

#[tokio::test]
async fn a_service_is_created_and_its_progress_told() {
    let revision = |waits| match waits {
        0..20 => importing("Importing container image."),
        _ => importing("Imported container image in 26.13s."),
    };
    let wait = |waits| answer(200, operation(waits > 60));
    let server = Server::start(cloud_run(ready, revision, wait)).await;
    let heard = Mutex::new(Vec::new());
    let service = created(&server, &heard).await.unwrap();
    assert_eq!(service.uri.as_deref(), Some("https://qwen.example"));
    let lines = server.lines();
    assert_eq!(
        lines[0],
        "POST /v2/projects/p/locations/r/services?serviceId=qwen"
    );
    assert!(lines.contains(&"POST /v2/projects/p/locations/r/operations/o:wait".to_owned()));
    let heard = heard.into_inner().unwrap();
    assert_eq!(
        heard,
        [
            "Importing container image.",
            "Imported container image in 26.13s."
        ]
    );
}

#[tokio::test]
async fn a_service_that_fails_says_reason_message_and_revision() {
    let revision = |_| {
        json!({"conditions": [{"type": "ContainerHealthy", "state": "CONDITION_FAILED",
            "revisionReason": "HEALTH_CHECK_CONTAINER_ERROR",
            "message": "The user-provided container failed to start and listen on the port."}]})
    };
    let wait = |_| {
        let mut done = operation(true);
        done["error"] =
            json!({"code": 9, "message": "Revision 'qwen-1' is not ready and cannot serve traffic."});
        answer(200, done)
    };
    let server = Server::start(cloud_run(failed, revision, wait)).await;
    let error = created(&server, &Mutex::default()).await.unwrap_err();
    assert!(error.is_user_fixable());
    insta::assert_snapshot!(error.to_string(), @"Cloud Run could not bring up service `qwen` (revision `qwen-1`): Revision 'qwen-1' is not ready and cannot serve traffic. The user-provided container failed to start and listen on the port. [HEALTH_CHECK_CONTAINER_ERROR]");
}

#[tokio::test]
async fn a_failed_operation_names_its_revision_although_the_service_is_shown_as_it_was() {
    let revision = |_| {
        json!({"conditions": [{"type": "ContainerHealthy", "state": "CONDITION_FAILED",
            "revisionReason": "HEALTH_CHECK_CONTAINER_ERROR", "message": "It did not listen."}]})
    };
    let wait = |_| {
        let mut done = operation(true);
        done["error"] =
            json!({"code": 9, "message": "Revision 'qwen-2' is not ready and cannot serve traffic."});
        answer(200, done)
    };
    let server = Server::start(cloud_run(ready, revision, wait)).await;
    let error = created(&server, &Mutex::default()).await.unwrap_err();
    assert_eq!(error.revision(), Some("qwen-2"), "{error}");
    assert!(error.to_string().contains("It did not listen."), "{error}");
}

#[tokio::test]
async fn a_message_that_service_and_revision_share_is_told_once_and_whole() {
    const LONG: fn() -> String = || {
        format!(
            "Revision 'qwen-1' is not ready. {} End.",
            "The container failed to start. ".repeat(20)
        )
    };
    let revision =
        |_| json!({"conditions": [{"type": "Ready", "state": "CONDITION_FAILED", "message": LONG()}]});
    let wait = |_| {
        let mut done = operation(true);
        done["error"] = json!({"code": 9, "message": LONG()});
        answer(200, done)
    };
    let server = Server::start(cloud_run(failed, revision, wait)).await;
    let text = created(&server, &Mutex::default()).await.unwrap_err().to_string();
    assert_eq!(text.matches("is not ready").count(), 1, "{text}");
    assert!(text.contains("End."), "{text}");
}

#[tokio::test]
async fn a_create_of_unknown_outcome_is_looked_for_before_it_is_sent_again() {
    let server = Server::script(vec![raw(504, ""), answer(200, ready()), answer(200, ready())]).await;
    created(&server, &Mutex::default()).await.unwrap();
    let posts = |server: &Server| server.lines().iter().filter(|l| l.starts_with("POST")).count();
    assert_eq!(posts(&server), 1);
    let server = Server::script(vec![
        raw(504, ""),
        raw(404, ""),
        answer(200, operation(true)),
        answer(200, ready()),
    ])
    .await;
    created(&server, &Mutex::default()).await.unwrap();
    assert_eq!(posts(&server), 2);
}

#[tokio::test]
async fn a_name_that_is_taken_is_a_conflict() {
    let server = Server::start(|_| raw(409, "exists")).await;
    let error = created(&server, &Mutex::default()).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert_eq!(server.lines().len(), 1);
}

async fn patched(server: &Server, wanted: &Service) -> Result<Service, Error> {
    patch(
        &server.client(),
        &LOCATION,
        "qwen",
        wanted,
        &["labels"],
        DEADLINE,
        &|_| {},
    )
    .await
}

#[tokio::test]
async fn an_update_of_unknown_outcome_is_compared_with_what_is_live() {
    let mut live = ready();
    live["labels"] = json!({"a": "1"});
    let wanted = Service {
        labels: [("a".to_owned(), "1".to_owned())].into(),
        ..Service::default()
    };
    let script = vec![raw(502, ""), answer(200, live.clone()), answer(200, live)];
    let server = Server::script(script).await;
    patched(&server, &wanted).await.unwrap();
    assert_eq!(
        server.lines()[0],
        "PATCH /v2/projects/p/locations/r/services/qwen?updateMask=labels"
    );
    assert_eq!(
        server.lines().iter().filter(|l| l.starts_with("PATCH")).count(),
        1
    );
    // Not applied, and meanwhile changed by somebody else.
    let script = vec![
        raw(502, ""),
        answer(200, ready()),
        raw(409, "etag"),
        answer(200, ready()),
    ];
    let server = Server::script(script).await;
    assert!(patched(&server, &wanted).await.unwrap_err().is_conflict());
}

#[tokio::test]
async fn every_page_of_the_list_is_read_and_absent_services_are_none() {
    let server = Server::script(vec![
        answer(200, json!({"services": [{"name": "a"}], "nextPageToken": "t"})),
        answer(200, json!({"services": [{"name": "b"}]})),
        raw(404, ""),
    ])
    .await;
    let c = server.client();
    assert_eq!(list(&c, &LOCATION).await.unwrap().len(), 2);
    assert!(
        server.lines()[1].ends_with("?pageSize=100&pageToken=t"),
        "{:?}",
        server.lines()
    );
    assert!(get(&c, &LOCATION, "x").await.unwrap().is_none());
}

#[tokio::test]
async fn deleting_what_is_not_there_is_fine() {
    let server = Server::script(vec![
        raw(404, ""),
        raw(404, ""),
        answer(200, operation(false)),
        answer(200, operation(true)),
        raw(404, ""),
    ])
    .await;
    let c = server.client();
    delete(&c, &LOCATION, "x", DEADLINE).await.unwrap();
    delete(&c, &LOCATION, "x", DEADLINE).await.unwrap();
    assert_eq!(server.lines().len(), 5);
}

#[tokio::test]
async fn deleted_is_what_is_no_longer_found_whatever_the_answers_say() {
    // What the deletion and its operation are answered, and whether the service goes.
    for (deletion, asked, goes, said) in [
        (
            answer_of(404, json!({})),
            answer_of(404, json!({})),
            false,
            "still shows it",
        ),
        (
            answer_of(200, json!({})),
            answer_of(404, json!({})),
            false,
            "without a name",
        ),
        (answer_of(200, json!({})), answer_of(404, json!({})), true, ""),
        (
            answer_of(200, operation(false)),
            answer_of(404, json!({})),
            false,
            // It is looked for until the deadline.
            "is still running",
        ),
        (
            answer_of(200, operation(false)),
            answer_of(404, json!({})),
            true,
            "",
        ),
        (
            answer_of(200, operation(true)),
            answer_of(404, json!({})),
            false,
            "still shows it",
        ),
        (
            answer_of(200, failed_operation()),
            answer_of(404, json!({})),
            false,
            "could not delete",
        ),
        (
            answer_of(200, failed_operation()),
            answer_of(404, json!({})),
            true,
            "",
        ),
    ] {
        let server = Server::start(move |seen| {
            let (status, body) = if seen.line.starts_with("DELETE") {
                deletion.clone()
            } else if seen.line.contains("operations") {
                asked.clone()
            } else if goes {
                (404, json!({}))
            } else {
                (200, json!({"name": "projects/p/locations/r/services/x"}))
            };
            answer(status, body)
        })
        .await;
        let outcome = delete(&server.client(), &LOCATION, "x", Duration::from_millis(300)).await;
        match outcome {
            Ok(()) => assert!(said.is_empty(), "it is still there"),
            Err(error) => assert!(
                !said.is_empty() && error.to_string().contains(said),
                "{said}: {error}"
            ),
        }
    }
}

fn answer_of(status: u16, body: Value) -> (u16, Value) {
    (status, body)
}

fn failed_operation() -> Value {
    json!({"name": "projects/p/locations/r/operations/o", "done": true, "error": {"code": 13, "message": "internal"}})
}

#[tokio::test]
async fn an_operation_that_never_ends_meets_the_deadline() {
    let server = Server::start(cloud_run(ready, |_| json!({}), |_| answer(200, operation(false)))).await;
    let deadline = Duration::from_millis(30);
    let service = Service::default();
    let c = server.client();
    let error = create(&c, &LOCATION, "qwen", &service, deadline, &|_| {})
        .await
        .unwrap_err();
    assert!(error.is_deadline(), "{error}");
}

fn done_at(generation: &str) -> Value {
    let mut done = operation(true);
    done["response"] = json!({"generation": generation});
    done
}

#[tokio::test]
async fn a_service_that_still_looks_as_before_the_change_is_not_taken_for_it() {
    let mut after = ready();
    for key in ["generation", "observedGeneration"] {
        after[key] = json!("2");
    }
    after["latestReadyRevision"] = json!("x/revisions/qwen-2");
    after["latestCreatedRevision"] = json!("x/revisions/qwen-2");
    for before in [ready(), failed()] {
        let looks = AtomicUsize::new(0);
        let after = after.clone();
        let server = Server::start(move |asked| match asked.line.split(' ').next() {
            Some("PATCH") => answer(200, done_at("2")),
            _ if looks.fetch_add(1, Ordering::SeqCst) < 3 => answer(200, before.clone()),
            _ => answer(200, after.clone()),
        })
        .await;
        let live = patched(&server, &Service::default()).await.unwrap();
        assert_eq!(live.latest_ready_revision.as_deref(), Some("x/revisions/qwen-2"));
    }
}

#[tokio::test]
async fn an_outage_during_the_wait_does_not_end_it() {
    // Ten refusals are more than the tries of one look.
    let wait = |waits| match waits {
        0 => raw(404, "not everywhere yet"),
        1..=10 => raw(503, "<html>out</html>"),
        _ => answer(200, operation(true)),
    };
    let server = Server::start(cloud_run(ready, |_| json!({}), wait)).await;
    created(&server, &Mutex::default()).await.unwrap();
    let looks = AtomicUsize::new(0);
    let server = Server::start(move |asked| match asked.line.split(' ').next() {
        Some("POST") => answer(200, operation(true)),
        _ if looks.fetch_add(1, Ordering::SeqCst) < 10 => raw(502, ""),
        _ => answer(200, ready()),
    })
    .await;
    created(&server, &Mutex::default()).await.unwrap();
}

#[tokio::test]
async fn an_operation_that_is_gone_or_forbidden_ends_the_wait() {
    for status in [404, 403] {
        let server = Server::start(move |asked| match asked.line.contains(":wait") {
            true => raw(status, "no"),
            false if asked.line.starts_with("POST") => answer(200, operation(false)),
            false => answer(200, ready()),
        })
        .await;
        let error = created(&server, &Mutex::default()).await.unwrap_err();
        assert_eq!(error.http_status(), Some(status));
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_is_looked_into_and_not_sent_again() {
    let script = vec![
        raw(200, "<html>proxy</html>"),
        answer(200, ready()),
        answer(200, ready()),
    ];
    let server = Server::script(script).await;
    created(&server, &Mutex::default()).await.unwrap();
    let posts = server.lines().iter().filter(|l| l.starts_with("POST")).count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn an_operation_without_a_name_is_no_usable_answer() {
    let server = Server::script(vec![answer(200, json!({}))]).await;
    let heard = Mutex::new(Vec::new());
    let error = created(&server, &heard).await.unwrap_err();
    assert!(
        error.to_string().contains("an operation without a name"),
        "{error}"
    );
}

#[tokio::test]
async fn a_service_that_was_given_up_is_asked_in_a_way_that_it_can_answer_at_once() {
    let server = Server::script(vec![answer(200, operation(false)), answer(200, operation(true))]).await;
    let c = server.client();
    c.give_up(Api::Run);
    let waited = Waited {
        api: Api::Run,
        version: "v2/",
        can_wait: true,
        what: "wait",
        until: c.deadline(DEADLINE),
    };
    let running = serde_json::from_value(operation(false)).unwrap();
    wait(&c, &waited, running).await.unwrap();
    let lines = server.lines();
    assert!(lines[0].starts_with("GET"), "{lines:?}");
    // It has answered: from then on requests are held open.
    assert!(lines[1].contains(":wait"), "{lines:?}");
}
