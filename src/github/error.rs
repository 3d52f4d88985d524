//! What can go wrong with GitHub, and what the user does about it.

use std::time::Duration;

use crate::environment::BadBaseUrl;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    BaseUrl(#[from] BadBaseUrl),
    #[error("{0}")]
    Setup(String),
    /// GitHub said no. `advice` ends the sentence with the next step.
    #[error("GitHub refused to {action}: {message} (HTTP {status}).{advice}")]
    Refused {
        action: String,
        status: u16,
        message: String,
        advice: String,
    },
    #[error("GitHub's answer to the request to {action} could not be read: {reason}")]
    Unreadable { action: String, reason: String },
    #[error("GitHub could not be reached to {action}: {reason}. Check the network, or run it again later")]
    Unreachable { action: String, reason: String },
    #[error("GitHub asks to wait {} s before it will {action}; run it again then", wait.as_secs())]
    RateLimited { action: String, wait: Duration },
}

impl Error {
    /// The HTTP status of a refusal.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub fn is_not_found(&self) -> bool {
        self.http_status() == Some(404) || self.http_status() == Some(410)
    }

    /// The request may have been carried out although no good answer came.
    pub(super) fn is_ambiguous(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unreadable { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }

    pub(super) fn refused(action: &str, permission: &str, status: u16, message: String) -> Self {
        let advice = match status {
            // A deleted issue is gone, too.
            410 if message.contains("disabled") => NO_ISSUES.to_owned(),
            _ => advice(status, permission),
        };
        Self::Refused {
            action: action.to_owned(),
            status,
            message,
            advice,
        }
    }
}

const NO_ISSUES: &str = " Issues are switched off in this repository: switch them on in its settings, or set `schedule.on-failure` to `webhook` or `none`";

/// The next step after a refusal. A token without the permission gets 403, or 404 in a private repository.
fn advice(status: u16, permission: &str) -> String {
    match status {
        401 => " The token is not valid: pass `github-token: ${{ github.token }}`".to_owned(),
        403 | 404 => format!(
            " Give the job the permission `{permission}` (`permissions:` in the workflow); \
             pull requests from forks only ever get a read-only token"
        ),
        422 => " GitHub found the request itself wrong: please report this with the message above".to_owned(),
        _ => String::new(),
    }
}
