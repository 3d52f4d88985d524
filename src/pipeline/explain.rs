//! Errors of the services → failures with a cause and a next step.

use super::failed::{Blame, Failed};
use crate::hugging_face;

/// Hugging Face refused or failed to describe the model.
pub fn hugging_face(model: &str, error: &hugging_face::Error) -> Failed {
    use hugging_face::Error;
    let blame = match error {
        Error::Service { .. } | Error::Unreachable { .. } | Error::Untrusted { .. } | Error::Setup(_) => {
            Blame::Service
        }
        Error::BadId(_)
        | Error::NotFound { .. }
        | Error::NoRevision { .. }
        | Error::Gated { .. }
        | Error::BadToken { .. }
        | Error::NoWeights { .. }
        | Error::BadBaseUrl(_) => Blame::Input,
    };
    let failed = Failed::new(
        blame,
        format!("could not resolve {model} at Hugging Face"),
        error.to_string(),
    );
    match error {
        Error::NoRevision { .. } => failed.setting("revision"),
        Error::BadId(_) | Error::NotFound { .. } | Error::NoWeights { .. } => failed.setting("id"),
        Error::Gated { .. } => failed.setting("image.hf-token-secret").setting("id"),
        _ => failed,
    }
}
