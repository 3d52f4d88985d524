//! The run on GitHub's own pages: deployments with their environment, and whether a pull request is still open.
//!
//! Each is optional: without the permission the run goes on, with a warning that names it.

use std::{ops::ControlFlow, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Services,
    claim::Claim,
    live::{self, Surface},
    recorder::Recorder,
    standing::Environment,
};
use crate::{
    github::{self, Deployment, DeploymentState, GitHub, PullRequestState},
    report::{ModelReport, Status, words},
};

/// How the environments of previews begin.
pub const PREVIEWS: &str = "preview/pr-";

pub fn preview_environment(number: u64) -> String {
    format!("{PREVIEWS}{number}")
}

pub async fn is_closed(services: &Services, github: Option<&GitHub>, number: u64) -> bool {
    let state = pull_request(services, github, number).await;
    state.is_some_and(|state| !state.open)
}

/// What GitHub says of a pull request; `None` when it can't be asked or doesn't answer, which is told. One that isn't
/// there counts so, too: GitHub says the same of what a token may not see.
pub async fn pull_request(
    services: &Services,
    github: Option<&GitHub>,
    number: u64,
) -> Option<PullRequestState> {
    pull_request_named(services, github, number).await.0
}

/// As [`pull_request`], for a number that a person gave; the sentence says that there is no such pull request.
pub async fn pull_request_named(
    services: &Services,
    github: Option<&GitHub>,
    number: u64,
) -> (Option<PullRequestState>, Option<String>) {
    let Some(github) = github else {
        return (None, None);
    };
    let state = async {
        match github.pull_request_state(number).await {
            // Of this one alone: another may well be there.
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(Some),
        }
    };
    let optional = &services.optional.pull_requests;
    match optional.run(services.progress.as_ref(), state).await {
        Some(None) => {
            let said = format!("There is no pull request #{number}, or the token may not see it.");
            services.progress.warn("github", &said);
            (None, Some(said))
        }
        other => (other.flatten(), None),
    }
}

/// Deployments of an environment that are looked at for one that is still shown.
const SHOWN: usize = 5;

