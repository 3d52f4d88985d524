//! How a check ended, and its entry in the report.

use std::time::Duration;

use crate::{config::Model, endpoint::Endpoint, report::CheckOutcome};

/// What is tested.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub endpoint: &'a Endpoint,
    pub model: &'a Model,
    /// Whether callers need a Google ID token.
    pub private: bool,
}

impl Target<'_> {
    /// The headers that let a caller in, as a command line has them.
    pub fn credentials(&self) -> &'static str {
        super::request::credentials(self.private, self.model.service.has_api_key())
    }
}

/// What was found, or why the check failed.
pub type Verdict = Result<String, Box<Failure>>;

#[derive(Debug, Default)]
pub struct Failure {
    /// What was expected and what was found.
    pub detail: String,
    /// The request as a command line, without credentials.
    pub sent: String,
    /// The answer, shortened.
    pub received: Option<String>,
    /// What to look at.
    pub hint: Option<String>,
}

pub fn outcome(name: &str, duration: Duration, verdict: Verdict) -> CheckOutcome {
    let (passed, detail, failure) = match verdict {
        Ok(detail) => (true, detail, None),
        Err(failure) => (false, failure.detail.clone(), Some(failure)),
    };
    let (sent, received, hint) = match failure {
        None => (None, None, None),
        Some(f) => (Some(f.sent).filter(|s| !s.is_empty()), f.received, f.hint),
    };
    CheckOutcome {
        name: name.to_owned(),
        passed,
        duration,
        detail,
        sent,
        received,
        hint,
    }
}

/// A check that was not reached because `failed` failed. It did not pass, and says why.
pub fn not_run(name: &str, failed: &str) -> CheckOutcome {
    CheckOutcome {
        name: name.to_owned(),
        passed: false,
        duration: Duration::ZERO,
        detail: format!("not run, because the check `{failed}` failed"),
        sent: None,
        received: None,
        hint: None,
    }
}
