//! Issues that are found again by a label and a hidden marker, and opened once.

use std::ops::ControlFlow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{GitHub, Method, Purpose, Repeat};
use super::{error::Error, identity::User};

/// An issue of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub number: u64,
    pub open: bool,
    /// Somebody closed it as not planned: they don't want to hear of it.
    pub declined: bool,
    pub body: String,
}

/// What came of opening one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    pub number: u64,
    /// Another run opened this one at the same time; ours was closed as its duplicate.
    pub by_another: bool,
}

#[derive(Deserialize)]
struct Listed {
    number: u64,
    state: String,
    state_reason: Option<String>,
    body: Option<String>,
    user: Option<User>,
    /// Pull requests are listed among the issues.
    pull_request: Option<Value>,
}

#[derive(Deserialize)]
struct Note {
    body: Option<String>,
    user: Option<User>,
}

impl Listed {
    fn read(self) -> Issue {
        Issue {
            number: self.number,
            open: self.state == "open",
            declined: self.state_reason.as_deref() == Some("not_planned"),
            body: self.body.unwrap_or_default(),
        }
    }
}

impl Issue {
    pub fn is_marked(&self, marker: &str) -> bool {
        self.body.trim_start().starts_with(marker)
    }
}

const PERMISSION: &str = "issues: write";
/// Issues of one page; GitHub allows no more.
const PAGE: u32 = 100;

fn purpose(action: &str) -> Purpose<'_> {
    Purpose {
        action,
        permission: PERMISSION,
    }
}

impl GitHub {
    /// The issues with `label` that our own identity opened, newest first, open or not.
    ///
    /// # Errors
    /// When GitHub refuses (with the permission that is missing), doesn't tell who we are, the repository has no issues, or
    /// GitHub can't be reached.
    pub async fn labelled_issues(&self, label: &str) -> Result<Vec<Issue>, Error> {
        let all = self.all_labelled(label).await?;
        if !all.is_empty() && !self.knows_itself().await {
            return Err(Error::Setup(
                "GitHub doesn't tell who the token belongs to, so that no issue is known to be ours"
                    .to_owned(),
            ));
        }
        let mut ours = Vec::new();
        for listed in all {
            if self.is_own(listed.user.as_ref()).await {
                ours.push(listed.read());
            }
        }
        Ok(ours)
    }

    /// Everybody's, newest first.
    async fn all_labelled(&self, label: &str) -> Result<Vec<Listed>, Error> {
        let action = format!("look for the issues labelled {label}");
        let first = self.route(&format!(
            "issues?labels={label}&state=all&sort=created&direction=desc&per_page={PAGE}"
        ));
        let mut all = Vec::new();
        self.pages(first, purpose(&action), |page: Vec<Listed>| {
            all.extend(page.into_iter().filter(|one| one.pull_request.is_none()));
            ControlFlow::Continue(())
        })
        .await?;
        Ok(all)
    }

    /// Opens an issue whose body starts with `marker`. Of runs at the same time that each open one, the earliest
    /// issue stays; `passed_over` are those that can't be used.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn open_issue(
        &self,
        label: &str,
        marker: &str,
        title: &str,
        body: &str,
        passed_over: &[u64],
    ) -> Result<Opened, Error> {
        let made = self.create_issue(label, title, body).await?;
        let ours = Opened {
            number: made,
            by_another: false,
        };
        // The issue is there by now, so a failure from here on is none of the run's.
        let Ok(there) = self.labelled_issues(label).await else {
            return Ok(ours);
        };
        let marked = there.iter().filter(|one| one.open && one.is_marked(marker));
        let earliest = marked
            .map(|one| one.number)
            .filter(|number| *number < made && !passed_over.contains(number))
            .min();
        let Some(earliest) = earliest else { return Ok(ours) };
        if self.close_as_duplicate(made, earliest).await.is_err() {
            return Ok(ours);
        }
        Ok(Opened {
            number: earliest,
            by_another: true,
        })
    }

    /// Writes the body, and opens or closes the issue when `open` says so.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn update_issue(&self, number: u64, body: &str, open: Option<bool>) -> Result<(), Error> {
        let mut request = json!({ "body": body });
        match open {
            Some(true) => {
                request["state"] = "open".into();
                request["state_reason"] = "reopened".into();
            }
            Some(false) => {
                request["state"] = "closed".into();
                request["state_reason"] = "completed".into();
            }
            None => {}
        }
        self.patch(number, &request).await
    }

    /// Closes an issue in favour of another. It loses its marker: it is never found again.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn close_as_duplicate(&self, number: u64, of: u64) -> Result<(), Error> {
        let body = format!("Duplicate of #{of}: two runs opened an issue at the same time.\n");
        let mut request = json!({ "state": "closed", "state_reason": "duplicate", "body": body });
        match self.patch(number, &request).await {
            // An older GitHub Enterprise knows no duplicates.
            Err(error) if error.http_status() == Some(422) => {
                request["state_reason"] = "not_planned".into();
                self.patch(number, &request).await
            }
            outcome => outcome,
        }
    }

    /// Comments on an issue, once: `mark` is a hidden line that no other comment has.
    ///
    /// # Errors
    /// When GitHub refuses (the issue may be locked) or can't be reached.
    pub async fn note_on_issue(&self, number: u64, mark: &str, text: &str) -> Result<(), Error> {
        let action = format!("comment on issue {number}");
        let route = self.route(&format!("issues/{number}/comments"));
        let request = json!({ "body": format!("{mark}\n{text}") });
        let there = || async {
            let there = self.has_note(number, mark).await?;
            Ok(there.then_some(Value::Null))
        };
        self.post_once::<Value, _, _>(&request, &route, purpose(&action), there)
            .await
            .map(drop)
    }

    async fn has_note(&self, number: u64, mark: &str) -> Result<bool, Error> {
        let action = format!("read the comments of issue {number}");
        let first = self.route(&format!("issues/{number}/comments?per_page={PAGE}"));
        let is_it = |note: &Note| note.body.as_deref().is_some_and(|body| body.starts_with(mark));
        let mut marked = Vec::new();
        self.pages(first, purpose(&action), |page: Vec<Note>| {
            marked.extend(page.into_iter().filter(is_it));
            ControlFlow::Continue(())
        })
        .await?;
        for note in marked {
            if self.is_own(note.user.as_ref()).await {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn create_issue(&self, label: &str, title: &str, body: &str) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Made {
            number: u64,
            user: Option<User>,
        }
        // As it is sent: it is compared with what is there.
        let body = &*self.masks.redact(body);
        let route = self.route("issues");
        let request = json!({ "title": title, "body": body, "labels": [label] });
        let made = self.post_once::<Made, _, _>(&request, &route, purpose("open an issue"), || async {
            let there = self.all_labelled(label).await?.into_iter();
            let same = |text: &str| super::comments::same(text, body);
            let same = there.filter(|one| one.state == "open" && one.body.as_deref().is_some_and(same));
            // If another account has copied it by now, ours is the earlier one.
            Ok(same.min_by_key(|one| one.number).map(|one| Made {
                number: one.number,
                user: one.user,
            }))
        });
        let made: Made = made.await?;
        self.made_by(made.user.as_ref());
        Ok(made.number)
    }

    async fn patch(&self, number: u64, request: &Value) -> Result<(), Error> {
        let action = format!("update issue {number}");
        let route = self.route(&format!("issues/{number}"));
        let method = Method::Patch(request);
        self.send::<Value>(method, &route, purpose(&action), Repeat::Safe)
            .await
            .map(drop)
    }
}
