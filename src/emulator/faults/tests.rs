//! Each kind of fault by itself, through HTTP.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::*;
use crate::emulator::testing::Bench;

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
    let bench = Bench::with(crate::emulator::Settings {
        project: "demo-project".to_owned(),
        bare: true,
        ..crate::emulator::Settings::default()
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
