//! Which repository, and its ids.

use secrecy::SecretString;

use super::{BootstrapArgs, Error, event};
use crate::{
    cli::given,
    environment::Environment,
    github::{self, Repository},
};

/// From the options, the runner's variables or the git remote; the ids from GitHub unless they were given.
pub async fn repository(args: &BootstrapArgs, environment: &Environment) -> Result<Repository, Error> {
    let named = given(args.repository.as_deref()).or_else(|| environment.get("GITHUB_REPOSITORY"));
    let name = named.map(str::to_owned).or_else(event::origin).ok_or_else(|| {
        Error::input(
            "which repository may deploy is not known: give `--repository owner/name`, or run this in a checkout whose remote `origin` is at GitHub",
        )
    })?;
    if let (Some(id), Some(owner_id)) = (args.repository_id, args.owner_id) {
        return Ok(Repository {
            full_name: name,
            id,
            owner_id,
            default_branch: "main".to_owned(),
        });
    }
    let token = token(environment).await;
    github::look_up(environment, &name, token.as_ref())
        .await
        .map_err(|error| look_up_failed(&name, &error, token.is_some()))
}

/// Of the environment, else gh's own, if it has one.
async fn token(environment: &Environment) -> Option<SecretString> {
    let given = environment
        .get("GITHUB_TOKEN")
        .or_else(|| environment.get("GH_TOKEN"));
    if let Some(token) = given {
        return Some(SecretString::from(token));
    }
    let gh = tokio::process::Command::new("gh")
        .args(["auth", "token"])
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(5), gh)
        .await
        .ok()?
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let token = text.trim();
    (output.status.success() && !token.is_empty()).then(|| SecretString::from(token))
}

fn look_up_failed(name: &str, error: &github::Error, with_token: bool) -> Error {
    let by_hand = "Or give the ids by hand: `--repository-id` and `--owner-id`";
    if !error.is_not_found() {
        return Error::service(format!("{error}\n{by_hand}"));
    }
    let next = if with_token {
        "check the name, and that GITHUB_TOKEN may read the repository"
    } else {
        "check the name; for a private repository set GITHUB_TOKEN, or sign in with `gh auth login`"
    };
    Error::input(format!("GitHub knows no repository {name}: {next}. {by_hand}"))
}
