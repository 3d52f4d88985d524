use axum::http::Method;
use serde_json::{Value, json};

use super::*;
use crate::testing::Bench;

const SERVICES: &str = "/run/v2/projects/demo-project/locations/europe-west4/services";
const BUILDS: &str = "/cloudbuild/v1/projects/demo-project/locations/europe-west4/builds";
const REPOSITORIES: &str = "/artifactregistry/v1/projects/demo-project/locations/europe-west4/repositories";

/// Method, path, body, and the start of Google's message.
type Refused = (&'static str, String, Value, &'static str);

fn service(template: &Value) -> Value {
    json!({ "template": template })
}

fn refused() -> Vec<Refused> {
    let create = format!("{SERVICES}?serviceId=s");
    let container = |c: Value| service(&json!({"containers": [c]}));
    vec![
        (
            "POST",
            create.clone(),
            service(&json!({"gpuZonalRedundancy": true})),
            "Invalid JSON payload received. Unknown name \"gpuZonalRedundancy\" at 'service.template': Cannot find field.",
        ),
        (
            "POST",
            create.clone(),
            container(json!({"image": "i", "resources": {"cpu_idle": false}})),
            "Invalid JSON payload received. Unknown name \"cpu_idle\" at 'service.template.containers[0].resources': Cannot find field.",
        ),
        (
            "POST",
            format!("{SERVICES}?serviceid=s"),
            json!({}),
            "Invalid JSON payload received. Unknown name \"serviceid\": Cannot bind query parameter. Field 'serviceid' could not be found in request message.",
        ),
        (
            "POST",
            create.clone(),
            json!({"ingress": "ALL"}),
            "Invalid value at 'service.ingress' (TYPE_ENUM), \"ALL\"",
        ),
        (
            "POST",
            create.clone(),
            json!({"uri": "https://x"}),
            "Invalid value at 'service.uri': the field is output only",
        ),
        (
            "POST",
            create.clone(),
            service(&json!({"timeout": "5m"})),
            "Invalid value at 'service.template.timeout' (type.googleapis.com/google.protobuf.Duration), Field 'timeout', Illegal duration format; duration must end with 's'",
        ),
        (
            "POST",
            create.clone(),
            service(&json!({"maxInstanceRequestConcurrency": "32"})),
            "Invalid value at 'service.template.max_instance_request_concurrency' (TYPE_INT32), \"32\"",
        ),
        (
            "POST",
            create.clone(),
            service(&json!({"healthCheckDisabled": "yes"})),
            "Invalid value at 'service.template.health_check_disabled' (TYPE_BOOL), \"yes\"",
        ),
        (
            "POST",
            create.clone(),
            service(&json!({"containers": {"image": "i"}})),
            "Invalid value at 'service.template.containers' (TYPE_ARRAY)",
        ),
        (
            "POST",
            create.clone(),
            json!({"template": []}),
            "Invalid JSON payload received. Unknown name \"template\" at 'service': Proto field is not repeating, cannot start list.",
        ),
        (
            "POST",
            create.clone(),
            json!({"labels": {"a": 1}}),
            "Invalid value at 'service.labels[\"a\"]' (TYPE_STRING), 1",
        ),
        (
            "POST",
            create,
            json!({"description": null}),
            "Invalid value at 'service.description': null",
        ),
        (
            "PATCH",
            format!("{SERVICES}/s?updateMask=template,trafic"),
            json!({}),
            "Invalid value at 'update_mask' (type.googleapis.com/google.protobuf.FieldMask), Field 'trafic' could not be found",
        ),
        (
            "DELETE",
            format!("{SERVICES}/s"),
            json!({"etag": "x"}),
            "Invalid JSON payload received. Unexpected body",
        ),
        (
            "GET",
            format!("{SERVICES}?pageSize=many"),
            Value::Null,
            "Invalid value at 'page_size' (TYPE_INT32), \"many\"",
        ),
        (
            "POST",
            BUILDS.into(),
            json!({"options": {"diskSizeGb": 300}}),
            "Invalid value at 'build.options.disk_size_gb' (TYPE_INT64), 300",
        ),
        (
            "POST",
            BUILDS.into(),
            json!({"options": {"machineType": "E2_HIGHCPU_64"}}),
            "Invalid value at 'build.options.machine_type' (TYPE_ENUM), \"E2_HIGHCPU_64\"",
        ),
        (
            "POST",
            format!("{REPOSITORIES}?repositoryId=r"),
            json!({"format": "DOCKER", "cleanupPolicies": {"a": {"action": "KEEP", "name": "a"}}}),
            "Invalid JSON payload received. Unknown name \"name\" at 'repository.cleanup_policies[\"a\"]': Cannot find field.",
        ),
        (
            "POST",
            "/secretmanager/v1/projects/demo-project/secrets/hf-token:addVersion".into(),
            json!({"payload": {"data": "%%"}}),
            "Invalid value at 'payload.data' (TYPE_BYTES), Base64 decoding failed",
        ),
        (
            "GET",
            "/monitoring/v3/projects/demo-project/timeSeries?filter=x&interval.endTime=now".into(),
            Value::Null,
            "Invalid value at 'interval.end_time' (type.googleapis.com/google.protobuf.Timestamp)",
        ),
    ]
}

