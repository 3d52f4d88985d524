//! The methods of builds and their operations.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Record, filter, validate, worker};
use crate::{
    Call, PROJECT_NUMBER, Reply, Shared,
    access::{self, Resource},
    iam,
    run::{self, refusal::Refusal},
    storage,
    tokens::Principal,
};

type Answer = Result<Reply, Refusal>;

fn param<'a>(call: &'a Call, names: &[&str]) -> &'a str {
    names
        .iter()
        .map(|n| call.param(n))
        .find(|v| !v.is_empty())
        .unwrap_or_default()
}

fn location(call: &Call) -> &str {
    let location = call.param("locationsId");
    if location.is_empty() { "global" } else { location }
}

fn missing() -> Refusal {
    Refusal::not_found("Requested entity was not found.")
}

pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
}

/// Whether a build is over.
pub fn is_final(build: &Value) -> bool {
    !matches!(build["status"].as_str(), Some("PENDING" | "QUEUED" | "WORKING"))
}

pub fn create(emulator: &Shared, call: &Call) -> Answer {
    let location = location(call);
    validate::build(&call.json)?;
    account(emulator, call)?;
    within_reach(emulator, &call.json)?;
    if emulator.builds.is_restricted(location) {
        return Err(Refusal::precondition(
            "failed precondition: due to quota restrictions, cannot run builds in this region, see \
             https://cloud.google.com/build/docs/locations#restricted_regions_for_some_projects",
        ));
    }
    let id = uuid::Uuid::new_v4().to_string();
    let project = param(call, &["projectsId", "projectId"]);
    let build = accepted(&call.json, project, location, &id);
    let stop = emulator.stop.child_token();
    let record = Record {
        id: id.clone(),
        location: location.to_owned(),
        build: build.clone(),
        stop: stop.clone(),
    };
    emulator.builds.add(record);
    tokio::spawn(worker::run(Arc::clone(emulator), id, stop));
    Ok(Reply::ok(&operation_of(&build)))
}

/// The account that a build runs as, by e-mail.
pub fn runs_as(emulator: &Shared, build: &Value) -> String {
    let name = build["serviceAccount"].as_str().filter(|a| !a.is_empty());
    let Some(key) = name.and_then(|n| n.rsplit('/').next()) else {
        return iam::default_account();
    };
    emulator.iam.email(key).unwrap_or_else(|| key.to_owned())
}

/// The account that a build runs as must exist, and the caller must be allowed to use it.
fn account(emulator: &Shared, call: &Call) -> Result<(), Refusal> {
    let account = runs_as(emulator, &call.json);
    let there = account == iam::default_account() || emulator.iam.email(&account).is_some();
    // A substitution names it: which account that is, is known only later.
    if account.contains('$') || there && access::act_as(emulator, call.caller.as_ref(), &account) {
        return Ok(());
    }
    let id = emulator.iam.unique_id(&account).unwrap_or(account);
    Err(Refusal::denied(format!(
        "caller does not have permission to act as service account {id}"
    )))
}

/// The build's account must see its source and the bucket for its log, which is found out before it starts.
fn within_reach(emulator: &Shared, build: &Value) -> Result<(), Refusal> {
    let account = runs_as(emulator, build);
    let who = Principal::ServiceAccount(account.clone());
    let lacks = |permission: &str, bucket: &str| {
        emulator.storage.bucket_exists(bucket)
            && !emulator.may(&who, permission, &Resource::Bucket(bucket.to_owned()))
    };
    let source = build
        .pointer("/source/storageSource/bucket")
        .and_then(Value::as_str);
    if source.is_some_and(|bucket| lacks("storage.objects.get", bucket)) {
        return Err(Refusal::invalid(format!(
            "could not resolve source: googleapi: Error 403: {}, forbidden",
            storage::denial(&account, "storage.objects.get")
        )));
    }
    let logs = build["logsBucket"].as_str().unwrap_or_default();
    let logs = logs
        .trim_start_matches("gs://")
        .split('/')
        .next()
        .unwrap_or_default();
    if lacks("storage.buckets.get", logs) {
        return Err(Refusal::invalid(format!(
            "invalid bucket \"{logs}\"; default Cloud Build service account or user-specified service account does \
             not have access to the bucket"
        )));
    }
    Ok(())
}

