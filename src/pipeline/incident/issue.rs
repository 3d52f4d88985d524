//! Keeps the issues as the state says. What should be there is compared with what is, so that a run that was
//! killed, refused or raced is made up for by the next.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use crate::{
    github::{Error, GitHub, Issue},
    progress::Progress,
    report::{
        Failure,
        incident::{
            self, HINDERED_TITLE, Hindered, LABEL, Page, State, Step, hindered_body, hindered_marker,
        },
        record::Record,
    },
};

/// The repository's issues that are ours.
pub struct Issues<'a> {
    github: &'a GitHub,
    progress: &'a dyn Progress,
    /// Newest first.
    all: Vec<Issue>,
    /// GitHub refused: it would refuse again, and one warning is enough.
    refused: bool,
}

/// The issues of one marker.
struct Found {
    open: Option<Issue>,
    /// The one that was closed last.
    closed: Option<Issue>,
}

/// Where the step is told.
enum Kept {
    In(u64),
    /// Nobody is to be told there.
    Quietly,
    /// Another run opened an issue at the same time.
    ByAnother,
}

impl Found {
    fn known<T: DeserializeOwned>(&self) -> Option<T> {
        let issue = self.open.as_ref().or(self.closed.as_ref())?;
        incident::read(&issue.body)
    }
}

impl<'a> Issues<'a> {
    /// `None`, and a warning, when they can't be read.
    pub async fn read(github: &'a GitHub, progress: &'a dyn Progress) -> Option<Self> {
        match github.labelled_issues(LABEL).await {
            Ok(all) => Some(Self {
                github,
                progress,
                all,
                refused: false,
            }),
            Err(error) => {
                progress.warn("schedule", &format!("no issue is kept: {error}"));
                None
            }
        }
    }

    /// What the issue with this marker remembers.
    pub fn known(&self, marker: &str) -> Option<State> {
        self.found(marker).known()
    }

    /// The earliest open one, as everywhere.
    fn found(&self, marker: &str) -> Found {
        let marked = || self.all.iter().filter(|issue| issue.is_marked(marker));
        Found {
            open: marked().filter(|i| i.open).min_by_key(|i| i.number).cloned(),
            closed: marked().filter(|i| !i.open).max_by_key(|i| i.number).cloned(),
        }
    }

    /// Makes a service's issue say what the step came to. `alone`: nothing but the issue remembers. False when
    /// another run keeps the issue.
    pub async fn keep(&mut self, page: &Page<'_>, step: &Step, alone: bool) -> bool {
        let found = self.found(page.marker);
        self.close_doubles(page.marker, found.open.as_ref()).await;
        let known: State = found.known().unwrap_or_default();
        let body = incident::body(page, &step.state, step.ended.as_ref());
        let fails = step.state.incident.is_some();
        let done = match (found.open, found.closed) {
            (Some(issue), _) => self.update_open(page, step, &issue, &body).await,
            (None, Some(issue)) if fails && known.goes_on(page.record.at) => {
                let unwanted = issue.declined && known.incident.is_some();
                let open = (!unwanted).then_some(true);
                match self.github.update_issue(issue.number, &body, open).await {
                    Err(error) if error.is_not_found() => {
                        self.open(page.marker, &title(page), &body, &[issue.number]).await
                    }
                    outcome if unwanted => outcome.map(|()| Kept::Quietly),
                    outcome => outcome.map(|()| Kept::In(issue.number)),
                }
            }
            (None, _) if fails => self.open(page.marker, &title(page), &body, &[]).await,
            // Closed by hand before it was over: the issue says how it ended, and nobody is told there.
            (None, Some(issue)) if step.ended.is_some() => {
                let updated = self.github.update_issue(issue.number, &body, None).await;
                updated.map(|()| Kept::Quietly)
            }
            (None, Some(issue)) if alone => {
                let body = incident::replace(&issue.body, &step.state);
                let updated = self.github.update_issue(issue.number, &body, None).await;
                updated.map(|()| Kept::Quietly)
            }
            (None, _) => Ok(Kept::Quietly),
        };
        match done {
            Ok(Kept::ByAnother) => false,
            Ok(Kept::Quietly) => true,
            Ok(Kept::In(number)) => {
                self.note(page, step, number).await;
                true
            }
            Err(error) => {
                self.warn(
                    &format!("the issue of {} was not kept", page.model.service),
                    &error,
                );
                true
            }
        }
    }

