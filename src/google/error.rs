//! What can go wrong in a call to Google, as sentences that say what was tried, why it failed, what is next.

use std::time::Duration;

use super::answer::Answer;
use crate::{environment::BadBaseUrl, units::human_duration};

/// An error of [`crate::google`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Google answered with an error.
    #[error("could not {what}: {answer}")]
    Api { what: String, answer: Box<Answer> },
    /// No complete answer came. With `ambiguous` the request may have had its effect.
    #[error("could not {what}: no answer from {host}: {reason}. Check the network and try again")]
    Transport {
        what: String,
        host: String,
        reason: String,
        ambiguous: bool,
    },
    /// No access token could be had.
    #[error("could not {what}: no Google credentials: {reason}")]
    Credentials { what: String, reason: String },
    /// The answer isn't what the API documents.
    #[error("could not {what}: the answer of {host} is not understood: {reason}")]
    Decode {
        what: String,
        host: String,
        reason: String,
    },
    /// A long-running operation ended in an error.
    #[error("could not {what}: {answer}")]
    Operation { what: String, answer: Box<Answer> },
    /// Cloud Run took the request, but the service did not become ready.
    #[error("Cloud Run could not bring up service `{service}`{}: {message}{}", of_revision(.revision), in_brackets(.reason))]
    NotReady {
        service: String,
        /// Short name of the revision that failed, when known.
        revision: Option<String>,
        /// Cloud Run's reason code, such as `HEALTH_CHECK_CONTAINER_ERROR`.
        reason: Option<String>,
        message: String,
    },
    #[error("could not {what} within {}: {last}. {next}", human_duration(*.waited))]
    Deadline {
        what: String,
        waited: Duration,
        /// Last thing that was known.
        last: String,
        /// What the user does next.
        next: String,
    },
    /// A bucket with the wanted name is there, but not provably ours.
    #[error("bucket `{bucket}` {reason}. Set `build.bucket` to another name, or {fix}")]
    ForeignBucket {
        bucket: String,
        reason: String,
        fix: String,
    },
    #[error(transparent)]
    BadBaseUrl(#[from] BadBaseUrl),
    /// A name that can't be part of a URL.
    #[error("could not {what}: `{segment}` can't be part of a resource name")]
    BadName { what: String, segment: String },
    #[error("could not set up the HTTP client: {0}")]
    Setup(String),
}

fn of_revision(revision: &Option<String>) -> String {
    revision
        .as_ref()
        .map_or_else(String::new, |r| format!(" (revision `{r}`)"))
}

fn in_brackets(reason: &Option<String>) -> String {
    reason.as_ref().map_or_else(String::new, |r| format!(" [{r}]"))
}

