//! The diagnosis: facts in, checks with a verdict and a fix out. Pure; the facts are gathered by
//! [`crate::pipeline::doctor`].

pub mod apis;
pub mod bucket;
pub mod credentials;
pub mod json;
pub mod machine;
pub mod model;
pub mod permissions;
pub mod quick;
pub mod quota;
pub mod repository;
pub mod secret;
pub mod table;
#[cfg(test)]
mod testing;
pub mod webhook;
pub mod workflow;

use serde::Serialize;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    /// It could not be made; the detail says why.
    Skipped,
    /// A run may work, or works worse than it could.
    Warn,
    /// A run that needs this fails.
    Fail,
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    Credentials,
    Apis,
    Permissions,
    Repository,
    Bucket,
    Secrets,
    Quota,
    Machine,
    Model,
    Workflow,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "text")]
pub enum Fix {
    /// For a shell.
    Command(String),
    /// A page that does it.
    Link(String),
    /// A sentence.
    Advice(String),
}

/// One check and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub group: Group,
    /// What was looked at: `run.googleapis.com`, `repository llm-deploy`.
    pub subject: String,
    pub verdict: Verdict,
    /// What was found, in a sentence without a full stop.
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A line (1-based) of a file in the working directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    pub file: String,
    pub line: usize,
}

/// Why something could not be looked at, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen(pub String);

/// What was seen, or why nothing was.
pub type Seen<T> = Result<T, Unseen>;

impl Group {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Apis => "APIs",
            Self::Permissions => "permissions",
            Self::Repository => "repository",
            Self::Bucket => "bucket",
            Self::Secrets => "secrets",
            Self::Quota => "quota",
            Self::Machine => "machine",
            Self::Model => "model",
            Self::Workflow => "workflow",
        }
    }

    fn check(self, verdict: Verdict, subject: impl Into<String>, detail: impl Into<String>) -> Check {
        Check {
            group: self,
            subject: subject.into(),
            verdict,
            detail: detail.into(),
            fix: None,
            place: None,
        }
    }

    fn pass(self, subject: impl Into<String>, detail: impl Into<String>) -> Check {
        self.check(Verdict::Pass, subject, detail)
    }

    fn warn(self, subject: impl Into<String>, detail: impl Into<String>) -> Check {
        self.check(Verdict::Warn, subject, detail)
    }

    fn fail(self, subject: impl Into<String>, detail: impl Into<String>) -> Check {
        self.check(Verdict::Fail, subject, detail)
    }

    fn skipped(self, subject: impl Into<String>, why: &Unseen) -> Check {
        self.check(Verdict::Skipped, subject, why.0.clone())
    }
}

impl Check {
    fn command(mut self, command: impl Into<String>) -> Self {
        self.fix = Some(Fix::Command(command.into()));
        self
    }

    fn link(mut self, url: impl Into<String>) -> Self {
        self.fix = Some(Fix::Link(url.into()));
        self
    }

    fn advice(mut self, advice: impl Into<String>) -> Self {
        self.fix = Some(Fix::Advice(advice.into()));
        self
    }

    fn at(mut self, file: &str, line: usize) -> Self {
        self.place = Some(Place {
            file: file.to_owned(),
            line,
        });
        self
    }
}

impl Fix {
    pub fn text(&self) -> &str {
        match self {
            Self::Command(text) | Self::Link(text) | Self::Advice(text) => text,
        }
    }
}

/// The worst verdict; nothing looked at is a pass.
pub fn overall(checks: &[Check]) -> Verdict {
    checks.iter().map(|c| c.verdict).max().unwrap_or(Verdict::Pass)
}
