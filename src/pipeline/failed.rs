//! A stage that did not succeed: what the report says of it, and whose move is next.

use crate::report::Failure;

/// Who has to act; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// The deployment or a check failed: exit code 1.
    Deployment,
    /// A service or the network failed: exit code 3.
    Service,
    /// The user's input is wrong: exit code 2.
    Input,
}

impl Blame {
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Deployment => 1,
            Self::Input => 2,
            Self::Service => 3,
        }
    }
}

/// What a failure means for the rest of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The model is done; [`Failed::blame`] says whose move is next.
    Failed,
    /// Somebody changed the resource between the look at it and the write: worth another look.
    Conflict,
    /// A newer run has taken the target over: nobody is to blame.
    Superseded,
}

/// Why a stage ended early. The stage's name is filled in by the recorder.
#[derive(Clone, Debug)]
pub struct Failed {
    pub blame: Blame,
    pub end: End,
    /// Boxed: every stage's result would be as large otherwise.
    pub failure: Box<Failure>,
}

impl Failed {
    pub fn new(blame: Blame, title: impl Into<String>, cause: impl Into<String>) -> Self {
        let failure = Box::new(Failure {
            stage: String::new(),
            title: title.into(),
            cause: cause.into(),
            fix: None,
            log: Vec::new(),
        });
        Self {
            blame,
            end: End::Failed,
            failure,
        }
    }

    /// A newer run deploys `commit`, or has.
    pub fn superseded(commit: &str) -> Self {
        let short = commit.get(..7).unwrap_or(commit);
        let title = match short {
            "" => "a newer run took over".to_owned(),
            short => format!("a newer run deploys commit {short}"),
        };
        Self {
            end: End::Superseded,
            ..Self::new(Blame::Deployment, title, "")
        }
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.failure.fix = Some(fix.into());
        self
    }

    pub fn log(mut self, lines: Vec<String>) -> Self {
        self.failure.log = lines;
        self
    }

    /// A refusal or a fault of a Google API, while doing `what`.
    pub fn google(what: &str, error: &crate::google::Error) -> Self {
        let blame = if error.is_user_fixable() {
            Blame::Deployment
        } else {
            Blame::Service
        };
        let mut failed = Self::new(blame, format!("could not {what}"), error.to_string());
        failed.failure.fix = error.fix();
        if error.is_conflict() {
            failed.end = End::Conflict;
        }
        failed
    }
}
