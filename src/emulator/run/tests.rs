//! Services from creation to deletion, over HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use crate::emulator::{
    Settings,
    run::Limits,
    testing::{Answer, Bench},
};

const PARENT: &str = "/run/v2/projects/demo-project/locations/europe-west4";
const IMAGE: &str = "europe-west4-docker.pkg.dev/demo-project/llm/qwen";
const REVISION: &str = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION";

/// An emulator with an image to deploy, and a client for the services' own URLs.
struct Cloud {
    bench: Bench,
    http: reqwest::Client,
    image: String,
}

async fn cloud(serve: Option<&str>) -> Cloud {
    let bench = Bench::with(Settings {
        project: "demo-project".into(),
        serve: serve.map(str::to_owned),
        ..Settings::default()
    })
    .await;
    let repositories =
        "/artifactregistry/v1/projects/demo-project/locations/europe-west4/repositories?repositoryId=llm";
    let made = bench
        .post(
            repositories,
            &json!({"format": "DOCKER", "mode": "STANDARD_REPOSITORY"}),
        )
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    let digest = format!("sha256:{}", "a".repeat(64));
    bench
        .running
        .emulator
        .registry
        .push("europe-west4", "llm", "qwen", "t", &digest, 1)
        .unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    Cloud {
        bench,
        http,
        image: format!("{IMAGE}@{digest}"),
    }
}

