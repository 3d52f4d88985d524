//! A stage that did not succeed: what the report says of it, and whose move is next.

use crate::{
    config::{Places, Stand},
    explain::{Evidence, Facts, Source, explain},
    google,
    report::{Failure, Place},
};

/// Last lines of a log that a report shows.
const SHOWN: usize = 40;

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
    /// What others said of it.
    evidence: Evidence,
    facts: Facts,
}

impl Failed {
    pub fn new(blame: Blame, title: impl Into<String>, cause: impl Into<String>) -> Self {
        let failure = Box::new(Failure {
            stage: String::new(),
            title: title.into(),
            cause: cause.into(),
            fix: None,
            said: None,
            log: Vec::new(),
            settings: Vec::new(),
            place: None,
        });
        Self {
            blame,
            end: End::Failed,
            failure,
            evidence: Evidence::default(),
            facts: Facts::default(),
        }
    }

    /// A newer run deploys `commit`, or has; `page` is its address.
    pub fn superseded(commit: &str, page: Option<&str>) -> Self {
        let short: String = commit.chars().filter(char::is_ascii_hexdigit).take(7).collect();
        let title = match short.as_str() {
            "" => "a newer run took over".to_owned(),
            short => format!("a newer run deploys commit {short}"),
        };
        let title = match page {
            Some(page) => format!("{title}: {page}"),
            None => title,
        };
        Self {
            end: End::Superseded,
            ..Self::new(Blame::Deployment, title, "")
        }
    }

    /// What to do besides what is known of the cause.
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.failure.fix = Some(fix.into());
        self
    }

    /// Somebody changed the resource meanwhile: what is to be done is worked out anew.
    pub fn conflict(mut self) -> Self {
        self.end = End::Conflict;
        self
    }

    /// A setting that causes it, as it is written below a model: `service.gpu`.
    pub fn setting(mut self, setting: impl Into<String>) -> Self {
        self.failure.settings.push(setting.into());
        self
    }

    /// A log, of which the report shows the end.
    pub fn log(mut self, source: Source, lines: &[String]) -> Self {
        self.evidence.add(source, lines.join("\n"));
        self.failure.log = lines[lines.len().saturating_sub(SHOWN)..].to_vec();
        self
    }

    /// What a service said.
    pub fn said(mut self, source: Source, text: impl Into<String>) -> Self {
        self.evidence.add(source, text);
        self
    }

    /// A value of this failure that its explanation may name.
    pub fn fact(mut self, name: &str, value: &str) -> Self {
        self.facts.set(name, value);
        self
    }

    /// A refusal or a fault of a Google API, while doing `what`.
    pub fn google(what: &str, error: &google::Error) -> Self {
        let blame = if error.is_user_fixable() {
            Blame::Deployment
        } else {
            Blame::Service
        };
        let mut failed = Self::new(blame, format!("could not {what}"), error.to_string());
        if error.is_conflict() {
            failed.end = End::Conflict;
        }
        if let google::Error::NotReady { message, reason, .. } = error {
            let reason = reason.as_deref().unwrap_or("no reason given");
            return failed.said(Source::Condition, format!("{message} [{reason}]"));
        }
        let Some(answer) = error.answer() else {
            return failed;
        };
        failed
            .said(Source::Answer, answer.to_string())
            .fact("permission", answer.permission.as_deref().unwrap_or_default())
            .fact("resource", answer.resource.as_deref().unwrap_or_default())
            .fact("api", answer.service.as_deref().unwrap_or_default())
            .fact("violations", &answer.violations.join("; "))
    }

    /// With cause and fix in plain words, where the cause is known; `facts` are those of the deployment.
    pub fn explained(mut self, facts: &Facts) -> Self {
        let facts = self.facts.clone().or(facts);
        let Some(found) = explain(&self.evidence, &facts) else {
            return self;
        };
        let failure = &mut self.failure;
        failure.said = self.evidence.said().map(str::to_owned);
        failure.cause = found.cause;
        failure.fix = Some(match failure.fix.take() {
            Some(own) => format!("{}. {own}", found.fix),
            None => found.fix,
        });
        if failure.settings.is_empty() {
            failure.settings = found.settings;
        }
        // What gave it away is shown, too, when it is further up than the log's end.
        if let Some(line) = found.line.filter(|line| !failure.log.contains(line)) {
            failure.log.insert(0, line);
        }
        self.evidence = Evidence::default();
        self
    }
}

impl Failed {
    /// With the line of the setting that causes it. One that came from an input has none, which is said.
    pub fn placed(mut self, places: &Places) -> Self {
        let failure = &mut self.failure;
        match places.of(&failure.settings) {
            Some(Stand::File { file, line }) => failure.place = Some(Place { file, line }),
            Some(Stand::Input { setting, input }) => {
                let said = format!("`{setting}` comes from the input `{input}`");
                failure.fix = Some(match failure.fix.take() {
                    Some(fix) => format!("{fix}. {said}"),
                    None => said,
                });
            }
            None => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &serde_json::Value) -> google::Error {
        google::Error::Api {
            what: "create the Cloud Run service `qwen`".to_owned(),
            answer: Box::new(google::Answer::parse(403, &body.to_string())),
        }
    }

    #[test]
    fn a_known_cause_keeps_googles_words_and_its_request_id() {
        let error = refused(&json!({"error": {"code": 403, "status": "PERMISSION_DENIED",
            "message": "Permission 'run.services.create' denied on resource 'projects/p/locations/r/services/qwen' (or resource may not exist).",
            "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED",
                    "metadata": {"permission": "run.services.create"}},
                {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "r1"}]}}));
        let facts = Facts::default()
            .with("project", "p")
            .with("deployer", "d@p.iam.gserviceaccount.com");
        let failure = Failed::google("deploy service qwen", &error)
            .explained(&facts)
            .failure;
        assert_eq!(
            failure.cause,
            "The deploying account lacks the permission `run.services.create` on `projects/p/locations/r/services/qwen`."
        );
        let fix = failure.fix.unwrap();
        assert!(
            fix.contains("gcloud projects add-iam-policy-binding p --condition=None --member=serviceAccount:d@p.iam.gserviceaccount.com --role=roles/run.developer"),
            "{fix}"
        );
        assert!(failure.said.is_some_and(|said| said.contains("request r1")));
    }

    #[test]
    fn an_unknown_one_stays_in_googles_words_with_its_request_id() {
        let error = refused(
            &json!({"error": {"code": 409, "status": "ALREADY_EXISTS", "message": "Odd.",
            "details": [{"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "r1"}]}}),
        );
        let failure = Failed::google("deploy service qwen", &error)
            .explained(&Facts::default())
            .failure;
        assert!(
            failure.cause.contains("Odd.") && failure.cause.contains("request r1"),
            "{}",
            failure.cause
        );
        assert_eq!((failure.fix, failure.said), (None, None));
    }

    #[test]
    fn the_line_that_gave_it_away_is_shown_however_long_the_log_went_on() {
        let mut lines =
            vec!["torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB".to_owned()];
        lines.extend((0..100).map(|n| format!("  File \"core.py\", line {n}")));
        let failed = Failed::new(Blame::Deployment, "t", "c").log(Source::ContainerLog, &lines);
        let failure = failed.explained(&Facts::default()).failure;
        assert_eq!(failure.log.len(), SHOWN + 1);
        assert_eq!(
            (failure.log.first(), failure.log.last()),
            (lines.first(), lines.last())
        );
    }
}
