//! The Docker registry API of Artifact Registry, for looking an image up: `/v2/PROJECT/REPOSITORY/IMAGE/…`.

use axum::http::{HeaderValue, Method, StatusCode};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use super::{
    Call, Reply, Shared,
    access::Resource,
    tokens::{self, Principal},
};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
    let Some(path) = call.path.strip_prefix("/v2/") else {
        return Reply::unknown_url(&call.path);
    };
    let Some(caller) = caller(emulator, call) else {
        return unauthorized();
    };
    if path.is_empty() {
        return Reply::ok(&json!({}));
    }
    if call.method != Method::GET && call.method != Method::HEAD {
        let message = "The operation is unsupported.";
        return error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message);
    }
    let Some((name, reference)) = path.rsplit_once("/manifests/") else {
        return Reply::unknown_url(&call.path);
    };
    let mut parts = name.splitn(3, '/');
    let (project, repository, image) = (parts.next(), parts.next(), parts.next());
    let (Some(project), Some(repository), Some(image)) = (project, repository, image) else {
        return error(StatusCode::NOT_FOUND, "NAME_INVALID", "Invalid image name.");
    };
    if project != emulator.settings.project {
        let message = "Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource (or it may not exist)";
        return error(StatusCode::FORBIDDEN, "DENIED", message);
    }
    let Some(location) = emulator.registry.location(repository) else {
        let message = format!("Repository \"{repository}\" not found");
        return error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", &message);
    };
    let permission = "artifactregistry.repositories.downloadArtifacts";
    let (id, at) = (repository.to_owned(), location.clone());
    if !emulator.may(&caller, permission, &Resource::Repository { location: at, id }) {
        return error(
            StatusCode::FORBIDDEN,
            "DENIED",
            &denial(permission, project, &location, repository),
        );
    }
    match emulator.registry.resolve_anywhere(repository, image, reference) {
        Some(digest) => manifest(&digest),
        None => {
            let message = format!("Failed to fetch \"{reference}\"");
            error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", &message)
        }
    }
}

/// Google's words when the registry refuses.
pub fn denial(permission: &str, project: &str, location: &str, repository: &str) -> String {
    format!(
        "Permission \"{permission}\" denied on resource \"projects/{project}/locations/{location}/repositories/{repository}\" (or it may not exist)"
    )
}

/// Bearer, or Basic as the user `oauth2accesstoken`.
fn caller(emulator: &Shared, call: &Call) -> Option<Principal> {
    if let Some(token) = tokens::bearer(&call.headers) {
        return emulator.tokens.principal(token);
    }
    let header = call.headers.get("authorization").and_then(|v| v.to_str().ok());
    let basic = header
        .and_then(|h| h.strip_prefix("Basic "))
        .and_then(|b| BASE64_STANDARD.decode(b).ok())
        .and_then(|b| String::from_utf8(b).ok());
    let token = basic.as_deref()?.strip_prefix("oauth2accesstoken:")?;
    emulator.tokens.principal(token)
}

/// Only the digest is known of a pushed image: the layers stay where they were built.
fn manifest(digest: &str) -> Reply {
    let mut reply = Reply::ok(&json!({"schemaVersion": 2, "mediaType": MANIFEST}));
    reply
        .headers
        .insert("content-type", HeaderValue::from_static(MANIFEST));
    if let Ok(value) = HeaderValue::from_str(digest) {
        reply.headers.insert("docker-content-digest", value);
    }
    reply
}

fn unauthorized() -> Reply {
    let mut reply = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication failed");
    reply.headers.insert(
        "www-authenticate",
        HeaderValue::from_static(
            "Bearer realm=\"https://docker.pkg.dev/v2/token\",service=\"docker.pkg.dev\"",
        ),
    );
    reply
}

fn error(status: StatusCode, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"errors": [{"code": code, "message": message}]}))
}
