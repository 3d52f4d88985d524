//! Comments on a pull request: read by those whom we trust, made once, rewritten in place.

use std::ops::ControlFlow;

use serde::Deserialize;
use serde_json::json;

use super::client::{GitHub, Method, Purpose, Repeat};
use super::{error::Error, identity::User};

/// A comment that our own identity wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    pub id: u64,
    /// Its page.
    pub url: String,
    /// Hostile text: whoever may write to the repository may edit it.
    pub body: String,
}

#[derive(Deserialize)]
struct Listed {
    id: u64,
    html_url: String,
    body: Option<String>,
    user: Option<User>,
}

impl From<Listed> for Comment {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            url: listed.html_url,
            body: listed.body.unwrap_or_default(),
        }
    }
}

const PERMISSION: &str = "pull-requests: write";
/// Comments of one page; GitHub allows no more.
const PAGE: u32 = 100;

impl GitHub {
    /// Our own comments that fit, oldest first. None while it isn't known who we are.
    ///
    /// # Errors
    /// When GitHub refuses (with the permission that is missing) or can't be reached.
    pub async fn comments(
        &self,
        pull_request: u64,
        fits: &(dyn Fn(&Comment) -> bool + Sync),
    ) -> Result<Vec<Comment>, Error> {
        let mut found = Vec::new();
        for listed in self.all_comments(pull_request).await? {
            let user = listed.user.clone();
            let comment = Comment::from(listed);
            if fits(&comment) && self.is_own(user.as_ref()).await {
                found.push(comment);
            }
        }
        Ok(found)
    }

    /// Everybody's, oldest first.
    async fn all_comments(&self, pull_request: u64) -> Result<Vec<Listed>, Error> {
        let action = format!("read the comments of pull request {pull_request}");
        let first = self.route(&format!("issues/{pull_request}/comments?per_page={PAGE}"));
        let mut all = Vec::new();
        self.pages(first, purpose(&action), |page: Vec<Listed>| {
            all.extend(page);
            ControlFlow::Continue(())
        })
        .await?;
        Ok(all)
    }

    /// The comment as it is now; `None` when it was deleted.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn comment(&self, id: u64) -> Result<Option<Comment>, Error> {
        let route = self.route(&format!("issues/comments/{id}"));
        let found = self
            .get::<Listed>(&route, purpose("read the comment on the pull request"))
            .await;
        match found {
            Ok(found) => Ok(Some(found.into())),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts another text into a comment.
    ///
    /// # Errors
    /// When GitHub refuses, as it does when the comment was deleted, or can't be reached.
    pub async fn update_comment(&self, id: u64, body: &str) -> Result<Comment, Error> {
        let route = self.route(&format!("issues/comments/{id}"));
        let request = json!({ "body": body });
        let purpose = purpose("update the comment on the pull request");
        self.send::<Listed>(Method::Patch(&request), &route, purpose, Repeat::Safe)
            .await
            .map(Comment::from)
    }

    /// Writes a comment. A write whose outcome is unknown is not repeated before we have looked whether it was
    /// carried out.
    ///
    /// # Errors
    /// When GitHub refuses (with the permission that is missing) or can't be reached.
    pub async fn create_comment(&self, pull_request: u64, body: &str) -> Result<Comment, Error> {
        // As it is sent: it is compared with what is there.
        let body = &*self.masks.redact(body);
        let action = format!("comment on pull request {pull_request}");
        let purpose = purpose(&action);
        let route = self.route(&format!("issues/{pull_request}/comments"));
        let request = json!({ "body": body });
        let made = self
            .post_once::<Listed, Listed, _>(&request, &route, purpose, || async {
                // If another account has copied it by now, ours is the earlier one.
                let mut there = self.all_comments(pull_request).await?.into_iter();
                Ok(there.find(|one| one.body.as_deref().is_some_and(|there| same(there, body))))
            })
            .await?;
        self.made_by(made.user.as_ref());
        Ok(made.into())
    }

    /// Takes a comment away. That it is gone already is fine.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn delete_comment(&self, id: u64) -> Result<(), Error> {
        let route = self.route(&format!("issues/comments/{id}"));
        self.delete(&route, purpose("delete a second comment on the pull request"))
            .await
    }
}

const fn purpose(action: &str) -> Purpose<'_> {
    Purpose {
        action,
        permission: PERMISSION,
    }
}

/// GitHub may change line ends and trailing white space.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.replace("\r\n", "\n").trim() == other.replace("\r\n", "\n").trim()
}
