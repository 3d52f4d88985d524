//! GitHub: the sticky comment, deployments, issues, the pull request's state, and the runner's commands.

pub mod actions;
mod client;
mod comments;
mod deployments;
mod error;
mod issues;
mod pulls;
mod repository;
#[cfg(test)]
mod tests;

pub use client::GitHub;
pub use comments::Comment;
pub use deployments::{Deployment, DeploymentState};
pub use error::Error;
pub use issues::{Issue, Opened};
pub use pulls::PullRequestState;
pub use repository::{Repository, look_up};
