//! Services from creation to deletion.

use std::time::Duration;

use serde_json::{Value, json};

use super::{IMAGE, PARENT, REVISION, cloud, text};

#[tokio::test]
async fn a_created_service_becomes_ready_and_answers() {
    let cloud = cloud(None).await;
    let ended = cloud.create("qwen", &cloud.service()).await;
    let service = &ended["response"];
    assert_eq!(
        service["terminalCondition"]["state"], "CONDITION_SUCCEEDED",
        "{ended}"
    );
    assert_eq!(
        (&service["generation"], &service["observedGeneration"]),
        (&json!("1"), &json!("1"))
    );
    assert_eq!(service["latestReadyRevision"], service["latestCreatedRevision"]);
    assert!(service.get("reconciling").is_none());
    assert_eq!(service["trafficStatuses"][0]["percent"], 100);
    let revision = text(&service["latestReadyRevision"])
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    assert!(revision.starts_with("qwen-00001-"), "{revision}");
    let url = text(&service["uri"]);
    assert_eq!(cloud.status(&format!("{url}/health")).await, 200);
    let models: Value = cloud
        .http
        .get(format!("{url}/v1/models"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(models["data"][0]["id"], "qwen");
    let shown = cloud
        .bench
        .get(&format!("{PARENT}/services/qwen/revisions/{revision}"))
        .await
        .json;
    let ready = shown["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "Ready")
        .unwrap();
    assert!(
        text(&ready["message"]).starts_with("Deploying revision succeeded in "),
        "{shown}"
    );
    assert!(cloud.log("STARTUP HTTP probe succeeded after 1 attempt").await);
}

#[tokio::test]
async fn a_candidate_gets_a_tag_and_no_traffic_until_it_is_moved() {
    let cloud = cloud(None).await;
    let mut body = cloud.service();
    body["template"]["revision"] = json!("qwen-one");
    let first = cloud.create("qwen", &body).await["response"].clone();
    body["template"]["revision"] = json!("qwen-two");
    body["template"]["containers"][0]["args"] = json!(["--served-model-name=second"]);
    body["etag"] = first["etag"].clone();
    body["traffic"] = json!([{"type": REVISION, "revision": "qwen-one", "percent": 100},
        {"type": REVISION, "revision": "qwen-two", "tag": "cand"}]);
    let second = cloud
        .done(&cloud.patch("qwen", "template,traffic", &body).await)
        .await["response"]
        .clone();
    assert_eq!(second["uri"], first["uri"]);
    assert_eq!(second["generation"], "2");
    let tag = text(&second["trafficStatuses"][1]["uri"]).to_owned();
    let served = async |url: &str| {
        let url = format!("{url}/v1/models");
        let models: Value = cloud.http.get(url).send().await.unwrap().json().await.unwrap();
        text(&models["data"][0]["id"]).to_owned()
    };
    assert_eq!(served(text(&first["uri"])).await, "qwen");
    assert_eq!(served(&tag).await, "second");

    // An etag of before is refused; then the traffic moves, and no revision is made.
    let stale = json!({"etag": first["etag"], "traffic": body["traffic"]});
    let refused = cloud.patch("qwen", "traffic", &stale).await;
    assert_eq!(
        (refused.status, &refused.json["error"]["status"]),
        (409, &json!("ABORTED"))
    );
    let all = json!({"traffic": [{"type": REVISION, "revision": "qwen-two", "percent": 100}]});
    let moved = cloud.done(&cloud.patch("qwen", "traffic", &all).await).await["response"].clone();
    assert_eq!(served(text(&first["uri"])).await, "second");
    assert_eq!(moved["latestCreatedRevision"], second["latestCreatedRevision"]);
    assert!(
        cloud.http.get(format!("{tag}/health")).send().await.is_err(),
        "the tag's port is closed"
    );
    let old = cloud
        .bench
        .get(&format!("{PARENT}/services/qwen/revisions/qwen-one"))
        .await
        .json;
    let active = old["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "Active")
        .unwrap();
    assert_eq!(active["revisionReason"], "RETIRED");
}

#[tokio::test]
async fn an_unchanged_template_makes_no_revision_and_a_taken_name_is_refused() {
    let cloud = cloud(None).await;
    let mut body = cloud.service();
    body["template"]["revision"] = json!("qwen-one");
    let first = cloud.create("qwen", &body).await["response"].clone();
    let same = cloud.done(&cloud.patch("qwen", "template", &body).await).await["response"].clone();
    assert_eq!(same["generation"], first["generation"]);
    body["labels"] = json!({"pr": "7"});
    let labelled = cloud.done(&cloud.patch("qwen", "labels", &body).await).await["response"].clone();
    assert_eq!(
        (text(&labelled["generation"]), &labelled["labels"]["pr"]),
        ("2", &json!("7"))
    );
    assert_eq!(labelled["latestCreatedRevision"], first["latestCreatedRevision"]);
    body["template"]["timeout"] = json!("60s");
    let refused = cloud.patch("qwen", "template", &body).await;
    assert_eq!(refused.status, 409);
    assert!(
        refused
            .text
            .contains("Revision named 'qwen-one' with different configuration already exists.")
    );
    assert_eq!(cloud.get("qwen").await["template"]["timeout"], "300s");
}

#[tokio::test]
async fn requests_that_break_a_rule_are_refused_and_change_nothing() {
    let cloud = cloud(None).await;
    let good = cloud.service();
    let with = |pointer: &str, key: &str, value: Value| {
        let mut body = good.clone();
        body.pointer_mut(pointer).unwrap()[key] = value;
        body
    };
    let cases = [
        ("", good.clone(), 400, "service_id is required"),
        ("Bad", good.clone(), 400, "lowercase"),
        (
            "a",
            with("/template", "revision", json!("b-1")),
            400,
            "must be prefixed",
        ),
        (
            "a",
            with("/template/scaling", "maxInstanceCount", json!(4)),
            400,
            "Quota violated",
        ),
        (
            "a",
            with(
                "/template",
                "serviceAccount",
                json!("x@y.iam.gserviceaccount.com"),
            ),
            403,
            "iam.serviceaccounts.actAs",
        ),
        (
            "a",
            with(
                "",
                "traffic",
                json!([{"type": REVISION, "revision": "a-9", "percent": 100}]),
            ),
            400,
            "does not exist or is deleted",
        ),
    ];
    for (id, body, status, expected) in cases {
        let answer = cloud
            .bench
            .post(&format!("{PARENT}/services?serviceId={id}"), &body)
            .await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(expected), "{}", answer.text);
    }
    let dry = cloud
        .bench
        .post(&format!("{PARENT}/services?serviceId=a&validateOnly=true"), &good)
        .await;
    assert_eq!(
        dry.json["response"]["template"]["maxInstanceRequestConcurrency"], 80,
        "{}",
        dry.text
    );
    assert_eq!(
        cloud.bench.get(&format!("{PARENT}/services")).await.json,
        json!({})
    );
    assert_eq!(cloud.bench.get(&format!("{PARENT}/services/a")).await.status, 404);
    assert_eq!(cloud.patch("a", "template", &good).await.status, 404);
}

#[tokio::test]
async fn a_failing_revision_leaves_the_traffic_where_it_was() {
    let cloud = cloud(None).await;
    let mut body = cloud.service();
    let first = cloud.create("qwen", &body).await["response"].clone();
    let cases = [
        (
            "image",
            json!(format!("{IMAGE}@sha256:{}", "b".repeat(64))),
            5,
            "not found",
        ),
        (
            "args",
            json!(["--no-such-flag"]),
            9,
            "failed to start and listen on the port defined provided by the PORT=8080",
        ),
        (
            "env",
            json!([{"name": "K", "valueSource": {"secretKeyRef": {"secret": "none", "version": "latest"}}}]),
            9,
            "Permission denied on secret",
        ),
    ];
    for (key, value, code, expected) in cases {
        let container = body["template"]["containers"][0].clone();
        body["template"]["containers"][0][key] = value;
        let ended = cloud.done(&cloud.patch("qwen", "template", &body).await).await;
        assert_eq!(ended["error"]["code"], code, "{ended}");
        let message = text(&ended["error"]["message"]);
        assert!(
            message.contains("is not ready and cannot serve traffic") && message.contains(expected),
            "{message}"
        );
        body["template"]["containers"][0] = container;
    }
    let after = cloud.get("qwen").await;
    assert_eq!(after["terminalCondition"]["state"], "CONDITION_FAILED");
    assert_eq!(
        (text(&after["generation"]), text(&after["observedGeneration"])),
        ("4", "1")
    );
    assert_eq!(after["latestReadyRevision"], first["latestReadyRevision"]);
    assert_eq!(after["trafficStatuses"], first["trafficStatuses"]);
    assert_eq!(
        cloud.status(&format!("{}/health", text(&after["uri"]))).await,
        200
    );
}

#[tokio::test]
async fn a_deleted_service_answers_nobody() {
    let cloud = cloud(None).await;
    let service = cloud.create("qwen", &cloud.service()).await["response"].clone();
    let path = format!("{PARENT}/services/qwen");
    let stale = cloud
        .bench
        .send("DELETE", &format!("{path}?etag=old"), None)
        .await;
    assert_eq!(stale.status, 409);
    let ended = cloud.done(&cloud.bench.send("DELETE", &path, None).await).await;
    assert!(ended["response"].get("deleteTime").is_some(), "{ended}");
    assert_eq!(cloud.bench.get(&path).await.status, 404);
    assert_eq!(cloud.bench.send("DELETE", &path, None).await.status, 404);
    let fresh = reqwest::Client::builder().no_proxy().build().unwrap();
    tokio::time::timeout(Duration::from_secs(5), async {
        while fresh
            .get(format!("{}/health", text(&service["uri"])))
            .send()
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the listener closes");
}
