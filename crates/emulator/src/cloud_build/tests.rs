//! Builds from their creation to their image, over HTTP.

mod roles;

use serde_json::{Value, json};

use super::{context::pack, methods};
use crate::{Settings, testing::Bench};

const BUILDS: &str = "/cloudbuild/v1/projects/demo-project/locations/europe-west4/builds";
const IMAGE: &str = "europe-west4-docker.pkg.dev/demo-project/llm/qwen:k1";
const DOCKERFILE: &str = r#"ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS weights
ARG MODEL
COPY download.sh /build/
RUN --mount=type=secret,id=hf_token,required=false sh /build/download.sh "${MODEL}" main
FROM ${BASE_IMAGE}
COPY --from=weights /layers/ /
"#;
const SCRIPT: &str = "set -eu\nmodel=$1\nhf download \"$model\" --revision \"$2\" --local-dir /layers\n";

async fn bench(pace: f64, files: &[(&str, &str)]) -> Bench {
    let bench = Bench::with(Settings {
        project: "demo-project".into(),
        pace,
        ..Settings::default()
    })
    .await;
    let made = bench
        .post(
            "/storage/storage/v1/b?project=demo-project",
            &json!({"name": "work-bucket"}),
        )
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert!(
        bench
            .running
            .emulator
            .storage
            .append("work-bucket", "source/c.tgz", &pack(files))
    );
    let repositories =
        "/artifactregistry/v1/projects/demo-project/locations/europe-west4/repositories?repositoryId=llm";
    bench
        .post(
            repositories,
            &json!({"format": "DOCKER", "mode": "STANDARD_REPOSITORY"}),
        )
        .await;
    bench
}

fn context() -> Vec<(&'static str, &'static str)> {
    vec![("Dockerfile", DOCKERFILE), ("download.sh", SCRIPT)]
}

fn body(model: &str) -> Value {
    json!({
        "source": {"storageSource": {"bucket": "work-bucket", "object": "source/c.tgz"}},
        "steps": [{"id": "build", "name": "docker:27-cli", "entrypoint": "docker", "secretEnv": ["HF_TOKEN"],
            "args": ["build", "--progress=plain", "--secret", "id=hf_token,env=HF_TOKEN", "--build-arg",
                "BASE_IMAGE=vllm/vllm-openai", "--build-arg", format!("MODEL={model}"), "--tag", IMAGE, "."]}],
        "availableSecrets": {"secretManager": [
            {"versionName": "projects/demo-project/secrets/hf-token/versions/latest", "env": "HF_TOKEN"}]},
        "images": [IMAGE], "timeout": "7200s", "logsBucket": "gs://work-bucket/logs", "tags": ["key-1"],
        "serviceAccount": "projects/demo-project/serviceAccounts/llm-builder@demo-project.iam.gserviceaccount.com",
        "options": {"logging": "GCS_ONLY", "diskSizeGb": "200"}
    })
}