    async fn update_open(
        &self,
        page: &Page<'_>,
        step: &Step,
        issue: &Issue,
        body: &str,
    ) -> Result<Kept, Error> {
        let over = step.state.incident.is_none();
        let open = over.then_some(false);
        match self.github.update_issue(issue.number, body, open).await {
            // Deleted or moved away since it was listed.
            Err(error) if error.is_not_found() && over => Ok(Kept::Quietly),
            Err(error) if error.is_not_found() => {
                self.open(page.marker, &title(page), body, &[issue.number]).await
            }
            outcome => outcome.map(|()| Kept::In(issue.number)),
        }
    }

    async fn open(&self, marker: &str, title: &str, body: &str, passed_over: &[u64]) -> Result<Kept, Error> {
        let opened = self
            .github
            .open_issue(LABEL, marker, title, body, passed_over)
            .await?;
        Ok(match opened.by_another {
            true => Kept::ByAnother,
            false => Kept::In(opened.number),
        })
    }

    /// Runs at the same time may have left two.
    async fn close_doubles(&mut self, marker: &str, stays: Option<&Issue>) {
        let Some(stays) = stays else { return };
        let doubles = self.all.iter();
        let doubles = doubles.filter(|i| i.open && i.is_marked(marker) && i.number != stays.number);
        for double in doubles {
            // The next run tries again.
            let _ = self.github.close_as_duplicate(double.number, stays.number).await;
        }
    }

    async fn note(&mut self, page: &Page<'_>, step: &Step, number: u64) {
        let text = |announce| incident::note(page, announce, step.ended.as_ref());
        let Some(text) = step.announce.and_then(text) else {
            return;
        };
        let mark = note_mark(page.record.at);
        if let Err(error) = self.github.note_on_issue(number, &mark, &text).await {
            self.warn(&format!("no comment was written on issue {number}"), &error);
        }
    }

    /// Tells of services that could not be tested, or that all could be. `histories` are those of the services.
    pub async fn hindered(
        &mut self,
        what: &[(String, &Failure)],
        histories: &[Vec<Record>],
        now: DateTime<Utc>,
        run_url: Option<&str>,
    ) {
        let marker = hindered_marker();
        let found = self.found(&marker);
        self.close_doubles(&marker, found.open.as_ref()).await;
        let known: Option<Hindered> = found.known();
        let before = known.clone().unwrap_or_default();
        let due = !what.is_empty() && incident::is_due(known.as_ref(), histories, now);
        let state = if what.is_empty() {
            before.over(now)
        } else {
            before.again(now)
        };
        let body = hindered_body(&state, what, run_url);
        let done = match (found.open, found.closed) {
            (Some(issue), _) => {
                let open = what.is_empty().then_some(false);
                let updated = self.github.update_issue(issue.number, &body, open).await;
                let number = Some(issue.number).filter(|_| what.is_empty());
                updated.map(|()| number)
            }
            (None, Some(issue)) if due && before.goes_on(now) => {
                let open = (!(issue.declined && before.is_told())).then_some(true);
                let updated = self.github.update_issue(issue.number, &body, open).await;
                updated.map(|()| None)
            }
            (None, _) if due => self.open(&marker, HINDERED_TITLE, &body, &[]).await.map(|_| None),
            (None, Some(issue)) if !what.is_empty() || before.in_a_row > 0 => {
                let body = incident::replace(&issue.body, &state);
                self.github
                    .update_issue(issue.number, &body, None)
                    .await
                    .map(|()| None)
            }
            (None, _) => Ok(None),
        };
        let noted = match done {
            Ok(Some(number)) => {
                let text = "**The scheduled test runs again.**\n";
                self.github.note_on_issue(number, &note_mark(now), text).await
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = noted {
            self.warn("the issue about the scheduled test was not kept", &error);
        }
    }

    fn warn(&mut self, what: &str, error: &Error) {
        if !self.refused {
            self.progress.warn("schedule", &format!("{what}: {error}"));
        }
        self.refused |= matches!(error.http_status(), Some(403 | 404 | 410));
    }
}

fn title(page: &Page<'_>) -> String {
    incident::title(&page.model.service)
}

/// One note for each run.
fn note_mark(at: DateTime<Utc>) -> String {
    format!("<!-- llm-deploy-note:{} -->", at.timestamp_millis())
}
