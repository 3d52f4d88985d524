//! Setting up a Google Cloud project for a repository: what a deployment needs to be there, what is there, and the
//! steps from one to the other.
//!
//! [`wanted`] and [`roles`] say what shall be, [`survey`] reads what is, [`plan`] compares the two and does nothing
//! else, [`apply`] carries one step out. Every step can be done again, and a second run finds nothing to do.

pub mod apply;
pub mod explain;
pub mod files;
pub mod gcloud;
pub mod plan;
pub mod roles;
pub mod show;
pub mod survey;
#[cfg(test)]
mod tests;
pub mod wanted;

pub use plan::{Action, State, Step, plan};
pub use survey::{Found, survey};
pub use wanted::Wanted;
