//! Answers that nobody asked for, in the words of the service that gives them.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{ENDPOINT, Quota};
use crate::Reply;

/// The service's own answer with this status.
pub fn error(service: &str, status: u16, retry_after: Option<u64>, body: Option<&Value>) -> Reply {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = match (body, service) {
        (Some(body), _) => Reply::json(code, body),
        (None, "github") => Reply::json(
            code,
            &json!({"message": github(status), "documentation_url": "https://docs.github.com/rest", "status": status.to_string()}),
        ),
        (None, "hf") => hub(code),
        (None, "oidc") => Reply::json(code, &json!({"message": text(status)})),
        (None, "sts") => Reply::json(
            code,
            &json!({"error": oauth(status), "error_description": text(status)}),
        ),
        (None, ENDPOINT) => page(code),
        (None, _) => Reply::google_error(code, name(status), text(status), Vec::new()),
    };
    if let Some(seconds) = retry_after {
        reply
            .headers
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}

/// The texts are Google's own, seen in public issues and logs.
pub fn quota(quota: Quota) -> Reply {
    let text = match quota {
        Quota::Gpu => "You do not have quota for using GPUs without zonal redundancy.",
        Quota::ZonalGpu => {
            "You do not have quota for using GPUs with zonal redundancy. You could deploy using GPUs without zonal \
             redundancy instead."
        }
        Quota::CpuAndMemory => {
            "spec.template.metadata.annotations[autoscaling.knative.dev/maxScale]: Max instances must be set to 0 or \
             fewer to set the requested total CPU.\nConsider running your workload in a region with greater capacity, \
             or requesting an increase in quota for this region.\n\nQuota violated:\nCpuAllocPerProjectRegion \
             requested: 60000 allowed: 20000\nMemAllocPerProjectRegion requested: 257698037760 allowed: 42949672960"
        }
        Quota::Builds => {
            return Reply::failed_precondition(
                "failed precondition: due to quota restrictions, cannot run builds in this region, see \
                 https://cloud.google.com/build/docs/locations#restricted_regions_for_some_projects",
            );
        }
    };
    Reply::invalid(text)
}

/// Google's name of a status. <https://cloud.google.com/apis/design/errors#handling_errors>
fn name(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        412 => "FAILED_PRECONDITION",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNKNOWN",
    }
}

fn text(status: u16) -> &'static str {
    match status {
        403 => "The caller does not have permission",
        404 => "Requested entity was not found.",
        409 => "The operation was aborted.",
        429 => "Resource has been exhausted (e.g. check quota).",
        500 => "Internal error encountered.",
        503 => "The service is currently unavailable.",
        504 => "Deadline expired before operation could complete.",
        _ => "The request failed.",
    }
}

fn oauth(status: u16) -> &'static str {
    match status {
        401 => "invalid_client",
        403 => "unauthorized_client",
        400..=499 => "invalid_request",
        _ => "server_error",
    }
}

fn github(status: u16) -> &'static str {
    match status {
        401 => "Bad credentials",
        403 => "Resource not accessible by integration",
        404 => "Not Found",
        429 => "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        500.. => "Server Error",
        _ => "Validation Failed",
    }
}

fn hub(code: StatusCode) -> Reply {
    let text = match code.as_u16() {
        401 => "Invalid username or password.",
        429 => "We had to rate limit you. If you think it's an error, send us an email.",
        500.. => "Internal Error - We're working hard to fix this as soon as possible!",
        _ => "Forbidden",
    };
    let mut reply = Reply::json(code, &json!({ "error": text }));
    reply.headers.insert(
        HeaderName::from_static("x-error-message"),
        HeaderValue::from_static(text),
    );
    reply
}

/// Cloud Run's front end speaks HTML.
fn page(code: StatusCode) -> Reply {
    let (title, text) = match code.as_u16() {
        401 => (
            "Unauthorized",
            "Your client does not have permission to the requested URL.",
        ),
        403 => (
            "Forbidden",
            "Your client does not have permission to get URL from this server.",
        ),
        404 => (
            "Page not found",
            "The requested URL was not found on this server.",
        ),
        429 => ("Rate exceeded", "Rate exceeded."),
        503 => (
            "Service Unavailable",
            "The server is currently unavailable. Please try again in 30 seconds.",
        ),
        _ => (
            "Server Error",
            "The server encountered an error and could not complete your request. Please try again in 30 seconds.",
        ),
    };
    let html = format!(
        "\n<html><head>\n<title>{} {title}</title>\n</head>\n<body>\n<h1>Error: {title}</h1>\n<h2>{text}</h2>\n</body></html>\n",
        code.as_u16()
    );
    crate::server::bytes_reply(code, "text/html; charset=UTF-8", html.into())
}