#[tokio::test]
async fn what_the_schema_does_not_allow_is_refused_in_googles_words() {
    let bench = Bench::start().await;
    for (method, path, body, message) in refused() {
        let body = Some(body).filter(|b| !b.is_null());
        let answer = bench.send(method, &path, body.as_ref()).await;
        let error = &answer.json["error"];
        let context = format!("{method} {path} {body:?}: {}", answer.text);
        assert_eq!(answer.status, 400, "{context}");
        assert_eq!(error["status"], "INVALID_ARGUMENT", "{context}");
        assert!(
            error["message"].as_str().unwrap().starts_with(message),
            "{context}"
        );
        let violations = error["details"][0]["fieldViolations"].as_array().unwrap();
        assert!(!violations.is_empty(), "{context}");
    }
}

#[tokio::test]
async fn every_mistake_is_named_at_once() {
    let bench = Bench::start().await;
    let body = json!({"ingress": "ALL", "nonsense": 1});
    let answer = bench.post(&format!("{SERVICES}?serviceId=s&x=1"), &body).await;
    let violations = answer.json["error"]["details"][0]["fieldViolations"]
        .as_array()
        .unwrap();
    assert_eq!(violations.len(), 3, "{}", answer.text);
}

#[tokio::test]
async fn an_unknown_method_or_path_is_404() {
    let bench = Bench::start().await;
    for (method, path) in [
        ("GET", "/run/v1/projects/demo-project/locations/r/services"),
        ("PUT", "/run/v2/projects/demo-project/locations/r/services/s"),
        (
            "POST",
            "/run/v2/projects/demo-project/locations/r/services/s:restart",
        ),
        ("GET", "/run/v2/projects/demo-project/locations//services"),
        ("GET", "/nothing/v1"),
        ("GET", "/"),
    ] {
        let answer = bench.send(method, path, None).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert!(
            answer.text.contains("was not found on this server"),
            "{method} {path}"
        );
    }
}

#[test]
fn a_verb_and_an_encoded_name_find_their_method() {
    let get = &Method::GET;
    for (service, http, path, id, param) in [
        (
            Service::Run,
            get,
            "/v2/projects/p/locations/r/services/s:getIamPolicy",
            "run.projects.locations.services.getIamPolicy",
            ("servicesId", "s"),
        ),
        (
            Service::ArtifactRegistry,
            get,
            "/v1/projects/p/locations/r/repositories/x/packages/a%2Fb/versions/sha256:0",
            "artifactregistry.projects.locations.repositories.packages.versions.get",
            ("packagesId", "a/b"),
        ),
        (
            Service::Storage,
            get,
            "/storage/v1/b/bk/o/logs%2Flog-1.txt",
            "storage.objects.get",
            ("object", "logs/log-1.txt"),
        ),
        (
            Service::Storage,
            &Method::POST,
            "/upload/storage/v1/b/bk/o",
            "storage.objects.insert",
            ("bucket", "bk"),
        ),
    ] {
        let found = find(service, http, path).unwrap();
        assert_eq!(found.method.id, id);
        assert_eq!(found.params[param.0], param.1);
    }
}

#[test]
fn an_updates_output_only_fields_are_dropped() {
    let path = "/v2/projects/p/locations/r/services/s";
    let matched = find(Service::Run, &Method::PATCH, path).unwrap();
    let mut body = Some(json!({"etag": "e", "uri": "https://x", "generation": "3", "description": "d"}));
    assert_eq!(matched.check(&[], &mut body), []);
    assert_eq!(body, Some(json!({"etag": "e", "description": "d"})));
}

#[test]
fn every_service_has_its_schema() {
    for service in Service::ALL {
        assert_eq!(service.documents().len(), service.sources().len(), "{service:?}");
    }
}
