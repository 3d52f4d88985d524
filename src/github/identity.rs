//! Who we are at GitHub. Anyone can write our markers into a comment or an issue, and a job's token may edit what others
//! wrote: only what our own identity wrote is ours.
//!
//! A job's token can't call `GET /user`. GraphQL's `viewer` names its app's bot, as the actions that keep a comment up to
//! date ask it (marocchino/sticky-pull-request-comment). Where that is refused, as on an older GitHub Enterprise, the first
//! object that this run makes tells.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use super::client::{GitHub, Method, Purpose, Repeat};

/// Longest wait for the answer: it can be done without.
const PATIENCE: Duration = Duration::from_secs(20);

/// A person or an app's bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct User {
    #[serde(default)]
    pub id: u64,
    /// `github-actions[bot]` for a job's own token.
    #[serde(default)]
    pub login: String,
}

/// What is known of the token's identity. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Identity {
    /// Who made what this run has made.
    made: Arc<OnceLock<User>>,
    /// The login that GraphQL answered; `None` when it did not.
    viewer: Arc<OnceCell<Option<String>>>,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    viewer: User,
}

impl GitHub {
    /// Whether `author` is who this token writes as. False while that isn't known.
    pub(super) async fn is_own(&self, author: Option<&User>) -> bool {
        let Some(author) = author else { return false };
        if let Some(own) = self.identity.made.get() {
            return own.id == author.id;
        }
        self.viewer().await.is_some_and(|login| is_login(login, author))
    }

    /// Whether it is known who this token writes as.
    pub async fn knows_itself(&self) -> bool {
        self.identity.made.get().is_some() || self.viewer().await.is_some()
    }

    /// Whether GitHub was asked who this token writes as, and did not say.
    pub fn is_anonymous(&self) -> bool {
        self.identity.viewer.get().is_some_and(Option::is_none)
    }

    /// Takes note of the author of something that this run has made.
    pub(super) fn made_by(&self, author: Option<&User>) {
        if let Some(author) = author.filter(|author| author.id != 0) {
            let _ = self.identity.made.set(author.clone());
        }
    }

    async fn viewer(&self) -> Option<&str> {
        let ask = async {
            let purpose = Purpose {
                action: "learn who the token belongs to",
                permission: "none",
            };
            let query = json!({ "query": "query { viewer { login } }" });
            let github = self.for_graphql();
            // Nothing is changed by it.
            let answer = github.send::<Answer>(Method::Post(&query), "/graphql", purpose, Repeat::Safe);
            let answer = tokio::time::timeout(self.tempo.of(PATIENCE), answer).await;
            let login = answer.ok()?.ok()?.data.viewer.login;
            (!login.is_empty()).then_some(login)
        };
        self.identity.viewer.get_or_init(|| ask).await.as_deref()
    }
}

/// GraphQL may leave out what marks an app's bot.
fn is_login(login: &str, author: &User) -> bool {
    let bare = author.login.strip_suffix("[bot]").unwrap_or(&author.login);
    author.login.eq_ignore_ascii_case(login)
        || author.login.ends_with("[bot]") && bare.eq_ignore_ascii_case(login)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_never_taken_for_a_bot_of_the_same_name() {
        for (login, author, is_same) in [
            ("github-actions[bot]", "github-actions[bot]", true),
            ("github-actions", "github-actions[bot]", true),
            ("github-actions[bot]", "github-actions", false),
            ("github-actions[bot]", "octocat", false),
            ("Octocat", "octocat", true),
        ] {
            let author = User {
                login: author.to_owned(),
                ..User::default()
            };
            assert_eq!(is_login(login, &author), is_same, "{login} {author:?}");
        }
    }
}
