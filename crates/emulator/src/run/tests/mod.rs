//! Services over HTTP: an emulator with an image to deploy.

mod instances;
mod lifecycle;

use serde_json::{Value, json};

use crate::{
    Settings,
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
