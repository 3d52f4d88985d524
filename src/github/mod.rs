//! GitHub: the sticky comment, deployments, check runs, issues, the pull request's state, and the runner's commands.

pub mod actions;
mod checks;
mod client;
mod comments;
mod contents;
mod deployments;
mod error;
mod identity;
mod issues;
mod pulls;
mod repository;
mod runs;
#[cfg(test)]
mod tests;

pub use checks::{Annotation, Check, Conclusion};
pub use client::GitHub;
pub use comments::Comment;
pub use deployments::{Deployment, DeploymentState};
pub use error::Error;
pub use identity::User;
pub use issues::{Issue, Opened};
pub use pulls::PullRequestState;
pub use repository::{Repository, look_up};
pub use runs::{PERMISSION as PERMISSION_TO_READ_RUNS, RunState, WorkflowRun};