impl Cloud {
    /// A service with one L4, whose probe gives up quickly.
    fn service(&self) -> Value {
        json!({
            "labels": {"managed-by": "test"}, "invokerIamDisabled": true,
            "template": {
                "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2", "gpuZonalRedundancyDisabled": true,
                "nodeSelector": {"accelerator": "nvidia-l4"}, "scaling": {"maxInstanceCount": 1},
                "containers": [{
                    "name": "vllm", "image": self.image, "args": ["--served-model-name=qwen"],
                    "ports": [{"name": "http1", "containerPort": 8080}],
                    "resources": {"limits": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}},
                    "startupProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1,
                        "timeoutSeconds": 1, "failureThreshold": 20}
                }]
            }
        })
    }

    /// Waits for the operation that an answer started.
    async fn done(&self, started: &Answer) -> Value {
        assert_eq!(started.status, 200, "{}", started.text);
        let name = started.json["name"].as_str().unwrap();
        let wait = self
            .bench
            .post(&format!("/run/v2/{name}:wait"), &json!({"timeout": "30s"}))
            .await;
        assert_eq!(wait.json["done"], true, "{}", wait.text);
        wait.json
    }

    async fn create(&self, id: &str, body: &Value) -> Value {
        self.done(
            &self
                .bench
                .post(&format!("{PARENT}/services?serviceId={id}"), body)
                .await,
        )
        .await
    }

    async fn patch(&self, id: &str, mask: &str, body: &Value) -> Answer {
        self.bench
            .send(
                "PATCH",
                &format!("{PARENT}/services/{id}?updateMask={mask}"),
                Some(body),
            )
            .await
    }

    async fn get(&self, id: &str) -> Value {
        self.bench.get(&format!("{PARENT}/services/{id}")).await.json
    }

    async fn status(&self, url: &str) -> u16 {
        self.http.get(url).send().await.unwrap().status().as_u16()
    }

    async fn log(&self, text: &str) -> bool {
        let filter = format!("resource.type=\"cloud_run_revision\" AND textPayload:\"{text}\"");
        let body = json!({"resourceNames": ["projects/demo-project"], "filter": filter});
        let found = self.bench.post("/logging/v2/entries:list", &body).await;
        found.json["entries"].as_array().is_some_and(|e| !e.is_empty())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

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
async fn a_private_service_wants_an_invokers_token_for_its_own_url() {
    let cloud = cloud(None).await;
    let mut body = cloud.service();
    body["invokerIamDisabled"] = json!(false);
    let service = cloud.create("qwen", &body).await["response"].clone();
    let url = text(&service["uri"]);
    let tokens = &cloud.bench.running.emulator.tokens;
    let ask = async |token: Option<String>| {
        let mut request = cloud.http.get(format!("{url}/health"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let friend = "friend@demo-project.iam.gserviceaccount.com";
    assert_eq!(ask(None).await, 403);
    assert_eq!(ask(Some("rubbish".into())).await, 401);
    assert_eq!(
        ask(Some(tokens.issue_id("http://127.0.0.1:1", friend, true))).await,
        401
    );
    assert_eq!(ask(Some(tokens.issue_id(url, friend, true))).await, 403);
    let deployer = super::deployer("demo-project");
    assert_eq!(ask(Some(tokens.issue_id(url, &deployer, true))).await, 200);
    let policy = json!({"policy": {"bindings": [{"role": "roles/run.invoker",
        "members": [format!("serviceAccount:{friend}")]}]}});
    let set = cloud
        .bench
        .post(&format!("{PARENT}/services/qwen:setIamPolicy"), &policy)
        .await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(ask(Some(tokens.issue_id(url, friend, true))).await, 200);
    let read = cloud
        .bench
        .get(&format!("{PARENT}/services/qwen:getIamPolicy"))
        .await;
    assert_eq!(read.json, set.json);
    let everyone = json!({"policy": {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}});
    cloud
        .bench
        .post(&format!("{PARENT}/services/qwen:setIamPolicy"), &everyone)
        .await;
    assert_eq!(ask(None).await, 200);
}

#[tokio::test]
async fn a_service_at_zero_instances_starts_on_the_next_request() {
    let cloud = cloud(None).await;
    let service = cloud.create("qwen", &cloud.service()).await["response"].clone();
    cloud.bench.running.emulator.run.scale_to_zero("qwen");
    assert_eq!(
        cloud.status(&format!("{}/health", text(&service["uri"]))).await,
        200
    );
    assert!(cloud.log("Starting new instance. Reason: AUTOSCALING").await);
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

#[tokio::test]
async fn a_gpu_beyond_the_regional_quota_is_taken_from_an_idle_revision_or_refused() {
    let cloud = cloud(None).await;
    let emulator = &cloud.bench.running.emulator;
    emulator.run.set_limits(Limits {
        gpus: 1,
        ..Limits::default()
    });
    let mut busy = cloud.service();
    busy["template"]["scaling"]["minInstanceCount"] = json!(1);
    cloud.create("busy", &busy).await;
    let ended = cloud.create("other", &cloud.service()).await;
    let message = text(&ended["error"]["message"]);
    assert!(
        message.ends_with("Quota exceeded for total allowable count of GPUs per project per region."),
        "{ended}"
    );
    // An idle one without a minimum makes room.
    cloud
        .done(
            &cloud
                .bench
                .send("DELETE", &format!("{PARENT}/services/busy"), None)
                .await,
        )
        .await;
    cloud.create("idle", &cloud.service()).await;
    let ended = cloud.create("third", &cloud.service()).await;
    assert_eq!(
        ended["response"]["terminalCondition"]["state"], "CONDITION_SUCCEEDED",
        "{ended}"
    );
}

/// A small HTTP server for `sh -c`, which answers 200 to everything.
const SERVER: &str = r#"python3 -c '
import http.server, os, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = " ".join(sys.argv[1:] + [os.environ["K_SERVICE"], os.environ["SECRET"]]).encode()
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers()
        self.wfile.write(body)
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()
'"#;

#[tokio::test]
async fn a_serve_command_runs_as_the_container_and_ends_with_the_service() {
    let cloud = cloud(Some(SERVER)).await;
    let mut body = cloud.service();
    body["template"]["containers"][0]["args"] = json!(["--port=8080", "two words"]);
    body["template"]["containers"][0]["env"] = json!([{"name": "SECRET", "valueSource": {"secretKeyRef": {"secret": "hf-token", "version": "latest"}}}]);
    let ended = cloud.create("qwen", &body).await;
    let url = text(&ended["response"]["uri"]);
    assert!(!url.is_empty(), "{ended}");
    let answer = cloud.http.get(url).send().await.unwrap().text().await.unwrap();
    let secret = cloud
        .bench
        .running
        .emulator
        .secrets
        .value("hf-token", "latest")
        .unwrap();
    let end = format!("two words qwen {}", String::from_utf8(secret).unwrap());
    assert!(
        answer.starts_with("--port=") && answer.ends_with(&end),
        "{answer}"
    );
    assert!(!answer.contains("8080"), "the port is the instance's own");
    assert!(cloud.log("listening").await);
    let port: u16 = answer["--port=".len()..]
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    cloud
        .done(
            &cloud
                .bench
                .send("DELETE", &format!("{PARENT}/services/qwen"), None)
                .await,
        )
        .await;
    tokio::time::timeout(Duration::from_secs(10), async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the process ends");
}

#[tokio::test]
async fn a_serve_command_that_exits_fails_the_revision_at_once() {
    let cloud = cloud(Some("echo no driver >&2; exit 3;")).await;
    let started = std::time::Instant::now();
    let ended = cloud.create("qwen", &cloud.service()).await;
    assert!(
        text(&ended["error"]["message"]).contains("failed to start and listen on the port"),
        "{ended}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "not the whole window of the probe"
    );
    assert!(cloud.log("Container called exit(3).").await);
    assert!(cloud.log("no driver").await);
    assert_eq!(
        cloud.get("qwen").await["terminalCondition"]["state"],
        "CONDITION_FAILED"
    );
}

#[tokio::test]
async fn tokens_leave_the_front_end_as_they_come() {
    use futures::StreamExt;
    let cloud = cloud(None).await;
    let service = cloud.create("qwen", &cloud.service()).await["response"].clone();
    let body = json!({"model": "qwen", "stream": true, "max_tokens": 24, "ignore_eos": true,
        "messages": [{"role": "user", "content": "Count to a hundred."}]});
    let url = format!("{}/v1/chat/completions", text(&service["uri"]));
    let answer = cloud
        .http
        .post(url)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    let mut chunks = answer.bytes_stream();
    let mut times = Vec::new();
    while let Some(chunk) = chunks.next().await {
        assert!(!chunk.unwrap().is_empty());
        times.push(std::time::Instant::now());
    }
    let spread = times[times.len() - 1].duration_since(times[0]);
    assert!(times.len() > 8, "{} chunks", times.len());
    // 23 gaps of 8 ms at the built-in endpoint's speed; half of it allows for a busy machine's timers.
    assert!(spread > Duration::from_millis(90), "{spread:?}");
}
