//! Whether a pull request's run may deploy: what the base branch's file says, before anything is asked of Google.
//!
//! A preview that a person deploys by hand is their own decision, with their own credentials: nobody asks.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{
    Error,
    run::Run,
    setup::{self, DEFAULT_CONFIG},
};
use crate::{
    cli::{Common, given},
    config::Config,
    environment::Environment,
    event::{PullRequest, Trigger},
    github::GitHub,
    pipeline::{
        cleanup,
        failed::{Blame, Failed},
        limits::{self, MissingLabel, Rules},
    },
    progress::Progress,
    signal,
};

/// What a run may do.
pub enum Admission {
    /// Nobody's limits touch it.
    Free,
    /// Deploys a preview within these.
    Within(Rules),
    /// Does something else, without the label that a preview needs.
    Instead(Box<Run>),
    /// Not known, and so nothing is deployed.
    Unknown(Failed),
}

/// Asks the branches that the pull request goes into.
pub async fn ask(
    common: &Common,
    environment: &Environment,
    progress: &Arc<dyn Progress>,
    run: &Run,
    github: Option<&GitHub>,
) -> Admission {
    let Trigger::Preview(pull_request) = &run.trigger else {
        return Admission::Free;
    };
    // Not an event's: somebody typed the command.
    if run.context.event.is_empty() {
        return Admission::Free;
    }
    let work = async {
        let rules = rules(common, environment, progress.as_ref(), run, pull_request, github).await?;
        let Some(missing) = rules.missing_label()? else {
            return Ok(Admission::Within(rules));
        };
        let there = has_preview(common, environment, progress, run, pull_request.number).await;
        let there = there.unwrap_or_else(|error| {
            let warning = format!("a preview from before may still be there: {}", error.message);
            progress.warn("label", &warning);
            false
        });
        let run = without_label(run, pull_request, &missing, there);
        Ok::<_, Failed>(Admission::Instead(Box::new(run)))
    };
    match signal::unless_stopped(work).await {
        Some(Ok(admission)) => admission,
        Some(Err(failed)) => Admission::Unknown(failed),
        // Every stage after it is stopped as well.
        None => Admission::Free,
    }
}

impl Admission {
    /// Why each model is not deployed; empty when all may be.
    pub fn refusals(&self, config: &Config) -> Vec<Option<Failed>> {
        match self {
            Self::Free | Self::Instead(_) => Vec::new(),
            Self::Within(rules) => rules.refusals(config),
            Self::Unknown(failed) => vec![Some(failed.clone()); config.models.len()],
        }
    }

    /// The run that is done.
    pub fn run<'a>(&'a self, run: &'a Run) -> &'a Run {
        match self {
            Self::Instead(other) => other,
            _ => run,
        }
    }
}

async fn rules(
    common: &Common,
    environment: &Environment,
    progress: &dyn Progress,
    run: &Run,
    pull_request: &PullRequest,
    github: Option<&GitHub>,
) -> Result<Rules, Failed> {
    let Some(github) = github else {
        let cause = "there is no token for GitHub, so that the base branch's file can't be read";
        return Err(limits::unread(Blame::Input, cause.to_owned()).fix(
            "Pass GITHUB_TOKEN (the action's input `github-token`) with the permission `contents: read`",
        ));
    };
    let file = path_in_repository(common, environment).ok_or_else(|| {
        let cause =
            "the configuration file lies outside of the checkout, so that there is none on the base branch";
        limits::unread(Blame::Input, cause.to_owned()).fix("Give its path in the repository (input `config`)")
    })?;
    Rules::read(
        github,
        progress,
        pull_request,
        &run.context,
        &file,
        DEFAULT_CONFIG,
    )
    .await
}

/// The same run without its label: the preview goes, when there is one; otherwise a plan.
///
/// It goes whichever event this is. The run of the removal itself may have been cancelled in favour of this one.
fn without_label(run: &Run, pull_request: &PullRequest, missing: &MissingLabel, there: bool) -> Run {
    let MissingLabel { label, branch } = missing;
    let pull_request = pull_request.clone();
    let mut other = run.clone();
    if there {
        let why = format!(
            "The pull request no longer has the label `{label}`, without which `{branch}` allows no preview: its preview was deleted. Add the label to get a new one."
        );
        other.notices.push(why);
        other.trigger = Trigger::Unlabelled(pull_request);
    } else {
        other.trigger = Trigger::PlanOnly {
            reason: format!(
                "Add the label `{label}` to the pull request to get a preview: `{branch}` allows none without it (`preview.label`)."
            ),
            pull_request: Some(pull_request),
        };
    }
    other
}