/// Whether GitHub shows a preview of the pull request as deployed, or as being deployed.
///
/// # Errors
/// When GitHub refuses or can't be reached.
pub async fn shows_preview(github: &GitHub, number: u64) -> Result<bool, github::Error> {
    let deployments = github.deployments(&preview_environment(number)).await?;
    for deployment in deployments.iter().take(SHOWN) {
        let state = github.deployment_state(deployment.id).await?;
        if state.is_some_and(|state| state.is_open() || state == DeploymentState::Success) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says at GitHub what is going to be deployed.
pub async fn open_deployment(
    services: &Services,
    github: Option<&GitHub>,
    environment: &Environment<'_>,
    claim: &Claim,
) -> Option<Deployment> {
    let github = github?;
    let payload = serde_json::to_value(claim).unwrap_or_default();
    let (optional, progress) = (&services.optional.deployments, services.progress.as_ref());
    let production = environment.production;
    let made = github.create_deployment(
        environment.commit,
        environment.name,
        production,
        !production,
        &payload,
    );
    let made = optional.run(progress, made).await?;
    let (page, said) = (environment.context.run_url.as_deref(), "Planned, about to begin");
    let status = github.deployment_status(made.id, DeploymentState::Queued, None, page, said);
    optional.quietly(progress, status).await;
    // Its end is told all the same.
    Some(made)
}

/// Tells the deployment at which stage the models are, until the run has ended.
pub async fn follow_deployment(
    services: &Services,
    run_url: Option<&str>,
    github: Option<&GitHub>,
    deployment: Option<u64>,
    ended: CancellationToken,
) {
    let (Some(github), Some(id)) = (github, deployment) else {
        return;
    };
    let pause = services.environment.tempo.of(live::PAUSE);
    let mut stages = Stages {
        services,
        github,
        id,
        run_url,
    };
    live::follow(&services.board, ended, pause, &mut stages).await;
}

struct Stages<'a> {
    services: &'a Services,
    github: &'a GitHub,
    id: u64,
    run_url: Option<&'a str>,
}

impl Surface for Stages<'_> {
    type Shown = String;

    fn shown(&self, models: &[ModelReport]) -> String {
        doing(models)
    }

    async fn write(&mut self, models: Vec<ModelReport>) -> ControlFlow<()> {
        let optional = &self.services.optional.deployments;
        let (state, said) = (DeploymentState::InProgress, doing(&models));
        let status = self
            .github
            .deployment_status(self.id, state, None, self.run_url, &said);
        optional.quietly(self.services.progress.as_ref(), status).await;
        if optional.is_refused() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// What the run is doing, by the model that has come least far. Pure.
fn doing(models: &[ModelReport]) -> String {
    let under_way = models.iter().filter_map(live::stage);
    let places: Vec<usize> = under_way.filter_map(live::place).collect();
    let first = places.iter().min();
    let said = first.and_then(|first| live::STAGES.get(*first)).copied();
    let said = words::capital(words::doing(said.unwrap_or_default()));
    let there = places.iter().filter(|place| Some(*place) == first).count();
    match (there, models.len()) {
        (0, _) | (_, 1) => said,
        (there, all) => format!("{said} ({there} of {all} models)"),
    }
}

/// The state that a run's deployment ends in, with a word on it. Pure.
fn verdict(recorders: &[Recorder]) -> (DeploymentState, &'static str) {
    let any = |status| recorders.iter().any(|r| r.report.status == status);
    if any(Status::Cancelled) {
        (DeploymentState::Error, "The run was cancelled")
    } else if recorders.iter().any(|r| r.blame.is_some()) {
        (DeploymentState::Failure, "A stage failed; see the run")
    } else if any(Status::Superseded) {
        (DeploymentState::Inactive, "A newer run took over")
    } else {
        (DeploymentState::Success, "Deployed and tested")
    }
}

const fn limit(state: DeploymentState) -> Duration {
    match state {
        DeploymentState::Error => Duration::from_millis(1500),
        _ => Duration::from_secs(300),
    }
}

pub async fn close_deployment(
    services: &Services,
    run_url: Option<&str>,
    github: Option<&GitHub>,
    deployment: Option<u64>,
    recorders: &[Recorder],
) {
    let (Some(github), Some(id)) = (github, deployment) else {
        return;
    };
    let (state, said) = verdict(recorders);
    let url = recorders
        .iter()
        .find_map(|r| r.report.url.as_deref())
        .filter(|_| state == DeploymentState::Success);
    let (optional, progress) = (&services.optional.deployments, services.progress.as_ref());
    let told = github.deployment_status(id, state, url, run_url, said);
    // Also after a refusal: the deployment would look as if it went on. A cancelled run has seconds left, and the
    // comment is still to come.
    match tokio::time::timeout(limit(state), told).await {
        Ok(told) => {
            optional.insist(progress, async { told }).await;
        }
        Err(_) => optional.tell(progress, "the deployment was not updated in time"),
    }
}

pub async fn deactivate(services: &Services, github: Option<&GitHub>, numbers: &[u64]) {
    let Some(github) = github else { return };
    let (optional, progress) = (&services.optional.deployments, services.progress.as_ref());
    let work = async {
        for number in numbers {
            let environment = preview_environment(*number);
            optional.run(progress, github.deactivate(&environment)).await;
        }
    };
    // Each request may be put off for minutes, and there are many.
    let limit = services.environment.tempo.of(limit(DeploymentState::Inactive));
    if tokio::time::timeout(limit, work).await.is_err() {
        optional.tell(progress, "not every deployment was set inactive in time");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{pipeline::failed::Blame, progress::Silent};

    #[test]
    fn a_deployment_ends_as_its_worst_model() {
        let model = |status, blame| {
            let mut recorder = Recorder::new("qwen", "Qwen/Qwen3-4B", true, Arc::new(Silent));
            (recorder.report.status, recorder.blame) = (status, blame);
            recorder
        };
        let fine = || model(Status::Succeeded, None);
        for (other, expected) in [
            (fine(), DeploymentState::Success),
            (model(Status::Superseded, None), DeploymentState::Inactive),
            (
                model(Status::Failed, Some(Blame::Input)),
                DeploymentState::Failure,
            ),
            (model(Status::Cancelled, None), DeploymentState::Error),
        ] {
            assert_eq!(verdict(&[fine(), other]).0, expected);
        }
    }

    #[test]
    fn a_deployment_says_what_the_model_that_is_least_far_is_doing() {
        let at = |stage: Option<&str>| {
            let mut model = Recorder::new("qwen", "Qwen/Qwen3-4B", true, Arc::new(Silent)).report;
            model
                .stages
                .extend(stage.map(|name| crate::report::Stage::at_once(name, Status::Running)));
            model
        };
        assert_eq!(doing(&[at(Some("build"))]), "Building the image");
        assert_eq!(doing(&[at(None)]), "Under way");
        let several = [
            at(Some("latency")),
            at(Some("build")),
            at(None),
            at(Some("build")),
        ];
        assert_eq!(doing(&several), "Building the image (2 of 4 models)");
    }
}
