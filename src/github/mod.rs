//! GitHub: the sticky comment, deployments, the pull request's state, and the runner's commands.

pub mod actions;
mod client;
mod comments;
mod contents;
mod deployments;
mod error;
mod pulls;
mod repository;
#[cfg(test)]
mod tests;

pub use client::GitHub;
pub use comments::Comment;
pub use deployments::{Deployment, DeploymentState};
pub use error::Error;
pub use pulls::PullRequestState;
pub use repository::{Repository, look_up};