impl Error {
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Api { answer, .. } => Some(answer.http_status),
            _ => None,
        }
    }

    pub fn is_not_found(&self) -> bool {
        self.has(&[404], "NOT_FOUND")
    }

    /// Somebody changed or made the resource first: 409, 412 or ABORTED.
    pub fn is_conflict(&self) -> bool {
        self.has(&[409, 412], "ABORTED")
    }

    /// Somebody changed the resource at the same time: the whole read-modify-write is due again.
    pub fn is_aborted(&self) -> bool {
        self.has(&[412], "ABORTED")
    }

    /// The resource's state doesn't allow it, such as a build that is over.
    pub fn is_precondition(&self) -> bool {
        self.has(&[], "FAILED_PRECONDITION")
    }

    pub fn is_permission_denied(&self) -> bool {
        self.has(&[403], "PERMISSION_DENIED")
    }

    /// The user or their administrator can do something about it: permission, invalid argument, quota, a
    /// container that doesn't start. Otherwise it is the network's or Google's.
    pub fn is_user_fixable(&self) -> bool {
        match self {
            Self::Api { answer, .. } => {
                (400..500).contains(&answer.http_status) && !matches!(answer.http_status, 408 | 429)
            }
            Self::Operation { answer, .. } => !matches!(
                answer.status.as_deref(),
                Some("UNAVAILABLE" | "INTERNAL" | "UNKNOWN" | "DEADLINE_EXCEEDED")
            ),
            Self::Transport { .. } | Self::Decode { .. } | Self::Deadline { .. } | Self::Setup(_) => false,
            Self::Credentials { .. }
            | Self::NotReady { .. }
            | Self::ForeignBucket { .. }
            | Self::BadBaseUrl(_)
            | Self::BadName { .. } => true,
        }
    }

    /// Short name of the revision that did not become ready.
    pub fn revision(&self) -> Option<&str> {
        match self {
            Self::NotReady { revision, .. } => revision.as_deref(),
            _ => None,
        }
    }

    pub fn is_deadline(&self) -> bool {
        matches!(self, Self::Deadline { .. })
    }

    /// The request may have had its effect although no good answer came: read back before sending again.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Transport { ambiguous, .. } => *ambiguous,
            // It was answered as a success.
            Self::Decode { .. } => true,
            Self::Api { answer, .. } => matches!(answer.http_status, 408 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Google's answer, where there was one.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Api { answer, .. } | Self::Operation { answer, .. } => Some(answer),
            _ => None,
        }
    }

    /// The API is not enabled in the project; the value is the address that enables it, when Google gave one.
    pub fn disabled_api(&self) -> Option<&str> {
        let answer = self.answer()?;
        (answer.reason.as_deref() == Some("SERVICE_DISABLED"))
            .then(|| answer.activation_url.as_deref().unwrap_or_default())
    }

    /// The permission that the caller lacks, such as `run.services.create`, where Google's answer tells.
    pub fn missing_permission(&self) -> Option<&str> {
        self.answer()?.permission.as_deref()
    }

    fn has(&self, statuses: &[u16], name: &str) -> bool {
        self.answer()
            .is_some_and(|a| statuses.contains(&a.http_status) || a.status.as_deref() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn api(status: u16, body: &str) -> Error {
        Error::Api {
            what: "create the Cloud Run service `qwen`".to_owned(),
            answer: Box::new(Answer::parse(status, body)),
        }
    }

    #[test]
    fn field_violations_reason_and_request_id_are_shown() {
        let body = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Bad request.",
            "details": [
                {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [
                    {"field": "spec.traffic.tag", "description": "too long"}]},
                {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "r1"}]}});
        insta::assert_snapshot!(api(400, &body.to_string()).to_string(),
            @"could not create the Cloud Run service `qwen`: Bad request.; spec.traffic.tag: too long (HTTP 400, INVALID_ARGUMENT, request r1)");
    }

    #[test]
    fn a_disabled_api_says_where_to_enable_it() {
        let body = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "API off",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
                "metadata": {"activationUrl": "https://console.example/enable"}}]}});
        let error = api(403, &body.to_string());
        assert_eq!(error.disabled_api(), Some("https://console.example/enable"));
        assert!(error.is_permission_denied() && error.is_user_fixable());
    }

    #[test]
    fn a_missing_permission_is_named_whether_or_not_the_message_does() {
        let body = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "No.",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED",
                "metadata": {"permission": "secretmanager.versions.get", "resource": "projects/p/secrets/s"}}]}});
        let error = api(403, &body.to_string());
        assert_eq!(error.missing_permission(), Some("secretmanager.versions.get"));
        assert!(
            error
                .to_string()
                .contains("permission secretmanager.versions.get"),
            "{error}"
        );
        let body = json!({"error": {"code": 403, "message": "Permission 'run.services.get' denied on resource 'x'"}});
        let error = api(403, &body.to_string());
        assert_eq!(error.missing_permission(), Some("run.services.get"));
        assert_eq!(
            error.to_string().matches("run.services.get").count(),
            1,
            "{error}"
        );
    }

    #[test]
    fn html_and_plain_bodies_survive() {
        let error = api(502, "<html><title>502 Server Error</title></html>");
        assert!(error.to_string().contains("502 Server Error"), "{error}");
        assert!(error.is_ambiguous() && !error.is_user_fixable());
        assert!(api(404, "").to_string().contains("empty answer"));
        assert!(api(404, "").is_not_found());
    }

    #[test]
    fn the_end_of_a_long_quota_message_is_kept() {
        let message = format!(
            "{}\nQuota violated:\nCpuAlloc requested: 60000 allowed: 20000",
            "x ".repeat(120)
        );
        let body = json!({"error": {"code": 400, "message": message}});
        let text = api(400, &body.to_string()).to_string();
        assert!(
            text.contains("CpuAlloc requested: 60000 allowed: 20000"),
            "{text}"
        );
    }

    #[test]
    fn an_operations_code_gets_its_name() {
        let answer = Answer::of_operation(&json!({"code": 9, "message": "no"}));
        assert_eq!(answer.status.as_deref(), Some("FAILED_PRECONDITION"));
        let error = Error::Operation {
            what: "x".to_owned(),
            answer: Box::new(Answer::of_operation(&json!({"code": 10, "message": "no"}))),
        };
        assert!(error.is_conflict());
    }
}
