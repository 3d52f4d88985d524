//! Who may call at all: credentials, the project, whether the API is enabled.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{Call, PROJECT_NUMBER, Reply, Shared, reply::error_info, schema::Service, storage, tokens};

/// The refusal, if there is one; a project number in the path is replaced by the project's id.
pub fn refuse(emulator: &Shared, service: Service, call: &mut Call) -> Option<Reply> {
    credentials(emulator, service, call).or_else(|| project(emulator, service, call))
}

fn credentials(emulator: &Shared, service: Service, call: &Call) -> Option<Reply> {
    if service == Service::Sts {
        return None;
    }
    let host = host(service);
    let given = tokens::bearer(&call.headers).or_else(|| call.query("access_token"));
    match given {
        Some(token) if emulator.tokens.access_token_ok(token) => None,
        None if !call.headers.contains_key("authorization") && is_read(call) => None,
        _ if service == Service::Storage => Some(storage::unauthenticated(given.is_none())),
        _ => Some(Reply::unauthenticated(given.is_none(), &host)),
    }
}

/// Google's own clients come with anonymous credentials; they may look at everything that is no secret.
fn is_read(call: &Call) -> bool {
    let last = call.id.rsplit('.').next().unwrap_or("");
    match last {
        "access" => false,
        "list" | "getIamPolicy" | "testIamPermissions" => true,
        _ => call.method == Method::GET,
    }
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
