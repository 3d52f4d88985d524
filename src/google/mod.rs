//! Google Cloud's REST APIs, one small file each. Base URLs, credentials, retries and errors: [`client`].

mod answer;
pub mod artifact_registry;
pub mod build_log;
pub mod client;
pub mod cloud_build;
pub mod cloud_quotas;
mod denied;
mod error;
mod failure;
mod gone;
pub mod image_versions;
pub mod logging;
pub mod monitoring;
pub mod operation;
mod pace;
pub mod permissions;
pub mod policy;
mod request;
pub mod resource;
pub mod resource_manager;
pub mod roles;
pub mod run;
pub mod secret_manager;
pub mod service_accounts;
pub mod service_usage;
mod silence;
pub mod storage;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod workload_identity;
mod write;

pub use answer::Answer;
pub use client::Client;
pub use error::Error;
