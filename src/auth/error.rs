//! Why there are no credentials, each with what to do about it.

use crate::environment::BadBaseUrl;

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
