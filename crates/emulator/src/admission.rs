//! Who may call at all: credentials, the project, whether the API is enabled.

use axum::http::StatusCode;
use serde_json::json;

use super::{
    Call, PROJECT_NUMBER, Reply, Shared, access::Resource, denied, permissions, reply::error_info,
    schema::Service, storage, tokens,
};

/// The refusal, if there is one; a project number in the path is replaced by the project's id.
pub fn refuse(emulator: &Shared, service: Service, call: &mut Call) -> Option<Reply> {
    credentials(emulator, service, call)
        .or_else(|| project(emulator, service, call))
        .or_else(|| permission(emulator, service, call))
}

fn credentials(emulator: &Shared, service: Service, call: &mut Call) -> Option<Reply> {
    if service == Service::Sts {
        return None;
    }
    let given = tokens::bearer(&call.headers).or_else(|| call.query("access_token"));
    let missing = given.is_none();
    call.caller = given.and_then(|token| emulator.tokens.principal(token));
    match call.caller {
        Some(_) => None,
        None if service == Service::Storage && missing => anonymous(call),
        None if service == Service::Storage => Some(storage::unauthenticated(false)),
        None => Some(Reply::unauthenticated(missing, &host(service))),
    }
}

/// Cloud Storage tells callers without credentials which permission they lack.
fn anonymous(call: &Call) -> Option<Reply> {
    let needed = permissions::needed(call);
    Some(match needed.first() {
        Some(needed) => denied::reply(Service::Storage, call, None, needed),
        None => storage::unauthenticated(true),
    })
}

fn permission(emulator: &Shared, service: Service, call: &Call) -> Option<Reply> {
    let caller = call.caller.as_ref()?;
    let needed = permissions::needed(call);
    let lacking = needed.iter().find(|n| {
        // A bucket's name is everybody's, and Gaia knows every account: what isn't there is 404.
        let hidden = match &n.on {
            Resource::Bucket(name) => emulator.storage.bucket_exists(name),
            Resource::Account(key) if service == Service::IamCredentials => emulator.iam.email(key).is_some(),
            _ => true,
        };
        hidden && !emulator.may(caller, n.permission, &n.on)
    })?;
    Some(denied::reply(service, call, Some(caller), lacking))
}

fn project(emulator: &Shared, service: Service, call: &mut Call) -> Option<Reply> {
    let ours = emulator.settings.project.as_str();
    for name in ["projectsId", "projectId", "resource", "v1Id1"] {
        let Some(value) = call.params.get_mut(name) else {
            continue;
        };
        if value == PROJECT_NUMBER {
            ours.clone_into(value);
        }
        let anywhere = value == "-" && matches!(service, Service::IamCredentials | Service::Iam);
        if value != ours && !anywhere {
            let value = value.clone();
            return Some(unknown_project(service, &call.id, &value));
        }
    }
    let host = host(service);
    (!emulator.services.is_enabled(&host)).then(|| disabled(&host))
}

fn unknown_project(service: Service, id: &str, project: &str) -> Reply {
    let permission = id.replacen("projects.", "", 1).replacen("locations.", "", 1);
    let host = host(service);
    let message = match service {
        Service::ResourceManager | Service::CloudBuild => "The caller does not have permission".to_owned(),
        Service::SecretManager | Service::Iam => {
            format!("Permission '{permission}' denied on resource (or it may not exist).")
        }
        _ => format!(
            "Permission '{permission}' denied on resource '//{host}/projects/{project}' (or it may not exist)."
        ),
    };
    Reply::permission_denied(&message, &permission, &host)
}

fn disabled(host: &str) -> Reply {
    let api =
        format!("https://console.developers.google.com/apis/api/{host}/overview?project={PROJECT_NUMBER}");
    let message = format!(
        "API {host} has not been used in project {PROJECT_NUMBER} before or it is disabled. Enable it by visiting {api} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
    );
    let metadata =
        json!({"service": host, "consumer": format!("projects/{PROJECT_NUMBER}"), "activationUrl": api});
    Reply::google_error(
        StatusCode::FORBIDDEN,
        "PERMISSION_DENIED",
        &message,
        vec![error_info("SERVICE_DISABLED", "", &metadata)],
    )
}

fn host(service: Service) -> String {
    format!("{}.googleapis.com", service.prefix())
}
