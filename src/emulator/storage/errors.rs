//! Errors in the forms of Cloud Storage: JSON with `errors[]` and a reason, XML on plain URLs.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::json;

use crate::emulator::{Reply, schema::Violation, server::bytes_reply};

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

pub fn forbidden(permission: &str) -> Reply {
    error(
        StatusCode::FORBIDDEN,
        "forbidden",
        &format!(
            "The caller does not have {permission} access to the Google Cloud Storage bucket. Permission '{permission}' denied on resource (or it may not exist)."
        ),
    )
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
