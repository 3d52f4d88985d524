//! Whether a pull request's run may deploy: what the base branch's file says, before anything is asked of Google.
//!
//! A preview that a person deploys by hand is their own decision, with their own credentials: nobody asks.

use std::sync::Arc;

use super::{Error, config_file, run::Run, setup};
use crate::{
    cli::Common,
    config::Config,
    environment::Environment,
    event::{PullRequest, Trigger},
    github::GitHub,
    pipeline::{
        cleanup,
        failed::{Blame, Failed},
        github_pages,
        limits::{self, MissingLabel, Rules},
        places::places,
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
        let number = pull_request.number;
        let there = has_preview(common, environment, progress, run, number, github).await;
        let there = match there {
            Ok(true) => true,
            // What GitHub shows is deleted, or set inactive; or it is an error that it can't be.
            Ok(false) => is_shown(github, number).await,
            Err(error) => {
                let warning = format!("a preview from before may still be there: {}", error.message);
                progress.warn("label", &warning);
                is_shown(github, number).await
            }
        };
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

    /// Takes secrets from the configuration that the preview must not have; returns what to tell the reader, also of
    /// settings that are not the base branch's.
    pub fn restrict(&self, config: &mut Config) -> Vec<String> {
        let Self::Within(rules) = self else {
            return Vec::new();
        };
        let mut told = rules.differences(config);
        told.extend(rules.withhold_tokens(config));
        told
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
    let file = config_file::in_repository(environment, config_file::named(common)).ok_or_else(|| {
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
        config_file::DEFAULT,
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
            "The pull request no longer has the label `{label}`, without which `{branch}` allows no preview: the one that it had is deleted. Add the label to get a new one."
        );
        other.notices.push(why);
        other.trigger = Trigger::Unlabelled(pull_request);
    } else {
        other.trigger = Trigger::PlanOnly {
            reason: format!(
                "Add the label `{label}` to the pull request to get a preview: `{branch}` allows none without it (`preview.label`)."
            ),
            pull_request: Some(pull_request),
            no_preview: true,
        };
    }
    other
}

/// Whether GitHub shows a preview. Where it can't be asked, what Google says has to do.
async fn is_shown(github: Option<&GitHub>, number: u64) -> bool {
    match github {
        Some(github) => github_pages::shows_preview(github, number).await.unwrap_or(false),
        None => false,
    }
}

async fn has_preview(
    common: &Common,
    environment: &Environment,
    progress: &Arc<dyn Progress>,
    run: &Run,
    number: u64,
    github: Option<&GitHub>,
) -> Result<bool, Error> {
    let config = match setup::config(common, environment).await {
        Ok(config) => config,
        Err(error) => setup::config_for_cleanup(common, environment, github, Some(number))
            .await
            .ok_or(error)?,
    };
    let services = setup::services(common, environment.clone(), Arc::clone(progress)).await?;
    let places = places(&services, github, &config, Some(number), run.started_at).await;
    let mut unseen = None;
    for (index, place) in places.all.iter().enumerate() {
        let found = match cleanup::list(&services, &place.project, &place.region).await {
            Ok(found) => found,
            // The deletion looks there again and says what it could not see.
            Err(failed) => {
                unseen = unseen.or((index == 0).then_some(failed));
                continue;
            }
        };
        let previews = cleanup::previews(&found, (&run.context).into());
        if previews.iter().any(|(_, of)| *of == number) {
            return Ok(true);
        }
    }
    unseen.map_or(Ok(false), |failed| Err(failed.into()))
}
