//! Each kind of fault by itself, through HTTP.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::*;
use crate::testing::Bench;

const SERVICES: &str = "/run/v2/projects/demo-project/locations/europe-west4/services";
const BUCKET: &str = "/storage/storage/v1/b?project=demo-project";

fn rule(id: &str, fault: Fault) -> Rule {
    Rule {
        on: Pattern {
            id: Some(id.to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: 1,
        fault,
    }
}

/// The answer's status, or `None` when no whole answer came.
async fn status(bench: &Bench, method: reqwest::Method, path: &str, body: &Value) -> Option<u16> {
    let emulator = &bench.running.emulator;
    let request = reqwest::Client::new()
        .request(method, format!("{}{path}", emulator.base_url))
        .bearer_auth(emulator.tokens.ready())
        .json(body);
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    response.bytes().await.ok()?;
    Some(status)
}

#[tokio::test]
async fn a_fault_can_be_for_what_a_request_says() {
    let bench = Bench::start().await;
    let on = Pattern {
        body: Some("\"state\":\"success\"".to_owned()),
        ..Pattern::default()
    };
    let fault = Fault::Answer {
        status: 503,
        retry_after: None,
        body: None,
    };
    bench.running.emulator.faults.add(Rule {
        on,
        skip: 0,
        times: u32::MAX,
        fault,
    });
    for (state, met) in [("failure", false), ("success", true)] {
        let body = json!({ "state": state });
        let found = status(&bench, reqwest::Method::POST, "/github/repos/x/y/z", &body).await;
        assert_eq!(found == Some(503), met, "{state}");
    }
}

#[tokio::test]
async fn the_nth_matching_requests_meet_the_fault_and_others_do_not() {
    let bench = Bench::start().await;
    let fault = Fault::Answer {
        status: 503,
        retry_after: Some(7),
        body: None,
    };
    let rule = Rule {
        skip: 1,
        times: 2,
        ..rule("run.projects.locations.services.list", fault)
    };
    bench.running.emulator.faults.add(rule);
    let mut seen = Vec::new();
    for _ in 0..4 {
        assert_eq!(bench.get(BUCKET).await.status, 200);
        let answer = bench.get(SERVICES).await;
        let wait = answer
            .headers
            .get("retry-after")
            .map(|v| v.to_str().unwrap().to_owned());
        seen.push((answer.status, wait));
    }
    let refused = || (503, Some("7".to_owned()));
    assert_eq!(seen, [(200, None), refused(), refused(), (200, None)]);
}

#[tokio::test]
async fn a_reset_before_has_no_effect_and_one_after_has() {
    let bench = Bench::start().await;
    for (fault, name, there) in [
        (Fault::ResetBefore, "demo-before", false),
        (Fault::ResetAfter, "demo-after", true),
        (Fault::Truncated, "demo-cut", true),
    ] {
        bench
            .running
            .emulator
            .faults
            .add(rule("storage.buckets.insert", fault));
        let body = json!({"name": name});
        assert_eq!(status(&bench, reqwest::Method::POST, BUCKET, &body).await, None);
        let found = bench.get(&format!("/storage/storage/v1/b/{name}")).await;
        assert_eq!(found.status == 200, there, "{name}");
    }
}

#[tokio::test]
async fn hooks_run_at_their_side_of_the_effect() {
    let bench = Bench::start().await;
    let calls = Arc::new(AtomicU32::new(0));
    for fault in [Fault::Before, Fault::After] {
        let counted = Arc::clone(&calls);
        let hook = Hook(Arc::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        }));
        bench
            .running
            .emulator
            .faults
            .add(rule("run.projects.locations.services.list", fault(hook)));
        assert_eq!(bench.get(SERVICES).await.status, 200);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_new_project_has_no_accounts_and_hardly_an_api() {
    let bench = Bench::with(crate::Settings {
        project: "demo-project".to_owned(),
        bare: true,
        ..crate::Settings::default()
    })
    .await;
    let refused = bench.get(SERVICES).await;
    assert_eq!(refused.json["error"]["details"][0]["reason"], "SERVICE_DISABLED");
    let path = "/serviceusage/v1/projects/demo-project/services:batchEnable";
    let ids = json!({"serviceIds": ["run.googleapis.com", "iam.googleapis.com"]});
    assert_eq!(bench.post(path, &ids).await.status, 200);
    assert_eq!(bench.get(SERVICES).await.status, 200);
    let accounts = bench.get("/iam/v1/projects/demo-project/serviceAccounts").await;
    assert_eq!((accounts.status, &accounts.json["accounts"]), (200, &Value::Null));
}

const BUILDS: &str = "/cloudbuild/v1/projects/demo-project/locations/global/builds";
const CREATE_BUILD: &str = "cloudbuild.projects.locations.builds.create";
const LIST: &str = "run.projects.locations.services.list";

async fn met(fault: Fault) -> Bench {
    let bench = Bench::start().await;
    bench.running.emulator.faults.add(rule(LIST, fault));
    bench
}

/// A build that sleeps for ever, in its first step.
fn build() -> Value {
    json!({"steps": [{"name": "docker:27-cli", "args": ["version"]}], "options": {"logging": "NONE"}})
}

async fn a_build(bench: &Bench, fault: Fault) -> String {
    bench.running.emulator.faults.add(rule(CREATE_BUILD, fault));
    let made = bench.post(BUILDS, &build()).await;
    made.json["metadata"]["build"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_service_refuses_in_its_own_words() {
    let bench = Bench::start().await;
    let refused = |service: &str| Rule {
        on: Pattern {
            service: Some(service.to_owned()),
            ..Pattern::default()
        },
        ..rule(
            "",
            Fault::Answer {
                status: 503,
                retry_after: None,
                body: None,
            },
        )
    };
    for (service, path, pointer, words) in [
        ("run", SERVICES, "/error/status", "UNAVAILABLE"),
        (
            "github",
            "/github/repos/octo-org/llm-endpoint",
            "/message",
            "Server Error",
        ),
        ("hf", "/hf/api/models/Qwen/Qwen3.5-4B", "/error", "Internal Error"),
        ("sts", "/sts/v1/token", "/error", "server_error"),
    ] {
        bench.running.emulator.faults.add(refused(service));
        let answer = match service {
            "sts" => bench.post(path, &json!({})).await,
            _ => bench.get(path).await,
        };
        assert_eq!(answer.status, 503, "{service}");
        let said = answer.json.pointer(pointer).unwrap().as_str().unwrap();
        assert!(said.starts_with(words), "{service}: {said}");
    }
}

#[tokio::test]
async fn an_error_after_the_effect_is_an_error_with_an_effect() {
    let bench = Bench::start().await;
    bench
        .running
        .emulator
        .faults
        .add(rule("storage.buckets.insert", Fault::AnswerAfter(503)));
    assert_eq!(
        bench.post(BUCKET, &json!({"name": "demo-made"})).await.status,
        503
    );
    assert_eq!(bench.get("/storage/storage/v1/b/demo-made").await.status, 200);
}

#[tokio::test]
async fn a_quota_is_refused_word_for_word() {
    let bench = met(Fault::Quota(Quota::Gpu)).await;
    let refused = bench.get(SERVICES).await;
    assert_eq!(refused.status, 400);
    let said = &refused.json["error"]["message"];
    assert_eq!(
        said,
        "You do not have quota for using GPUs without zonal redundancy."
    );
}

#[tokio::test]
async fn half_an_answer_ends_well_when_it_is_garbled_and_late_when_it_is_slow() {
    let bench = met(Fault::Garbled).await;
    assert_eq!(
        bench.post(BUCKET, &json!({"name": "demo-list"})).await.status,
        200
    );
    let whole = bench.get(BUCKET).await.text;
    bench
        .running
        .emulator
        .faults
        .add(rule("storage.buckets.list", Fault::Garbled));
    let half = bench.get(BUCKET).await;
    assert_eq!(
        (half.status, half.text.as_str()),
        (200, &whole[..whole.len() / 2])
    );
    let late = Duration::from_millis(60);
    bench
        .running
        .emulator
        .faults
        .add(rule("storage.buckets.list", Fault::Slow(late)));
    let began = std::time::Instant::now();
    assert_eq!(bench.get(BUCKET).await.text, whole);
    assert!(began.elapsed() >= late);
}

#[tokio::test]
async fn a_hanging_request_has_no_effect_and_one_that_hangs_after_has() {
    let bench = Bench::start().await;
    for (fault, name, there) in [
        (Fault::Hang, "demo-hung", false),
        (Fault::HangAfter, "demo-kept", true),
    ] {
        bench
            .running
            .emulator
            .faults
            .add(rule("storage.buckets.insert", fault));
        let body = json!({"name": name});
        let asked = bench.post(BUCKET, &body);
        assert!(
            tokio::time::timeout(Duration::from_millis(300), asked)
                .await
                .is_err()
        );
        let found = bench.get(&format!("/storage/storage/v1/b/{name}")).await;
        assert_eq!(found.status == 200, there, "{name}");
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_from_then_on() {
    let bench = met(Fault::Revoked).await;
    for _ in 0..2 {
        let refused = bench.get(SERVICES).await;
        assert_eq!(
            (refused.status, &refused.json["error"]["status"]),
            (401, &json!("UNAUTHENTICATED"))
        );
    }
}

#[tokio::test]
async fn an_endless_build_goes_on_until_faults_are_cleared() {
    let bench = Bench::start().await;
    let id = a_build(&bench, Fault::Endless).await;
    let path = format!("{BUILDS}/{id}");
    for _ in 0..3 {
        assert_eq!(bench.get(&path).await.json["status"], "WORKING");
    }
    let operation = bench
        .get(&format!("/cloudbuild/v1/operations/build/demo-project/{id}"))
        .await;
    assert_eq!(operation.json.get("done"), None, "{}", operation.text);
    bench.running.emulator.faults.clear();
    let ended = async {
        while bench.get(&path).await.json["status"] == "WORKING" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_endless_operation_is_never_done() {
    let bench = Bench::start().await;
    let create = "artifactregistry.projects.locations.repositories.create";
    bench.running.emulator.faults.add(rule(create, Fault::Endless));
    let parent = "/artifactregistry/v1/projects/demo-project/locations/europe-west4";
    let made = bench
        .post(
            &format!("{parent}/repositories?repositoryId=images"),
            &json!({"format": "DOCKER"}),
        )
        .await;
    let name = made.json["name"].as_str().unwrap();
    assert_eq!(
        bench.get(&format!("{parent}/repositories/images")).await.status,
        200,
        "it is there all the same"
    );
    let operation = bench.get(&format!("/artifactregistry/v1/{name}")).await;
    assert_eq!((operation.status, operation.json.get("done")), (200, None));
}

#[tokio::test]
async fn builds_that_are_under_way_are_cancelled_from_outside() {
    let bench = Bench::with(crate::Settings {
        project: "demo-project".to_owned(),
        pace: 50.0,
        ..crate::Settings::default()
    })
    .await;
    let made = bench.post(BUILDS, &build()).await;
    let id = made.json["metadata"]["build"]["id"].as_str().unwrap();
    bench.running.emulator.faults.add(rule(
        "cloudbuild.projects.locations.builds.get",
        Fault::CancelBuilds,
    ));
    assert_eq!(
        bench.get(&format!("{BUILDS}/{id}")).await.json["status"],
        "CANCELLED"
    );
}

#[tokio::test]
async fn what_was_made_is_found_late_and_what_was_granted_counts_late() {
    let bench = Bench::start().await;
    bench
        .running
        .emulator
        .faults
        .add(rule("storage.buckets.insert", Fault::FoundLate(2)));
    assert_eq!(
        bench.post(BUCKET, &json!({"name": "demo-late"})).await.status,
        200
    );
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(bench.get("/storage/storage/v1/b/demo-late").await.status);
    }
    assert_eq!(seen, [404, 404, 200]);
    let account =
        "/iam/v1/projects/demo-project/serviceAccounts/llm-deployer@demo-project.iam.gserviceaccount.com";
    bench.running.emulator.faults.add(rule(
        "iam.projects.serviceAccounts.setIamPolicy",
        Fault::GrantedLate(1),
    ));
    let policy = json!({"policy": {"bindings": []}});
    assert_eq!(
        bench
            .post(&format!("{account}:setIamPolicy"), &policy)
            .await
            .status,
        200
    );
    let ask = json!({"permissions": ["iam.serviceAccounts.actAs"]});
    let path = format!("{account}:testIamPermissions");
    assert_eq!(bench.post(&path, &ask).await.status, 403);
    assert_eq!(bench.post(&path, &ask).await.status, 200);
}

#[tokio::test]
async fn a_log_stops_or_is_gone_and_the_build_goes_on() {
    let (stopped, gone) = tokio::join!(
        log_before_and_after(Fault::LogStops),
        log_before_and_after(Fault::LogGone)
    );
    assert_eq!(stopped.0, stopped.1);
    assert_eq!(stopped.0.0, 200);
    assert_eq!(gone.0.0, 404);
    assert_eq!(gone.1.0, 404);
}

/// Status and text of a build's log just after the fault, and when the build is over.
async fn log_before_and_after(fault: Fault) -> ((u16, String), (u16, String)) {
    let bench = Bench::with(crate::Settings {
        project: "demo-project".to_owned(),
        pace: 1.0,
        ..crate::Settings::default()
    })
    .await;
    bench.post(BUCKET, &json!({"name": "demo-logs"})).await;
    let mut wanted = build();
    // Fetching it takes a while, and ends the build.
    wanted["source"] = json!({"storageSource": {"bucket": "demo-logs", "object": "none.tgz"}});
    wanted["logsBucket"] = json!("gs://demo-logs");
    wanted["options"] = json!({"logging": "GCS_ONLY"});
    let made = bench.post(BUILDS, &wanted).await;
    let id = made.json["metadata"]["build"]["id"].as_str().unwrap();
    let path = format!("/storage/storage/v1/b/demo-logs/o/log-{id}.txt?alt=media");
    let log = async || {
        let answer = bench.get(&path).await;
        (answer.status, answer.text)
    };
    let both = async {
        while log().await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bench.running.emulator.faults.add(rule(LIST, fault));
        bench.get(SERVICES).await;
        let before = log().await;
        while bench.get(&format!("{BUILDS}/{id}")).await.json["status"] != "FAILURE" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (before, log().await)
    };
    tokio::time::timeout(Duration::from_secs(30), both).await.unwrap()
}

#[tokio::test]
async fn what_came_in_is_remembered_once_it_is_watched() {
    let bench = Bench::start().await;
    bench.get(SERVICES).await;
    let faults = &bench.running.emulator.faults;
    assert_eq!(faults.seen(), []);
    faults.watch();
    bench.get(SERVICES).await;
    let seen = faults.seen();
    assert_eq!(
        (seen.len(), seen[0].id.as_str(), seen[0].method.as_str()),
        (1, LIST, "GET")
    );
}

#[test]
fn rules_are_read_from_yaml_and_from_json() {
    let yaml = "
- on: { id: run.projects.locations.services.get }
  skip: 2
  times: always
  fault: { answer: { status: 503, retry-after: 5 } }
- fault: reset-after
- on: { service: github, method: POST, path: /comments }
  fault: { slow: 200 }
- fault: { found-late: 3 }
- fault: { quota: zonal-gpu }
- fault: { answer-after: 500 }
";
    let rules = parse(yaml).unwrap();
    assert_eq!((rules[0].skip, rules[0].times), (2, u32::MAX));
    assert!(matches!(
        rules[0].fault,
        Fault::Answer {
            status: 503,
            retry_after: Some(5),
            body: None
        }
    ));
    assert!(matches!(
        (rules[1].times, &rules[1].fault),
        (1, Fault::ResetAfter)
    ));
    assert!(matches!(rules[2].fault, Fault::Slow(by) if by == Duration::from_millis(200)));
    assert!(matches!(rules[3].fault, Fault::FoundLate(3)));
    assert!(matches!(rules[4].fault, Fault::Quota(Quota::ZonalGpu)));
    assert!(matches!(rules[5].fault, Fault::AnswerAfter(500)));
    assert_eq!(parse(r#"[{"fault": "endless"}]"#).unwrap().len(), 1);
}

#[test]
fn a_rule_with_a_mistake_is_named() {
    for (text, word) in [
        ("- fault: hangs", "hangs"),
        (
            "- fault: hang\n- fault: hang\n  on: { servise: run }",
            "rule 2: unknown field `servise`",
        ),
        ("- { fault: hang, often: 2 }", "often"),
        ("- { fault: hang, times: never }", "rule 1"),
        ("- fault: { answer: { status: 99 } }", "99 is no status"),
        (
            "- fault: { answer: { status: 503, retry_after: 1 } }",
            "retry_after",
        ),
        ("- fault: before", "before"),
        ("fault: hang", "no list"),
    ] {
        let why = parse(text).unwrap_err();
        assert!(why.contains(word), "{text}: {why}");
    }
}
