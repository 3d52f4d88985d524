//! A repository's ids, which no rename or takeover of a name changes.

use secrecy::SecretString;
use serde::Deserialize;

use super::client::{GitHub, Purpose};
use super::error::Error;
use crate::environment::Environment;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// `owner/name` as GitHub writes it.
    pub full_name: String,
    pub id: u64,
    pub owner_id: u64,
    pub default_branch: String,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    full_name: String,
    #[serde(default)]
    default_branch: Option<String>,
    owner: Owner,
}

#[derive(Deserialize)]
struct Owner {
    id: u64,
}

/// Looks the repository up; without a token only a public one is found.
///
/// # Errors
/// When GitHub refuses or can't be reached, or `repository` is not of the form `owner/name`.
pub async fn look_up(
    environment: &Environment,
    repository: &str,
    token: Option<&SecretString>,
) -> Result<Repository, Error> {
    let action = format!("look up the repository {repository}");
    let purpose = Purpose {
        action: &action,
        permission: "contents: read",
    };
    let github = GitHub::of(environment, repository, token)?;
    let route = github.route("");
    let answer: Answer = github.get(route.trim_end_matches('/'), purpose).await?;
    // Read back as any other name: it goes into files and commands.
    GitHub::of(environment, &answer.full_name, None)?;
    Ok(Repository {
        full_name: answer.full_name,
        id: answer.id,
        owner_id: answer.owner.id,
        default_branch: answer.default_branch.unwrap_or_else(|| "main".to_owned()),
    })
}
