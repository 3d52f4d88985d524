//! The GitHub event of this run, read from the runner's files.

use std::path::Path;

use super::Error;
use crate::{
    environment::Environment,
    event::{self, Code, Context, RunId, Trigger},
    file::open::{self, Reach},
    github::GitHub,
};

/// Largest event that is read, in bytes. GitHub sends none above 25 MB
/// (<https://docs.github.com/en/webhooks/webhook-events-and-payloads>).
const LARGEST: u64 = 25 << 20;

/// Reads the event that GITHUB_EVENT_NAME and GITHUB_EVENT_PATH describe.
pub async fn read(environment: &Environment) -> Result<(Trigger, Context), Error> {
    let payload = payload(environment).await?;
    event::read(environment, payload.as_deref()).map_err(|e| Error::input(e.to_string()))
}

async fn payload(environment: &Environment) -> Result<Option<String>, Error> {
    let Some(path) = environment.get("GITHUB_EVENT_PATH") else {
        return Ok(None);
    };
    // The runner keeps it outside of the checkout.
    let text = open::read_text(Path::new(path), &Reach::Anywhere, LARGEST).await;
    text.map(Some).map_err(|e| {
        Error::input(format!(
            "could not read the event in GITHUB_EVENT_PATH ({path}): {e}"
        ))
    })
}

/// `owner/name` of the git remote `origin` of this folder.
pub fn origin() -> Option<String> {
    git(&["config", "--get", "remote.origin.url"]).and_then(|url| repository_of(&url))
}

/// The checkout's top folder.
pub fn top_folder() -> Option<std::path::PathBuf> {
    git(&["rev-parse", "--show-toplevel"]).map(std::path::PathBuf::from)
}

/// What `run` refuses is refused by name as well: a stranger's configuration would be used with our credentials.
///
/// # Errors
/// On a pull request from a fork, and where it can't be known whether it is from one.
pub async fn refuse_strangers(environment: &Environment) -> Result<(), Error> {
    if !event::may_be_strange(environment) {
        return Ok(());
    }
    let payload = payload(environment).await?;
    let code = event::code(environment, payload.as_deref()).map_err(|e| Error::input(e.to_string()))?;
    let Code::OfPullRequest(number) = code else {
        return Ok(());
    };
    let event = environment
        .get("GITHUB_EVENT_NAME")
        .unwrap_or_default()
        .to_owned();
    match from_fork(environment, number).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::input(event::Error::Fork { event }.to_string())),
        Err(why) => Err(Error::input(format!(
            "This `{event}` event is about pull request #{number}, and whether it is from a fork is not known: {why}. \
             A stranger's configuration must not be used with the job's credentials"
        ))),
    }
}

async fn from_fork(environment: &Environment, number: u64) -> Result<bool, String> {
    let token = environment
        .secret("LLM_DEPLOY_GITHUB_TOKEN")
        .or_else(|| environment.secret("GITHUB_TOKEN"))
        .ok_or("there is no GITHUB_TOKEN")?;
    let github = GitHub::new(environment, token).map_err(|e| e.to_string())?;
    let state = github
        .pull_request_state(number)
        .await
        .map_err(|e| e.to_string())?;
    Ok(state.fork)
}

/// Where a command runs that needs no event: from the runner's variables, else from the git checkout here.
pub fn place(environment: &Environment) -> Context {
    let get = |name: &str| environment.get(name).map(str::to_owned);
    Context {
        repository: get("GITHUB_REPOSITORY")
            .or_else(origin)
            .unwrap_or_else(|| "local".to_owned()),
        sha: get("GITHUB_SHA")
            .or_else(|| git(&["rev-parse", "HEAD"]))
            .unwrap_or_default(),
        server_url: get("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned()),
        run: RunId::read(environment),
        repository_id: get("GITHUB_REPOSITORY_ID").and_then(|id| id.parse().ok()),
        ..Context::default()
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}

/// `owner/name` of a remote's URL: `git@host:owner/name.git`, `https://host/owner/name`.
fn repository_of(url: &str) -> Option<String> {
    let path = url.trim_end_matches('/').trim_end_matches(".git");
    let mut parts = path.rsplit(['/', ':']);
    let (name, owner) = (parts.next()?, parts.next()?);
    // Without a third part it is a path on this machine.
    parts.next()?;
    (!name.is_empty() && !owner.is_empty()).then(|| format!("{owner}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remotes_url_gives_owner_and_name() {
        for url in [
            "git@github.com:octo/app.git",
            "https://github.com/octo/app",
            "ssh://git@host:22/octo/app/",
        ] {
            assert_eq!(repository_of(url).as_deref(), Some("octo/app"), "{url}");
        }
        assert_eq!(repository_of("app"), None);
    }
}
