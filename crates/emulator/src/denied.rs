//! 403 in each service's own words.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Call, Reply, permissions::Needed, reply::error_info, schema::Service, storage, tokens::Principal,
};

/// Refuses a call for the permission that the caller lacks.
///
/// Wording as public reports have it, such as github.com/google-github-actions/deploy-cloudrun issues 182 and 487
/// (Cloud Run, Artifact Registry), google-github-actions/auth issue 340 (IAM), googlecodelabs/feedback issue 1458
/// (Secret Manager). Cloud Run, Cloud Build and Service Usage add no machine-readable detail.
pub fn reply(service: Service, call: &Call, caller: Option<&Principal>, needed: &Needed) -> Reply {
    let permission = needed.permission;
    let name = resource(call);
    let host = format!("{}.googleapis.com", service.prefix());
    match service {
        Service::Storage => storage::denied(caller.map_or("Anonymous caller", Principal::name), permission),
        Service::Run => {
            let name = match call.query("serviceId") {
                Some(id) => format!("{name}/services/{id}"),
                None => name,
            };
            bare(&format!(
                "Permission '{permission}' denied on resource '{name}' (or resource may not exist)."
            ))
        }
        Service::CloudBuild => bare("The caller does not have permission"),
        Service::ServiceUsage => bare(&service_usage(call, permission)),
        Service::SecretManager => {
            let text =
                format!("Permission '{permission}' denied for resource '{name}' (or it may not exist).");
            named(&text, permission, &name, &host)
        }
        Service::Iam | Service::IamCredentials | Service::Sts => {
            let text = format!("Permission '{permission}' denied on resource (or it may not exist).");
            Reply::permission_denied(&text, permission, "iam.googleapis.com")
        }
        Service::Monitoring => bare(&format!(
            "Permission {permission} denied (or the resource may not exist)."
        )),
        Service::Logging => {
            let name = call.json.pointer("/resourceNames/0").and_then(Value::as_str);
            let name = name.unwrap_or_default();
            let text =
                format!("Permission '{permission}' denied on resource '{name}' (or it may not exist).");
            named(&text, permission, name, &host)
        }
        _ => {
            let text = format!(
                "Permission '{permission}' denied on resource '//{host}/{name}' (or it may not exist)."
            );
            named(&text, permission, &name, &host)
        }
    }
}

fn bare(message: &str) -> Reply {
    Reply::google_error(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message, Vec::new())
}

fn named(message: &str, permission: &str, resource: &str, host: &str) -> Reply {
    let metadata = json!({"permission": permission, "resource": resource});
    let info = error_info("IAM_PERMISSION_DENIED", host, &metadata);
    Reply::google_error(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message, vec![info])
}

fn service_usage(call: &Call, permission: &str) -> String {
    let verb = permission.rsplit('.').next().unwrap_or_default();
    let services = match call.param("servicesId") {
        "" => "services".to_owned(),
        id => format!("service [{id}]"),
    };
    format!("Permission denied to {verb} {services}\nHelp Token: emulator")
}

/// Name of the resource that a path is about, or of its parent when the path ends with a collection.
fn resource(call: &Call) -> String {
    let below_version = call.path.trim_start_matches('/').split_once('/');
    let (_, name) = below_version.unwrap_or_default();
    let last = name.rfind('/').map_or(0, |n| n + 1);
    let name = match name[last..].find(':') {
        Some(colon) => &name[..last + colon],
        None => name,
    };
    match name.rsplit_once('/') {
        Some((parent, _)) if name.split('/').count() % 2 == 1 => parent.to_owned(),
        _ => name.to_owned(),
    }
}