async fn create(bench: &Bench, body: &Value) -> String {
    let started = bench.post(BUILDS, body).await;
    assert_eq!(started.status, 200, "{}", started.text);
    started.json["metadata"]["build"]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The build when it is over, with its log.
async fn finished(bench: &Bench, id: &str) -> (Value, String) {
    let wait = async {
        loop {
            let build = bench.get(&format!("{BUILDS}/{id}")).await.json;
            if methods::is_final(&build) {
                return build;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    let build = tokio::time::timeout(std::time::Duration::from_secs(20), wait)
        .await
        .unwrap();
    let log = bench
        .running
        .emulator
        .storage
        .get("work-bucket", &format!("logs/log-{id}.txt"));
    (
        build,
        log.map(|l| String::from_utf8(l.to_vec()).unwrap())
            .unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_build_pushes_an_image_whose_digest_follows_from_its_inputs() {
    let bench = bench(0.0, &context()).await;
    let (build, log) = finished(&bench, &create(&bench, &body("Qwen/Qwen3-0.6B")).await).await;
    assert_eq!(build["status"], "SUCCESS", "{build}\n{log}");
    let digest = build["results"]["images"][0]["digest"].as_str().unwrap();
    assert!(bench.running.emulator.registry.has(
        "demo-project",
        &format!("{}@{digest}", IMAGE.trim_end_matches(":k1"))
    ));
    assert_eq!(build["steps"][0]["status"], "SUCCESS");
    for timing in ["FETCHSOURCE", "BUILD", "PUSH"] {
        assert!(build["timing"][timing]["endTime"].is_string(), "{timing}");
    }
    for line in [
        "starting build",
        "FETCHSOURCE",
        "#1 [internal] load build definition from Dockerfile",
        "PUSH",
        "DONE",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    let secret = bench
        .running
        .emulator
        .secrets
        .value("hf-token", "latest")
        .unwrap();
    assert!(
        !log.contains(&String::from_utf8(secret).unwrap()),
        "a secret is in the log"
    );
    let (again, _) = finished(&bench, &create(&bench, &body("Qwen/Qwen3-0.6B")).await).await;
    let (other, _) = finished(&bench, &create(&bench, &body("Qwen/Qwen3-8B")).await).await;
    assert_eq!(again["results"]["images"][0]["digest"], digest);
    assert_ne!(other["results"]["images"][0]["digest"], digest);
}

#[tokio::test]
async fn builds_fail_for_the_reasons_of_their_inputs() {
    let bench = bench(0.0, &context()).await;
    bench.running.emulator.storage.append(
        "work-bucket",
        "source/bare.tgz",
        &pack(&[("Dockerfile", DOCKERFILE)]),
    );
    let good = || body("Qwen/Qwen3-8B");
    let with = |pointer: &str, value: Value| {
        let mut body = good();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let mut anonymous = body("meta-llama/Llama-3.1-8B-Instruct");
    anonymous["steps"][0]["args"] = json!([
        "build",
        "--build-arg",
        "BASE_IMAGE=b",
        "--build-arg",
        "MODEL=meta-llama/Llama-3.1-8B-Instruct",
        "--tag",
        IMAGE,
        "."
    ]);
    let elsewhere = IMAGE.replace("demo-project", "somebody-else");
    let mut foreign = good();
    foreign["images"] = json!([elsewhere]);
    foreign["steps"][0]["args"] = json!([
        "build",
        "--tag",
        elsewhere,
        "--secret",
        "id=hf_token,env=HF_TOKEN",
        "--build-arg",
        "BASE_IMAGE=b",
        "--build-arg",
        "MODEL=Qwen/Qwen3-8B",
        "."
    ]);
    let cases = [
        (
            with("/source/storageSource/object", json!("source/none.tgz")),
            "FAILURE",
            "FETCH_SOURCE_FAILED",
            "does not exist",
        ),
        (
            with("/source/storageSource/object", json!("source/bare.tgz")),
            "FAILURE",
            "USER_BUILD_STEP",
            "\"/download.sh\": not found",
        ),
        (
            with("/options/diskSizeGb", json!("40")),
            "FAILURE",
            "USER_BUILD_STEP",
            "no space left on device",
        ),
        (
            with("/timeout", json!("120s")),
            "TIMEOUT",
            "",
            "timed out after 120s",
        ),
        (
            body("no-such/model"),
            "FAILURE",
            "USER_BUILD_STEP",
            "Repository Not Found for url",
        ),
        (
            anonymous,
            "FAILURE",
            "USER_BUILD_STEP",
            "Cannot access gated repo",
        ),
        (
            with(
                "/images/0",
                json!("europe-west4-docker.pkg.dev/demo-project/llm/other:1"),
            ),
            "FAILURE",
            "PUSH_IMAGE_NOT_FOUND",
            "failed to find one or more images",
        ),
        (
            with(
                "/availableSecrets/secretManager/0/versionName",
                json!("projects/demo-project/secrets/none/versions/1"),
            ),
            "FAILURE",
            "",
            "failed to access secret version",
        ),
        (
            with(
                "/availableSecrets/secretManager/0/versionName",
                json!("projects/somebody-else/secrets/hf-token/versions/latest"),
            ),
            "FAILURE",
            "",
            "code = PermissionDenied",
        ),
        (
            with(
                "/source/storageSource",
                json!({"bucket": "work-bucket", "object": "source/c.tgz", "generation": "7"}),
            ),
            "FAILURE",
            "FETCH_SOURCE_FAILED",
            "does not exist",
        ),
        (foreign, "FAILURE", "PUSH_FAILED", "denied: requested access"),
    ];
    for (body, status, kind, expected) in cases {
        let (build, log) = finished(&bench, &create(&bench, &body).await).await;
        assert_eq!(build["status"], status, "{expected}: {log}");
        assert_eq!(
            build["failureInfo"]["type"].as_str().unwrap_or_default(),
            kind,
            "{expected}"
        );
        assert!(log.contains(expected), "{expected}: {log}");
        assert!(build["statusDetail"].is_string());
    }
}

#[tokio::test]
async fn an_active_build_is_found_by_its_tag_and_can_be_cancelled() {
    let bench = bench(1000.0, &context()).await;
    let id = create(&bench, &body("Qwen/Qwen3-0.6B")).await;
    let filter = "filter=tags%3D%22key-1%22%20AND%20status%3D%22QUEUED%22";
    let listed = bench.get(&format!("{BUILDS}?{filter}")).await.json;
    assert_eq!(listed["builds"][0]["id"], json!(id));
    let cancelled = bench.post(&format!("{BUILDS}/{id}:cancel"), &json!({})).await;
    assert_eq!(cancelled.json["status"], "CANCELLED", "{}", cancelled.text);
    let again = bench.post(&format!("{BUILDS}/{id}:cancel"), &json!({})).await;
    assert_eq!(
        (again.status, &again.json["error"]["status"]),
        (400, &json!("FAILED_PRECONDITION"))
    );
    assert_eq!(bench.get(&format!("{BUILDS}?{filter}")).await.json, json!({}));
    assert_eq!(
        bench.get(&format!("{BUILDS}?filter=colour%3D1")).await.status,
        400
    );
    let operation = format!("/cloudbuild/v1/projects/demo-project/locations/europe-west4/operations/{id}");
    assert_eq!(bench.get(&operation).await.json["error"]["code"], 1);
}

#[tokio::test]
async fn a_region_without_quota_refuses_builds_and_global_takes_them() {
    let bench = bench(0.0, &context()).await;
    bench.running.emulator.builds.restrict("europe-west4");
    let refused = bench.post(BUILDS, &body("Qwen/Qwen3-0.6B")).await;
    assert_eq!(
        (refused.status, &refused.json["error"]["status"]),
        (400, &json!("FAILED_PRECONDITION"))
    );
    let global = "/cloudbuild/v1/projects/demo-project/builds";
    let started = bench.post(global, &body("Qwen/Qwen3-0.6B")).await;
    assert_eq!(started.status, 200, "{}", started.text);
    let id = started.json["metadata"]["build"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(bench.get(&format!("{global}/{id}")).await.json["id"], json!(id));
    assert_eq!(bench.get(&format!("{BUILDS}/{id}")).await.status, 404);
}
