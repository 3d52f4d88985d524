//! What callers are refused who lack a role, in each service's words, and what `testIamPermissions` tells them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{access::Resource, testing::Bench, tokens::Principal};

const REGION: &str = "europe-west4";
const NOBODY: &str = "nobody-here@demo-project.iam.gserviceaccount.com";

/// A project with a bucket and a repository, and a caller without a role.
async fn as_nobody() -> Bench {
    let mut bench = Bench::start().await;
    bench.running.emulator.settle(REGION);
    let accounts = "/iam/v1/projects/demo-project/serviceAccounts";
    let made = bench.post(accounts, &json!({"accountId": "nobody-here"})).await;
    assert_eq!(made.status, 200, "{}", made.text);
    bench.token = Some(token(&bench, NOBODY));
    bench
}

fn token(bench: &Bench, email: &str) -> String {
    let tokens = &bench.running.emulator.tokens;
    tokens
        .issue_access(Principal::ServiceAccount(email.to_owned()), TimeDelta::hours(1))
        .0
}

fn deployer() -> String {
    "llm-deployer@demo-project.iam.gserviceaccount.com".to_owned()
}

#[tokio::test]
async fn a_refusal_is_in_the_services_own_words() {
    let bench = as_nobody().await;
    let run = "/run/v2/projects/demo-project/locations/europe-west4/services";
    let registry =
        "/artifactregistry/v1/projects/demo-project/locations/europe-west4/repositories/llm-deploy";
    let secret = "/secretmanager/v1/projects/demo-project/secrets/hf-token";
    let account = format!("/iam/v1/projects/demo-project/serviceAccounts/{}", deployer());
    let credentials = format!("/iamcredentials/v1/projects/-/serviceAccounts/{}", deployer());
    let list = json!({"resourceNames": ["projects/demo-project"]});
    let scope = json!({"scope": ["x"]});
    let series =
        "/monitoring/v3/projects/demo-project/timeSeries?filter=x&interval.endTime=2026-01-01T00:00:00Z";
    let policy = "/cloudresourcemanager/v3/projects/demo-project:getIamPolicy";
    let mut said = Vec::new();
    for (method, path, body) in [
        ("GET", format!("{run}/qwen"), None),
        ("GET", run.to_owned(), None),
        (
            "POST",
            format!("{run}?serviceId=qwen"),
            Some(json!({"template": {"containers": [{"image": "x"}]}})),
        ),
        ("GET", registry.to_owned(), None),
        ("GET", format!("{registry}/packages/qwen/tags/t"), None),
        ("GET", format!("{secret}/versions/latest"), None),
        ("GET", format!("{secret}/versions/latest:access"), None),
        ("GET", account, None),
        ("POST", format!("{credentials}:generateAccessToken"), Some(scope)),
        ("POST", "/logging/v2/entries:list".to_owned(), Some(list)),
        ("GET", series.to_owned(), None),
        ("POST", policy.to_owned(), Some(json!({}))),
        (
            "GET",
            "/cloudbuild/v1/projects/demo-project/locations/global/builds".to_owned(),
            None,
        ),
        (
            "GET",
            "/serviceusage/v1/projects/demo-project/services/run.googleapis.com".to_owned(),
            None,
        ),
        (
            "GET",
            "/storage/storage/v1/b/demo-project-llm-deploy".to_owned(),
            None,
        ),
        (
            "GET",
            "/storage/storage/v1/b/demo-project-llm-deploy/o/x".to_owned(),
            None,
        ),
        (
            "GET",
            "/storage/storage/v1/b?project=demo-project".to_owned(),
            None,
        ),
        ("GET", "/storage/demo-project-llm-deploy/x".to_owned(), None),
        (
            "HEAD",
            "/docker/v2/demo-project/llm-deploy/qwen/manifests/t".to_owned(),
            None,
        ),
    ] {
        let answer = bench.send(method, &path, body.as_ref()).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
        let message = answer.json.pointer("/error/message").and_then(Value::as_str);
        let detail = answer
            .json
            .pointer("/error/details/0/metadata")
            .map(Value::to_string);
        let path = path.split('?').next().unwrap_or_default();
        said.push(format!(
            "{method} {path}\n  {}\n  {}",
            message.unwrap_or(&answer.text),
            detail.unwrap_or_default()
        ));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn a_role_on_the_resource_or_on_the_project_lets_in_and_its_loss_shuts_out() {
    let bench = as_nobody().await;
    let emulator = &bench.running.emulator;
    let path = "/secretmanager/v1/projects/demo-project/secrets/hf-token/versions/latest";
    let member = format!("serviceAccount:{NOBODY}");
    let role = "roles/secretmanager.viewer";
    for on in [Resource::Secret("hf-token".to_owned()), Resource::Project] {
        assert_eq!(bench.get(path).await.status, 403);
        assert!(emulator.grant(&on, role, &member));
        assert_eq!(bench.get(path).await.status, 200, "{on:?}");
        assert_eq!(bench.get(&format!("{path}:access")).await.status, 403, "{on:?}");
        assert!(emulator.revoke(&on, role, &member) && !emulator.revoke(&on, role, &member));
    }
    let nowhere = Resource::Secret("nowhere".to_owned());
    assert!(!emulator.grant(&nowhere, role, &member));
}

#[tokio::test]
async fn a_binding_with_a_condition_or_for_somebody_else_gives_nothing() {
    let mut bench = as_nobody().await;
    let nobody = bench.token.take();
    bench.token = Some(bench.running.emulator.tokens.ready().to_owned());
    let secret = "/secretmanager/v1/projects/demo-project/secrets/hf-token";
    let binding = |members: Value, condition: Value| {
        let mut binding = json!({"role": "roles/secretmanager.viewer", "members": members});
        if !condition.is_null() {
            binding["condition"] = condition;
        }
        json!({"policy": {"version": 3, "bindings": [binding]}})
    };
    let own = format!("serviceAccount:{NOBODY}");
    for (policy, status) in [
        (
            binding(json!([&own]), json!({"expression": "false", "title": "never"})),
            403,
        ),
        (binding(json!([format!("user:{NOBODY}")]), Value::Null), 403),
        (
            binding(json!([format!("serviceAccount:{}", deployer())]), Value::Null),
            403,
        ),
        (binding(json!([own]), Value::Null), 200),
        (binding(json!(["allAuthenticatedUsers"]), Value::Null), 200),
    ] {
        let set = bench.post(&format!("{secret}:setIamPolicy"), &policy).await;
        assert_eq!(set.status, 200, "{}", set.text);
        let owner = std::mem::replace(&mut bench.token, nobody.clone());
        assert_eq!(bench.get(secret).await.status, status, "{policy}");
        bench.token = owner;
    }
}

#[tokio::test]
async fn every_service_tells_callers_truly_what_they_may_do() {
    let mut bench = as_nobody().await;
    bench.token = Some(token(&bench, &deployer()));
    let emulator = &bench.running.emulator;
    let created = bench
        .post(
            "/run/v2/projects/demo-project/locations/europe-west4/services?serviceId=qwen",
            &json!({"template": {"serviceAccount": "llm-runtime@demo-project.iam.gserviceaccount.com",
                "containers": [{"image": "europe-west4-docker.pkg.dev/demo-project/llm-deploy/x:y",
                    "ports": [{"containerPort": 8000}]}]}}),
        )
        .await;
    assert_eq!(created.status, 200, "{}", created.text);
    let builder = "llm-builder@demo-project.iam.gserviceaccount.com";
    let cases = [
        (
            "/cloudresourcemanager/v3/projects/demo-project".to_owned(),
            vec!["run.services.create", "logging.logEntries.list"],
            vec!["storage.buckets.create", "resourcemanager.projects.setIamPolicy"],
        ),
        (
            "/artifactregistry/v1/projects/demo-project/locations/europe-west4/repositories/llm-deploy"
                .to_owned(),
            vec!["artifactregistry.tags.get"],
            vec!["artifactregistry.repositories.setIamPolicy"],
        ),
        (
            "/secretmanager/v1/projects/demo-project/secrets/hf-token".to_owned(),
            vec!["secretmanager.versions.get"],
            vec!["secretmanager.versions.access"],
        ),
        (
            format!("/iam/v1/projects/demo-project/serviceAccounts/{builder}"),
            vec!["iam.serviceAccounts.actAs"],
            vec!["iam.serviceAccounts.getAccessToken"],
        ),
        (
            "/run/v2/projects/demo-project/locations/europe-west4/services/qwen".to_owned(),
            vec!["run.services.update", "run.routes.invoke"],
            vec!["run.services.setIamPolicy"],
        ),
    ];
    for (path, held, lacking) in cases {
        let asked: Vec<&str> = held.iter().chain(&lacking).copied().collect();
        let path = format!("{path}:testIamPermissions");
        let answer = bench.post(&path, &json!({ "permissions": asked })).await;
        assert_eq!(
            answer.json,
            json!({ "permissions": held }),
            "{path}: {}",
            answer.text
        );
        let answer = bench.post(&path, &json!({ "permissions": lacking })).await;
        assert_eq!(answer.json, json!({}), "{path}");
    }
    let bucket = "/storage/storage/v1/b/demo-project-llm-deploy/iam/testPermissions";
    let asked = "permissions=storage.objects.create&permissions=storage.buckets.delete";
    let answer = bench.get(&format!("{bucket}?{asked}")).await;
    assert_eq!(
        answer.json["permissions"],
        json!(["storage.objects.create"]),
        "{}",
        answer.text
    );
    assert!(emulator.may(&Principal::Owner, "storage.buckets.delete", &Resource::Project));
}

#[tokio::test]
async fn whoever_may_not_act_as_the_account_starts_neither_a_service_nor_a_build() {
    let mut bench = as_nobody().await;
    bench.token = Some(token(&bench, &deployer()));
    let service = |account: Option<&str>| {
        let mut body =
            json!({"template": {"containers": [{"image": "x", "ports": [{"containerPort": 80}]}]}});
        if let Some(account) = account {
            body["template"]["serviceAccount"] = account.into();
        }
        body
    };
    let default = "481516234200-compute@developer.gserviceaccount.com";
    for (account, named) in [(None, default), (Some(deployer().as_str()), deployer().as_str())] {
        let path = "/run/v2/projects/demo-project/locations/europe-west4/services?serviceId=qwen";
        let refused = bench.post(path, &service(account)).await;
        assert_eq!(refused.status, 403, "{}", refused.text);
        assert_eq!(
            refused.json["error"]["message"],
            format!(
                "Permission 'iam.serviceaccounts.actAs' denied on service account {named} (or it may not exist)."
            )
        );
    }
    let build = json!({"steps": [{"name": "gcr.io/cloud-builders/docker", "args": ["version"]}]});
    let refused = bench
        .post(
            "/cloudbuild/v1/projects/demo-project/locations/global/builds",
            &build,
        )
        .await;
    let message = refused.json["error"]["message"].as_str().unwrap();
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(
        message.starts_with("caller does not have permission to act as service account 1"),
        "{message}"
    );
}

#[tokio::test]
async fn a_service_open_to_everybody_takes_the_right_to_change_its_policy() {
    let mut bench = as_nobody().await;
    bench.token = Some(token(&bench, &deployer()));
    let body = json!({"invokerIamDisabled": true, "template": {
        "serviceAccount": "llm-runtime@demo-project.iam.gserviceaccount.com",
        "containers": [{"image": "x", "ports": [{"containerPort": 80}]}]}});
    let path = "/run/v2/projects/demo-project/locations/europe-west4/services?serviceId=qwen";
    let refused = bench.post(path, &body).await;
    assert_eq!(
        refused.json["error"]["message"],
        "Permission 'run.services.setIamPolicy' denied on resource 'projects/demo-project/locations/europe-west4/services/qwen' (or resource may not exist)."
    );
    let member = format!("serviceAccount:{}", deployer());
    bench
        .running
        .emulator
        .grant(&Resource::Project, "roles/run.admin", &member);
    assert_eq!(bench.post(path, &body).await.status, 200);
}

/// <https://cloud.google.com/storage/docs/access-control/iam-json>
#[tokio::test]
async fn who_may_only_create_objects_may_not_replace_one() {
    let mut bench = as_nobody().await;
    let bucket = Resource::Bucket("demo-project-llm-deploy".to_owned());
    let member = format!("serviceAccount:{NOBODY}");
    let emulator = &bench.running.emulator;
    emulator.grant(&bucket, "roles/storage.objectCreator", &member);
    let path = "/storage/upload/storage/v1/b/demo-project-llm-deploy/o?uploadType=media&name=x";
    let put = || {
        bench.raw(
            "POST",
            path,
            &[("content-type", "text/plain")],
            Some(b"x".to_vec()),
        )
    };
    assert_eq!(put().await.status, 200);
    let refused = put().await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.text.contains("storage.objects.delete"),
        "{}",
        refused.text
    );
    bench.token = Some(bench.running.emulator.tokens.ready().to_owned());
    let owner = bench.raw(
        "POST",
        path,
        &[("content-type", "text/plain")],
        Some(b"x".to_vec()),
    );
    assert_eq!(owner.await.status, 200);
}
