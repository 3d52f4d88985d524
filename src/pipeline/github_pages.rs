//! The run on GitHub's own pages: deployments with their environment, and whether a pull request is still open.
//!
//! Each is optional: without the permission the run goes on, with a warning that names it.

use super::{Services, recorder::Recorder};
use crate::{
    github::{DeploymentState, GitHub},
    report::Status,
};

pub fn preview_environment(number: u64) -> String {
    format!("preview/pr-{number}")
}

pub async fn is_closed(services: &Services, github: Option<&GitHub>, number: u64) -> bool {
    let Some(github) = github else { return false };
    match github.pull_request_state(number).await {
        Ok(state) => !state.open,
        Err(error) => {
            services.progress.warn(
                "github",
                &format!("could not see whether the pull request is still open: {error}"),
            );
            false
        }
    }
}

pub async fn open_deployment(
    services: &Services,
    run_url: Option<&str>,
    github: Option<&GitHub>,
    git_ref: &str,
    environment: &str,
    production: bool,
) -> Option<u64> {
    let github = github?;
    let opened = github
        .create_deployment(git_ref, environment, production, !production)
        .await;
    let warn = |text: String| services.progress.warn("github", &text);
    let id = opened
        .inspect_err(|error| warn(format!("no GitHub deployment was made: {error}")))
        .ok()?;
    let said = "Building and testing";
    let state = DeploymentState::InProgress;
    if let Err(error) = github.deployment_status(id, state, None, run_url, said).await {
        warn(format!("the GitHub deployment was not updated: {error}"));
    }
    // Its end is told all the same.
    Some(id)
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
    let cancelled = recorders.iter().any(|r| r.report.status == Status::Cancelled);
    let passed = !cancelled && recorders.iter().all(|r| r.blame.is_none());
    let (state, said) = match (passed, cancelled) {
        (true, _) => (DeploymentState::Success, "Deployed and tested"),
        (_, true) => (DeploymentState::Error, "The run was cancelled"),
        _ => (DeploymentState::Failure, "A stage failed; see the run"),
    };
    let url = recorders
        .iter()
        .find_map(|r| r.report.url.as_deref())
        .filter(|_| passed);
    if let Err(error) = github.deployment_status(id, state, url, run_url, said).await {
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