async fn has_preview(
    common: &Common,
    environment: &Environment,
    progress: &Arc<dyn Progress>,
    run: &Run,
    number: u64,
) -> Result<bool, Error> {
    let config = match setup::config(common) {
        Ok(config) => config,
        Err(error) => setup::config_for_cleanup(common).ok_or(error)?,
    };
    let services = setup::services(common, environment.clone(), Arc::clone(progress)).await?;
    let found = cleanup::list(&services, &config.project, &config.region).await?;
    let previews = cleanup::previews(&found, &run.context.repository);
    Ok(previews.iter().any(|(_, of)| *of == number))
}

/// The configuration's path from the repository's root, with `/`; `None` when it is not in the checkout.
fn path_in_repository(common: &Common, environment: &Environment) -> Option<String> {
    let named = given(common.config.as_deref()).unwrap_or(DEFAULT_CONFIG);
    let here = std::env::current_dir().and_then(std::fs::canonicalize).ok()?;
    let workspace = environment.get("GITHUB_WORKSPACE").map(PathBuf::from);
    let real = workspace
        .as_deref()
        .and_then(|path| std::fs::canonicalize(path).ok());
    // As it is named and as it really is: either may stand in the input.
    let tops = match (&workspace, &real) {
        (Some(named), Some(real)) => vec![real.as_path(), named.as_path()],
        (Some(named), None) => vec![named.as_path()],
        (None, _) => vec![here.as_path()],
    };
    let below = tops.iter().find_map(|top| below(top, &here, named))?;
    // A checkout may be in a folder of the workspace (`path:` of actions/checkout). The outermost one counts: a
    // repository inside of it is a submodule, and a pull request may add one.
    let top = tops.first()?;
    let mut folders: Vec<&Path> = below.ancestors().skip(1).collect();
    folders.reverse();
    let root = folders
        .into_iter()
        .find(|folder| top.join(folder).join(".git").exists());
    let path = root
        .and_then(|root| below.strip_prefix(root).ok())
        .unwrap_or(&below);
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).filter(|path| !path.is_empty())
}

/// `named`, seen from `here`, as a path below `top`. By its name alone: where a link in the pull request's own tree
/// leads is no business of the base branch's.
fn below(top: &Path, here: &Path, named: &str) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in here.join(named).components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain.strip_prefix(top).ok().map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_found_below_the_checkout_by_its_name() {
        for (here, named, expected) in [
            ("/w", "llm-deploy.yaml", Some("llm-deploy.yaml")),
            ("/w", "./infra/../infra/x.yaml", Some("infra/x.yaml")),
            ("/w/infra", "x.yaml", Some("infra/x.yaml")),
            ("/w/infra", "../x.yaml", Some("x.yaml")),
            ("/tmp", "/w/x.yaml", Some("x.yaml")),
            ("/w", "../x.yaml", None),
            ("/w", "/etc/x.yaml", None),
            ("/w2", "x.yaml", None),
        ] {
            let found = below(Path::new("/w"), Path::new(here), named);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{here} {named}");
        }
    }

    #[test]
    fn the_outermost_checkout_in_the_workspace_is_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("app/infra/.git");
        std::fs::create_dir_all(&inner).unwrap();
        let find = |named: &str| {
            let common = Common {
                config: Some(folder.path().join(named).display().to_string()),
                ..Common::default()
            };
            let workspace = folder.path().display().to_string();
            let environment = [("GITHUB_WORKSPACE", workspace)].into_iter().collect();
            path_in_repository(&common, &environment)
        };
        assert_eq!(find("app/infra/x.yaml").as_deref(), Some("x.yaml"));
        std::fs::create_dir_all(folder.path().join("app/.git")).unwrap();
        assert_eq!(find("app/infra/x.yaml").as_deref(), Some("infra/x.yaml"));
        std::fs::create_dir_all(folder.path().join(".git")).unwrap();
        assert_eq!(find("app/infra/x.yaml").as_deref(), Some("app/infra/x.yaml"));
        assert_eq!(find("../x.yaml"), None);
    }
}
