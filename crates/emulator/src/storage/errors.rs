//! Errors in the forms of Cloud Storage: JSON with `errors[]` and a reason, XML on plain URLs.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::json;

use crate::{Reply, schema::Violation, server::bytes_reply};

pub fn error(status: StatusCode, reason: &str, message: &str) -> Reply {
    let one = json!({"message": message, "domain": "global", "reason": reason});
    Reply::json(
        status,
        &json!({"error": {"code": status.as_u16(), "message": message, "errors": [one]}}),
    )
}

pub fn no_bucket() -> Reply {
    error(
        StatusCode::NOT_FOUND,
        "notFound",
        "The specified bucket does not exist.",
    )
}

pub fn no_object(bucket: &str, object: &str) -> Reply {
    error(
        StatusCode::NOT_FOUND,
        "notFound",
        &format!("No such object: {bucket}/{object}"),
    )
}

pub fn condition_not_met() -> Reply {
    error(
        StatusCode::PRECONDITION_FAILED,
        "conditionNotMet",
        "At least one of the pre-conditions you specified did not hold.",
    )
}

/// 403 for a permission that `caller` lacks; 401 for one who has no credential.
pub fn denied(caller: &str, permission: &str) -> Reply {
    let message = denial(caller, permission);
    if caller == ANONYMOUS {
        return error(StatusCode::UNAUTHORIZED, "required", &message);
    }
    error(StatusCode::FORBIDDEN, "forbidden", &message)
}

pub const ANONYMOUS: &str = "Anonymous caller";

/// `EMAIL does not have storage.objects.get access to the Google Cloud Storage object. …`
pub fn denial(caller: &str, permission: &str) -> String {
    let kind = match permission {
        "storage.buckets.create" | "storage.buckets.list" => "project",
        "storage.objects.list" => "bucket",
        p if p.starts_with("storage.buckets.") => "bucket",
        _ => "object",
    };
    format!(
        "{caller} does not have {permission} access to the Google Cloud {}. Permission '{permission}' denied on resource (or it may not exist).",
        if kind == "project" {
            kind.to_owned()
        } else {
            format!("Storage {kind}")
        },
    )
}

/// The same on plain URLs.
pub fn xml_denied(caller: &str, permission: &str) -> Reply {
    let details = denial(caller, permission);
    xml(StatusCode::FORBIDDEN, "AccessDenied", "Access denied.", &details)
}

pub fn invalid(message: &str) -> Reply {
    error(StatusCode::BAD_REQUEST, "invalid", message)
}

/// 401: no credential, or one that doesn't hold.
pub fn unauthenticated(missing: bool) -> Reply {
    if missing {
        error(
            StatusCode::UNAUTHORIZED,
            "required",
            "Anonymous caller does not have the needed access to the Google Cloud Storage resource.",
        )
    } else {
        error(StatusCode::UNAUTHORIZED, "authError", "Invalid Credentials")
    }
}

/// 400 for what the schema refuses.
pub fn refusal(violations: &[Violation]) -> Reply {
    let lines: Vec<&str> = violations.iter().map(|v| v.description.as_str()).collect();
    let reason = if lines.iter().any(|l| l.starts_with("Required parameter")) {
        "required"
    } else {
        "invalid"
    };
    error(StatusCode::BAD_REQUEST, reason, &lines.join("\n"))
}

pub fn xml(status: StatusCode, code: &str, message: &str, details: &str) -> Reply {
    let escaped = details
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let details = match escaped.as_str() {
        "" => String::new(),
        text => format!("<Details>{text}</Details>"),
    };
    let text = format!(
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message>{details}</Error>"
    );
    bytes_reply(status, "application/xml; charset=UTF-8", Bytes::from(text))
}

pub fn xml_unauthenticated() -> Reply {
    xml(
        StatusCode::UNAUTHORIZED,
        "AuthenticationRequired",
        "Authentication required.",
        "",
    )
}
