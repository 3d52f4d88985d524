//! What stands behind a service's URL: instances, processes, who may call.

use std::time::Duration;

use serde_json::json;

use super::{PARENT, cloud, text};
use crate::access::Resource;
use crate::run::Limits;

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
    let friend = "friend@partner-project.iam.gserviceaccount.com";
    assert_eq!(ask(None).await, 403);
    assert_eq!(ask(Some("rubbish".into())).await, 401);
    assert_eq!(
        ask(Some(tokens.issue_id("http://127.0.0.1:1", friend, true))).await,
        401
    );
    assert_eq!(ask(Some(tokens.issue_id(url, friend, true))).await, 403);
    let deployer = "llm-deployer@demo-project.iam.gserviceaccount.com";
    let invoked = ask(Some(tokens.issue_id(url, deployer, true))).await;
    assert_eq!(invoked, 200, "roles/run.developer on the project lets it");
    let member = format!("serviceAccount:{deployer}");
    let emulator = &cloud.bench.running.emulator;
    assert!(emulator.revoke(&Resource::Project, "roles/run.developer", &member));
    assert_eq!(ask(Some(tokens.issue_id(url, deployer, true))).await, 403);
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
