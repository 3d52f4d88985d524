//! Answers in Google's form that several services give.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Reply;

impl Reply {
    pub fn not_found(message: &str) -> Self {
        Self::google_error(StatusCode::NOT_FOUND, "NOT_FOUND", message, Vec::new())
    }

    pub fn already_exists(message: &str) -> Self {
        Self::google_error(StatusCode::CONFLICT, "ALREADY_EXISTS", message, Vec::new())
    }

    pub fn invalid(message: &str) -> Self {
        Self::google_error(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message, Vec::new())
    }

    pub fn failed_precondition(message: &str) -> Self {
        Self::google_error(
            StatusCode::BAD_REQUEST,
            "FAILED_PRECONDITION",
            message,
            Vec::new(),
        )
    }

    pub fn aborted(message: &str) -> Self {
        Self::google_error(StatusCode::CONFLICT, "ABORTED", message, Vec::new())
    }

    /// 403 that names the permission, as most services do.
    pub fn permission_denied(message: &str, permission: &str, host: &str) -> Self {
        let info = error_info("IAM_PERMISSION_DENIED", host, &json!({"permission": permission}));
        Self::google_error(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message, vec![info])
    }

    /// Google's page for a URL that no service has.
    pub fn unknown_url(path: &str) -> Self {
        let shown: String = path
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "/-._~%:@+,".contains(*c))
            .collect();
        let page = format!(
            "<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n  <p><b>404.</b> <ins>That’s an error.</ins>\n  <p>The requested URL <code>{shown}</code> was not found on this server.  <ins>That’s all we know.</ins>\n"
        );
        let mut reply = Self::json(StatusCode::NOT_FOUND, &Value::Null);
        reply.headers.insert(
            "content-type",
            axum::http::HeaderValue::from_static("text/html; charset=UTF-8"),
        );
        reply.body = axum::body::Body::from(page);
        reply
    }

    /// 401: `missing` when no credential came, else one came that is unknown or has expired.
    pub fn unauthenticated(missing: bool, host: &str) -> Self {
        let (start, reason) = if missing {
            (
                "Request is missing required authentication credential.",
                "CREDENTIALS_MISSING",
            )
        } else {
            (
                "Request had invalid authentication credentials.",
                "ACCESS_TOKEN_EXPIRED",
            )
        };
        let message = format!(
            "{start} Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
        );
        let info = error_info(reason, host, &json!({"service": host}));
        let mut reply = Self::google_error(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", &message, vec![info]);
        reply.headers.insert(
            "www-authenticate",
            axum::http::HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\""),
        );
        reply
    }
}

pub fn error_info(reason: &str, host: &str, metadata: &Value) -> Value {
    let domain = if host.is_empty() { "googleapis.com" } else { host };
    json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain, "metadata": metadata})
}
