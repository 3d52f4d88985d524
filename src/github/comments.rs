//! The one comment that is found again by its marker and updated in place.

use serde::Deserialize;
use serde_json::json;

use super::client::{GitHub, Method, Purpose, Repeat};
use super::error::Error;

/// A comment of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    pub id: u64,
    /// Its page.
    pub url: String,
    /// Whether this call made it, as against updated it.
    pub created: bool,
    pub body: String,
}

#[derive(Deserialize)]
struct Listed {
    id: u64,
    html_url: String,
    body: Option<String>,
    user: Option<Author>,
    author_association: Option<String>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Listed {
    /// Whether somebody with write access wrote it: a bot, or a person of the repository. Everyone can post
    /// our marker, and a token with write access may edit everyone's comments; the report must not end up in
    /// a comment that an outsider can go on editing.
    fn is_trusted(&self) -> bool {
        let bot = self.user.as_ref().and_then(|u| u.kind.as_deref()) == Some("Bot");
        let association = self.author_association.as_deref().unwrap_or("MEMBER");
        bot || matches!(association, "OWNER" | "MEMBER" | "COLLABORATOR")
    }

    fn starts_with(&self, marker: &str) -> bool {
        self.body
            .as_deref()
            .is_some_and(|b| b.trim_start().starts_with(marker))
    }
}

const PERMISSION: &str = "pull-requests: write";
/// Comments of one page; GitHub allows no more.
const PAGE: u32 = 100;
/// Pages read at most; a pull request with more comments has other problems.
const PAGES: u32 = 100;

impl GitHub {
    /// Updates the comment whose body starts with `marker`, or writes it. A comment with our marker that an
    /// outsider wrote, or that we may not edit, is left alone; one that was deleted meanwhile is written anew.
    /// Of runs at the same time that each found none, the earliest comment stays.
    ///
    /// # Errors
    /// When GitHub refuses (with the permission that is missing) or can't be reached.
    pub async fn upsert_comment(
        &self,
        pull_request: u64,
        marker: &str,
        body: &str,
    ) -> Result<Comment, Error> {
        let mut passed_over = Vec::new();
        for found in self.marked_comments(pull_request, marker).await? {
            passed_over.push(found.id);
            match self.update(pull_request, found.id, body).await {
                Ok(comment) => return Ok(comment),
                Err(error) if matches!(error.http_status(), Some(403 | 404 | 410)) => {}
                Err(error) => return Err(error),
            }
        }
        let made = self.create(pull_request, marker, body).await?;
        Ok(self
            .yield_to_an_earlier(pull_request, marker, body, made, &passed_over)
            .await)
    }

    /// Another run may have found no comment just as we did, and written one. Whoever looks after writing and
    /// sees an earlier one puts the report there and takes its own away. The report is written by now, so a
    /// failure in here is none of the run's.
    async fn yield_to_an_earlier(
        &self,
        pull_request: u64,
        marker: &str,
        body: &str,
        made: Comment,
        passed_over: &[u64],
    ) -> Comment {
        let Ok(there) = self.marked_comments(pull_request, marker).await else {
            return made;
        };
        let earlier = there.iter().map(|c| c.id);
        let Some(earliest) = earlier
            .filter(|id| *id < made.id && !passed_over.contains(id))
            .min()
        else {
            return made;
        };
        let Ok(updated) = self.update(pull_request, earliest, body).await else {
            return made;
        };
        let action = format!("delete a second comment on pull request {pull_request}");
        let purpose = Purpose {
            action: &action,
            permission: PERMISSION,
        };
        let route = self.route(&format!("issues/comments/{}", made.id));
        let _ = self.delete(&route, purpose).await;
        updated
    }

    /// The first comment whose body starts with `marker`.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn find_comment(&self, pull_request: u64, marker: &str) -> Result<Option<Comment>, Error> {
        let found = self.marked_comments(pull_request, marker).await?;
        Ok(found.into_iter().next().map(|c| comment(c, false)))
    }

    async fn marked_comments(&self, pull_request: u64, marker: &str) -> Result<Vec<Listed>, Error> {
        let action = format!("read the comments of pull request {pull_request}");
        let purpose = Purpose {
            action: &action,
            permission: PERMISSION,
        };
        let mut next = Some(self.route(&format!("issues/{pull_request}/comments?per_page={PAGE}")));
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let Some(route) = next else { break };
            let (page, following) = self.page::<Listed>(&route, purpose).await?;
            found.extend(
                page.into_iter()
                    .filter(|c| c.is_trusted() && c.starts_with(marker)),
            );
            next = following;
        }
        Ok(found)
    }

    async fn update(&self, pull_request: u64, id: u64, body: &str) -> Result<Comment, Error> {
        let action = format!("update the comment on pull request {pull_request}");
        let purpose = Purpose {
            action: &action,
            permission: PERMISSION,
        };
        let route = self.route(&format!("issues/comments/{id}"));
        let request = json!({ "body": body });
        let updated: Listed = self
            .send(Method::Patch(&request), &route, purpose, Repeat::Safe)
            .await?;
        Ok(comment(updated, false))
    }

    /// A write whose outcome is unknown is not repeated before we have looked whether it was carried out.
    async fn create(&self, pull_request: u64, marker: &str, body: &str) -> Result<Comment, Error> {
        let action = format!("comment on pull request {pull_request}");
        let purpose = Purpose {
            action: &action,
            permission: PERMISSION,
        };
        let route = self.route(&format!("issues/{pull_request}/comments"));
        let request = json!({ "body": body });
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self
                .send::<Listed>(Method::Post(&request), &route, purpose, Repeat::Never)
                .await;
            let error = match outcome {
                Ok(written) => return Ok(comment(written, true)),
                Err(error) => error,
            };
            if !error.is_ambiguous() || tries == 3 {
                return Err(error);
            }
            self.tempo.sleep(self.pause * tries).await;
            let there = self.marked_comments(pull_request, marker).await?;
            if let Some(written) = there
                .into_iter()
                .find(|c| c.body.as_deref().is_some_and(|b| same(b, body)))
            {
                return Ok(comment(written, true));
            }
        }
    }
}

fn comment(listed: Listed, created: bool) -> Comment {
    Comment {
        id: listed.id,
        url: listed.html_url,
        created,
        body: listed.body.unwrap_or_default(),
    }
}

/// GitHub may change line ends and trailing white space.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.replace("\r\n", "\n").trim() == other.replace("\r\n", "\n").trim()
}
