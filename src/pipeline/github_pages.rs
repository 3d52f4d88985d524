//! The run on GitHub's own pages: deployments with their environment, and whether a pull request is still open.
//!
//! Each is optional: without the permission the run goes on, with a warning that names it.

use std::time::Duration;

use super::{Services, others::Claim, recorder::Recorder, standing::Environment};
use crate::{
    github::{DeploymentState, Error, GitHub, PullRequestState},
    report::Status,
};

pub fn preview_environment(number: u64) -> String {
    format!("preview/pr-{number}")
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
    let state = github?.pull_request_state(number).await;
    let warn = |error: &Error| {
        let said = format!("could not see whether pull request #{number} is still open: {error}");
        services.progress.warn("github", &said);
    };
    state.inspect_err(warn).ok()
}

pub async fn open_deployment(
    services: &Services,
    github: Option<&GitHub>,
    environment: &Environment<'_>,
    claim: &Claim,
) -> Option<u64> {
    let github = github?;
    let payload = serde_json::to_value(claim).unwrap_or_default();
    let (production, page) = (environment.production, environment.run_url);
    let warn = |text: String| services.progress.warn("github", &text);
    let id = github
        .create_deployment(
            environment.commit,
            environment.name,
            production,
            !production,
            &payload,
        )
        .await
        .inspect_err(|error| warn(format!("no GitHub deployment was made: {error}")))
        .ok()?;
    let (state, said) = (DeploymentState::InProgress, "Building and testing");
    if let Err(error) = github.deployment_status(id, state, None, page, said).await {
        warn(format!("the GitHub deployment was not updated: {error}"));
    }
    // Its end is told all the same.
    Some(id)
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
    let told = github.deployment_status(id, state, url, run_url, said);
    // A cancelled run has seconds left, and the comment is still to come.
    let Ok(told) = tokio::time::timeout(limit(state), told).await else {
        return services
            .progress
            .warn("github", "the GitHub deployment was not updated in time");
    };
    if let Err(error) = told {
        services.progress.warn(
            "github",
            &format!("the GitHub deployment was not updated: {error}"),
        );
    }
}

pub async fn deactivate(services: &Services, github: Option<&GitHub>, numbers: &[u64]) {
    let Some(github) = github else { return };
    for number in numbers {
        if let Err(error) = github.deactivate(&preview_environment(*number)).await {
            services.progress.warn(
                "github",
                &format!("the deployments of #{number} were not set inactive: {error}"),
            );
        }
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
}