/// The build with what the server adds.
fn accepted(body: &Value, project: &str, location: &str, id: &str) -> Value {
    let mut build = body.clone();
    let default_bucket = format!("gs://{PROJECT_NUMBER}.cloudbuild-logs.googleusercontent.com");
    for (key, value) in [
        ("timeout", json!("3600s")),
        ("queueTtl", json!("3600s")),
        ("logsBucket", json!(default_bucket)),
        ("options", json!({"logging": "LEGACY", "pool": {}})),
    ] {
        if build.get(key).is_none() {
            build[key] = value;
        }
    }
    build["id"] = json!(id);
    build["name"] = json!(format!(
        "projects/{PROJECT_NUMBER}/locations/{location}/builds/{id}"
    ));
    build["projectId"] = json!(project);
    build["status"] = json!("QUEUED");
    build["createTime"] = json!(now());
    build["logUrl"] = json!(format!(
        "https://console.cloud.google.com/cloud-build/builds;region={location}/{id}?project={PROJECT_NUMBER}"
    ));
    if let Some(images) = build.get("images").cloned() {
        build["artifacts"] = json!({"images": images});
    }
    build
}

fn operation_of(build: &Value) -> Value {
    let id = build["id"].as_str().unwrap_or_default();
    let name = build["name"].as_str().unwrap_or_default();
    let name = match name.split_once("/builds/") {
        Some((parent, _)) if !parent.ends_with("/global") => format!("{parent}/operations/{id}"),
        _ => format!(
            "operations/build/{}/{id}",
            build["projectId"].as_str().unwrap_or_default()
        ),
    };
    let mut operation = json!({"name": name, "metadata": {
        "@type": "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata", "build": build}});
    if is_final(build) {
        operation["done"] = json!(true);
        if build["status"] == "SUCCESS" {
            let mut response = json!({"@type": "type.googleapis.com/google.devtools.cloudbuild.v1.Build"});
            if let (Some(into), Some(from)) = (response.as_object_mut(), build.as_object()) {
                into.extend(from.clone());
            }
            operation["response"] = response;
        } else {
            let detail = build["statusDetail"].as_str().unwrap_or_default();
            let code = match build["status"].as_str() {
                Some("CANCELLED") => 1,
                Some("TIMEOUT") => 4,
                _ => 2,
            };
            let status = build["status"].as_str().unwrap_or_default();
            operation["error"] =
                json!({"code": code, "message": format!("Build failed; status: {status}. {detail}")});
        }
    }
    operation
}

pub fn get(emulator: &Shared, call: &Call) -> Answer {
    let here = location(call);
    let view = |r: &mut Record| (r.location == here).then(|| r.build.clone());
    let build = emulator
        .builds
        .with(param(call, &["buildsId", "id"]), view)
        .flatten()
        .ok_or_else(missing)?;
    Ok(Reply::ok(&build))
}

pub fn list(emulator: &Shared, call: &Call) -> Answer {
    let filter = filter::parse(call.query("filter").unwrap_or_default())?;
    let wanted = emulator
        .builds
        .at(location(call))
        .into_iter()
        .filter(|b| filter.matches(b));
    Ok(run::page(call, "builds", wanted.collect()))
}

pub fn cancel(emulator: &Shared, call: &Call) -> Answer {
    let here = location(call);
    let act = |r: &mut Record| (r.location == here).then(|| stop(r));
    let build = emulator
        .builds
        .with(param(call, &["buildsId", "id"]), act)
        .flatten()
        .ok_or_else(missing)??;
    Ok(Reply::ok(&build))
}

pub fn stop(record: &mut Record) -> Result<Value, Refusal> {
    if is_final(&record.build) {
        let status = record.build["status"].as_str().unwrap_or_default();
        return Err(Refusal::precondition(format!(
            "cannot cancel a build that is finished: its status is {status}"
        )));
    }
    record.build["status"] = json!("CANCELLED");
    record.build["finishTime"] = json!(now());
    record.stop.cancel();
    Ok(record.build.clone())
}

fn operation_id(call: &Call) -> String {
    let path = call.path.trim_end_matches(":cancel");
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

pub fn operation(emulator: &Shared, call: &Call) -> Answer {
    let operation = emulator
        .builds
        .with(&operation_id(call), |r| operation_of(&r.build))
        .ok_or_else(missing)?;
    Ok(Reply::ok(&operation))
}

pub fn cancel_operation(emulator: &Shared, call: &Call) -> Answer {
    emulator
        .builds
        .with(&operation_id(call), stop)
        .ok_or_else(missing)??;
    Ok(Reply::ok(&json!({})))
}
