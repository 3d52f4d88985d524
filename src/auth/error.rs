//! Why there are no credentials, each with what to do about it.

use crate::{environment::BadBaseUrl, http};

/// Why there are no credentials. Holds the issuer's words, never a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "GitHub gives this job no identity token ({missing} is not set). Add `permissions: id-token: write` to the \
         job; jobs of pull requests from forks never get one. On your own machine leave \
         `workload-identity-provider` out"
    )]
    NoGitHubIdentity { missing: &'static str },
    #[error(
        "`{0}` is not a workload identity provider. Give its full name: projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
    )]
    BadProvider(String),
    #[error("`{0}` is not a service account's address. Give NAME@PROJECT.iam.gserviceaccount.com")]
    BadServiceAccount(String),
    #[error("{variable} holds a line break or another character that no token has. Give the token alone")]
    BadToken { variable: &'static str },
    #[error(
        "the access token in CLOUDSDK_AUTH_ACCESS_TOKEN was refused. It can't be renewed from here: make a new one \
         (`gcloud auth print-access-token`), or sign in with `workload-identity-provider` and `service-account`"
    )]
    GivenRefused,
    #[error("{who} refused to {what}: {message} (HTTP {status}). {next}")]
    Refused {
        who: &'static str,
        what: &'static str,
        status: u16,
        message: String,
        next: String,
    },
    #[error("no answer from {who} to {what}: {reason}")]
    Unreachable {
        who: &'static str,
        what: &'static str,
        reason: String,
    },
    #[error("the answer of {who} to {what} is not understood: {reason}")]
    Decode {
        who: &'static str,
        what: &'static str,
        reason: String,
    },
    #[error(
        "the credentials file {path} {reason}. GOOGLE_APPLICATION_CREDENTIALS names it: correct that, or unset it"
    )]
    File { path: String, reason: String },
    #[error("no access token from {description}: {reason}. {next}")]
    Ambient {
        description: String,
        reason: String,
        next: &'static str,
    },
    #[error(transparent)]
    BadBaseUrl(#[from] BadBaseUrl),
    #[error(
        "no Google credentials found: {}. In Actions set `workload-identity-provider` and `service-account`; on \
         your machine run `gcloud auth application-default login`",
        .0.join("; ")
    )]
    None(Vec<String>),
    #[error("could not set up the HTTP client: {0}")]
    Setup(String),
}

impl Error {
    /// Who is out of order, and how, when neither the input nor the set-up is to blame.
    fn outage(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Unreachable { who, reason, .. } | Self::Decode { who, reason, .. } => {
                Some((who, reason.clone()))
            }
            Self::Refused {
                who, status, message, ..
            } if http::is_transient(*status) => Some((who, format!("{message} (HTTP {status})"))),
            _ => None,
        }
    }

    /// A token that was good a moment ago is refused.
    pub(super) fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. })
    }
}

/// As gcp_auth's providers return errors.
pub(super) fn for_gcp_auth(error: Error) -> gcp_auth::Error {
    gcp_auth::Error::Other("no access token", Box::new(error))
}

/// Who is out of order, and how, when a token could not be had for that alone.
pub fn outage(error: &gcp_auth::Error) -> Option<(&'static str, String)> {
    own(error)?.outage()
}

/// Why a token could not be had, in a sentence.
pub fn reason(error: &gcp_auth::Error) -> String {
    own(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn own(error: &gcp_auth::Error) -> Option<&Error> {
    match error {
        gcp_auth::Error::Other(_, cause) => cause.downcast_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_service_that_is_out_is_told_from_one_that_refuses() {
        let refused = |status| {
            for_gcp_auth(Error::Refused {
                who: "GitHub",
                what: "give an identity token",
                status,
                message: "no".to_owned(),
                next: String::new(),
            })
        };
        assert_eq!(
            outage(&refused(503)),
            Some(("GitHub", "no (HTTP 503)".to_owned()))
        );
        assert_eq!(outage(&refused(403)), None);
        let silent = Error::Unreachable {
            who: "GitHub",
            what: "give an identity token",
            reason: "connection refused".to_owned(),
        };
        assert_eq!(
            outage(&for_gcp_auth(silent)),
            Some(("GitHub", "connection refused".to_owned()))
        );
        assert_eq!(outage(&gcp_auth::Error::Str("token request failed")), None);
    }
}
