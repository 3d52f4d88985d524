//! What holds across services: credentials, the project, the record, the files.

use serde_json::{Value, json};

use super::{PROJECT_NUMBER, Settings, iam::Iam, serve_files, testing::Bench};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

fn audience() -> String {
    format!("//iam.googleapis.com/{}", Iam::provider_name())
}

async fn oidc(bench: &mut Bench, audience: &str) -> String {
    bench.token = Some(bench.running.emulator.tokens.oidc_request().to_owned());
    let encoded: String = url::form_urlencoded::byte_serialize(audience.as_bytes()).collect();
    let answer = bench
        .get(&format!("/oidc?api-version=2.0&audience={encoded}"))
        .await;
    answer.json["value"].as_str().unwrap().to_owned()
}

fn exchange(subject: &str) -> Value {
    json!({
        "audience": audience(), "grantType": TOKEN_EXCHANGE, "subjectToken": subject,
        "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
    })
}

fn account(name: &str, verb: &str) -> String {
    format!(
        "/iamcredentials/v1/projects/-/serviceAccounts/{name}@demo-project.iam.gserviceaccount.com:{verb}"
    )
}

async fn federate(bench: &mut Bench) -> String {
    let subject = oidc(bench, &format!("https:{}", audience())).await;
    bench.token = None;
    let answer = bench.post("/sts/v1/token", &exchange(&subject)).await;
    answer.json["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_job_becomes_the_deployer_and_gets_an_id_token() {
    let mut bench = Bench::start().await;
    bench.token = Some(federate(&mut bench).await);
    let scope = json!({"scope": ["https://www.googleapis.com/auth/cloud-platform"], "lifetime": "600s"});
    let access = bench
        .post(&account("llm-deployer", "generateAccessToken"), &scope)
        .await;
    assert_eq!(access.status, 200, "{}", access.text);
    let token = access.json["accessToken"].as_str().unwrap().to_owned();
    bench.token = Some(token);
    let id = json!({"audience": "http://127.0.0.1:9", "includeEmail": true});
    let answer = bench.post(&account("llm-deployer", "generateIdToken"), &id).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let claims = bench
        .running
        .emulator
        .tokens
        .id_token(answer.json["token"].as_str().unwrap())
        .unwrap();
    assert_eq!(claims.audience, "http://127.0.0.1:9");
    assert_eq!(claims.email, "llm-deployer@demo-project.iam.gserviceaccount.com");
}

#[tokio::test]
async fn the_exchange_takes_a_form_too() {
    let mut bench = Bench::start().await;
    let subject = oidc(&mut bench, &audience()).await;
    bench.token = None;
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("audience", &audience())
        .append_pair("grant_type", TOKEN_EXCHANGE)
        .append_pair("subject_token", &subject)
        .append_pair("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")
        .append_pair(
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        )
        .append_pair("scope", "https://www.googleapis.com/auth/cloud-platform")
        .finish();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = bench
        .raw("POST", "/sts/v1/token", &headers, Some(form.into()))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_wrong_link_in_the_token_chain_is_refused() {
    let mut bench = Bench::start().await;
    let elsewhere = oidc(&mut bench, "https://example.com").await;
    bench.token = None;
    for (change, error) in [
        (json!({ "subjectToken": elsewhere }), "invalid_grant"),
        (json!({"subjectToken": "made.up.token"}), "invalid_grant"),
        (
            json!({ "audience": audience().replace("providers/github", "providers/none") }),
            "invalid_target",
        ),
        (json!({ "grantType": "password" }), "unsupported_grant_type"),
        (json!({ "scope": "" }), "invalid_request"),
    ] {
        let subject = bench
            .running
            .emulator
            .tokens
            .issue_oidc(&format!("https:{}", audience()));
        let mut request = exchange(&subject);
        for (key, value) in change.as_object().unwrap() {
            request[key] = value.clone();
        }
        let answer = bench.post("/sts/v1/token", &request).await;
        assert_eq!(
            (answer.status, &answer.json["error"]),
            (400, &json!(error)),
            "{change}"
        );
    }
    bench.token = Some("wrong".into());
    assert_eq!(bench.get("/oidc?api-version=2.0&audience=a").await.status, 401);
}

#[tokio::test]
async fn service_accounts_are_guarded() {
    let mut bench = Bench::start().await;
    bench.token = Some(federate(&mut bench).await);
    let scope = json!({"scope": ["x"]});
    let id = json!({"audience": "https://service.example/path"});
    let long = json!({"scope": ["x"], "lifetime": "7200s"});
    for (name, verb, body, status) in [
        ("llm-builder", "generateAccessToken", &scope, 403),
        ("nobody-here", "generateAccessToken", &scope, 404),
        ("llm-deployer", "generateAccessToken", &json!({}), 400),
        ("llm-deployer", "generateAccessToken", &long, 400),
        ("llm-builder", "generateIdToken", &id, 403),
        ("llm-deployer", "generateIdToken", &id, 200),
        ("llm-deployer", "generateIdToken", &json!({}), 400),
    ] {
        let answer = bench.post(&account(name, verb), body).await;
        assert_eq!(answer.status, status, "{name} {verb} {body}: {}", answer.text);
    }
}

#[tokio::test]
async fn nothing_is_answered_without_a_live_token() {
    let mut bench = Bench::start().await;
    bench.token = None;
    let project = "/cloudresourcemanager/v3/projects/demo-project";
    let list = json!({"resourceNames": ["projects/demo-project"]});
    let secret = "/secretmanager/v1/projects/demo-project/secrets/hf-token/versions/latest";
    let accounts = "/iam/v1/projects/demo-project/serviceAccounts";
    for answer in [
        bench.get(project).await,
        bench.post("/logging/v2/entries:list", &list).await,
        bench.get(secret).await,
        bench.get(&format!("{secret}:access")).await,
        bench.post(accounts, &json!({"accountId": "someone"})).await,
    ] {
        assert_eq!(answer.status, 401, "{}", answer.text);
        assert_eq!(answer.json["error"]["status"], "UNAUTHENTICATED");
    }
    let token = bench.running.emulator.tokens.ready().to_owned();
    bench.running.emulator.tokens.expire(&token);
    bench.token = Some(token);
    let expired = bench.get(project).await;
    assert_eq!(expired.status, 401);
    assert!(
        expired
            .text
            .contains("Request had invalid authentication credentials.")
    );
}

#[tokio::test]
async fn another_project_and_a_disabled_api_are_403() {
    let bench = Bench::start().await;
    for path in [
        "/secretmanager/v1/projects/other/secrets/hf-token",
        "/cloudresourcemanager/v1/projects/other",
        "/artifactregistry/v1/projects/other/locations",
    ] {
        let answer = bench.get(path).await;
        assert_eq!(
            (answer.status, &answer.json["error"]["status"]),
            (403, &json!("PERMISSION_DENIED")),
            "{path}"
        );
    }
    let secret = format!("/secretmanager/v1/projects/{PROJECT_NUMBER}/secrets/hf-token");
    assert_eq!(bench.get(&secret).await.status, 200, "the number names it, too");
    bench
        .running
        .emulator
        .services
        .disable("secretmanager.googleapis.com");
    let disabled = bench.get(&secret).await.json;
    assert_eq!(disabled["error"]["details"][0]["reason"], "SERVICE_DISABLED");
    let enable = "/serviceusage/v1/projects/demo-project/services:batchEnable";
    let ids = json!({"serviceIds": ["secretmanager.googleapis.com"]});
    assert_eq!(bench.post(enable, &ids).await.json["done"], true);
    assert_eq!(bench.get(&secret).await.status, 200);
}

#[tokio::test]
async fn a_secret_is_stored_versioned_and_read_back() {
    let bench = Bench::start().await;
    let root = "/secretmanager/v1/projects/demo-project/secrets";
    let automatic = json!({"replication": {"automatic": {}}});
    assert_eq!(
        bench
            .post(&format!("{root}?secretId=key"), &automatic)
            .await
            .status,
        200
    );
    let empty = bench.get(&format!("{root}/key/versions/latest")).await;
    assert_eq!(empty.status, 404);
    let payload = json!({"payload": {"data": "czNjcmV0"}});
    let added = bench.post(&format!("{root}/key:addVersion"), &payload).await;
    assert!(added.json["name"].as_str().unwrap().ends_with("/versions/1"));
    let read = bench.get(&format!("{root}/key/versions/latest:access")).await;
    assert_eq!(read.json["payload"]["data"], "czNjcmV0");
    assert_eq!(
        bench.running.emulator.secrets.value("key", "1").as_deref(),
        Some(&b"s3cret"[..])
    );
    bench.running.emulator.secrets.disable("key");
    let disabled = bench.get(&format!("{root}/key/versions/1:access")).await;
    assert_eq!(disabled.json["error"]["status"], "FAILED_PRECONDITION");
}

#[tokio::test]
async fn log_entries_are_found_in_order_and_by_page() {
    let bench = Bench::start().await;
    for second in [2, 0, 1] {
        bench.running.emulator.logs.write(json!({
            "logName": "projects/demo-project/logs/x", "textPayload": format!("line {second}"),
            "timestamp": format!("2026-11-24T10:00:0{second}Z"), "resource": {"type": "global"},
        }));
    }
    let mut request = json!({
        "resourceNames": ["projects/demo-project"], "filter": "resource.type=\"global\"",
        "orderBy": "timestamp desc", "pageSize": 2,
    });
    let first = bench.post("/logging/v2/entries:list", &request).await.json;
    request["pageToken"] = first["nextPageToken"].clone();
    let second = bench.post("/logging/v2/entries:list", &request).await.json;
    let pages = [first, second];
    let entries = pages.iter().flat_map(|p| p["entries"].as_array().unwrap());
    let lines: Vec<&str> = entries.map(|e| e["textPayload"].as_str().unwrap()).collect();
    assert_eq!(lines, ["line 2", "line 1", "line 0"]);
    request["filter"] = "a=1 OR b=2".into();
    assert_eq!(bench.post("/logging/v2/entries:list", &request).await.status, 400);
}

#[tokio::test]
async fn every_request_is_recorded_without_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("requests.jsonl");
    let bench = Bench::with(Settings {
        project: "demo-project".into(),
        record: Some(record.clone()),
        ..Settings::default()
    })
    .await;
    let secrets = "/secretmanager/v1/projects/demo-project/secrets";
    bench.get(&format!("{secrets}/hf-token?alt=json")).await;
    let payload = json!({"payload": {"data": "czNjcmV0"}});
    bench
        .post(&format!("{secrets}/hf-token:addVersion"), &payload)
        .await;
    bench.post("/sts/v1/token", &exchange("subject.of.mine")).await;
    bench.get("/github/user").await;
    let text = std::fs::read_to_string(&record).unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[0],
        json!({
            "service": "secretmanager", "id": "secretmanager.projects.secrets.get", "method": "GET",
            "path": "/v1/projects/demo-project/secrets/hf-token", "query": {"alt": "json"}, "body": null,
        })
    );
    assert_eq!(lines[3]["service"], "github");
    let token = bench.running.emulator.tokens.ready();
    for secret in ["czNjcmV0", "subject.of.mine", token, "Bearer"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn the_files_tell_other_programs_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (port, env) = (folder.path().join("port"), folder.path().join("env"));
    let stop = tokio_util::sync::CancellationToken::new();
    let settings = Settings {
        project: "demo-project".into(),
        ..Settings::default()
    };
    let serving = {
        let (port, env, stop) = (port.clone(), env.clone(), stop.clone());
        tokio::spawn(async move { serve_files(settings, Some(&port), Some(&env), stop).await })
    };
    while !port.exists() {
        tokio::task::yield_now().await;
    }
    let port: u16 = std::fs::read_to_string(&port).unwrap().trim().parse().unwrap();
    let text = std::fs::read_to_string(&env).unwrap();
    for line in [
        format!(
            "export CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE='http://127.0.0.1:{port}/storage/storage/v1/'"
        ),
        format!("export CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN='http://127.0.0.1:{port}/run/'"),
        "export CLOUDSDK_CORE_PROJECT='demo-project'".to_owned(),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            std::fs::metadata(&env).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let trusted = text
        .lines()
        .find_map(|l| l.strip_prefix("export CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE="))
        .unwrap();
    let trusted = std::path::Path::new(trusted.trim_matches('\''));
    assert!(trusted.exists());
    stop.cancel();
    serving.await.unwrap().unwrap();
    assert!(
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err(),
        "the port is free again"
    );
    assert!(!trusted.exists(), "the certificate goes with the emulator");
}

#[tokio::test]
async fn a_client_with_a_fixed_host_gets_here_through_the_proxy() {
    let bench = Bench::start().await;
    let buckets = "/storage/storage/v1/b?project=demo-project";
    bench.post(buckets, &json!({"name": "logs-bucket"})).await;
    let emulator = &bench.running.emulator;
    assert!(emulator.storage.append("logs-bucket", "logs/log-1.txt", b"built"));
    let token = emulator.tokens.ready();
    let client = reqwest::Client::builder()
        .proxy(reqwest::Proxy::all(&bench.running.emulator.base_url).unwrap())
        .danger_accept_invalid_certs(true)
        .build()
        .unwrap();
    for url in [
        "https://storage.googleapis.com/logs-bucket/logs/log-1.txt",
        "https://www.googleapis.com/storage/v1/b/logs-bucket/o/logs%2Flog-1.txt?alt=media",
    ] {
        let refused = client.get(url).send().await.unwrap().status();
        assert!([401, 403].contains(&refused.as_u16()), "{url}: {refused}");
        let answer = client.get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        assert_eq!(answer.text().await.unwrap(), "built", "{url}");
    }
    for elsewhere in [
        "https://example.com/",
        "https://storage.googleapis.com.example.com/",
    ] {
        assert!(client.get(elsewhere).send().await.is_err(), "{elsewhere}");
    }
}
