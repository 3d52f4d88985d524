//! The stages with side effects, in order: survey, build, deploy, verify, report; and the clean-up.

pub mod build;
pub mod check_run;
mod claim;
pub mod cleanup;
pub mod cold_start;
pub mod comment;
pub mod deploy;
pub mod doctor;
pub mod explain;
pub mod facts;
pub mod failed;
pub mod github_pages;
pub mod history;
pub mod images;
pub mod incident;
pub mod jobs;
pub mod limits;
pub mod live;
pub mod model;
pub mod optional;
pub mod other_runs;
pub mod own_build;
pub mod places;
pub mod production;
pub mod recorder;
pub mod report;
pub mod scheduled;
pub mod smoke;
pub mod standing;
pub mod survey;
pub mod sweep;
mod verdict;
pub mod verify;
pub mod workflow_runs;

use std::sync::Arc;

use secrecy::SecretString;

use crate::{auth::Credentials, environment::Environment, file::open::Reach, google, progress::Progress};

/// What every stage works with.
pub struct Services {
    pub environment: Environment,
    pub google: google::Client,
    pub credentials: Credentials,
    pub progress: Arc<dyn Progress>,
    /// Token for Hugging Face's API on this machine (`HF_TOKEN`); builds get theirs from Secret Manager.
    pub hugging_face_token: Option<SecretString>,
    /// vLLM's own API key, when the service has one (`LLM_DEPLOY_API_KEY`).
    pub api_key: Option<SecretString>,
    /// Where files may be that the configuration names.
    pub files: Reach,
    /// Where the run's models are, for who follows it.
    pub board: live::Board,
    /// What of GitHub's the run can do without.
    pub optional: optional::Optionals,
}
