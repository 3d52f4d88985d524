//! Which service a model is deployed to: production's, or a pull request's preview.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};

use crate::config::{Config, Model};

/// Labels by which our services are known. Cloud Run allows lowercase letters, digits, `-` and `_`, at most 63.
pub mod label {
    pub const MANAGED_BY: &str = "managed-by";
    pub const TOOL: &str = "llm-deploy";
    pub const REPOSITORY: &str = "llm-deploy-repository";
    pub const KIND: &str = "llm-deploy-kind";
    pub const PULL_REQUEST: &str = "llm-deploy-pull-request";
    /// Commit that last changed the service.
    pub const COMMIT: &str = "llm-deploy-commit";
    /// Unix time in seconds after which a preview may be deleted.
    pub const EXPIRES: &str = "llm-deploy-expires";
}

/// For whom a run deploys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    Production,
    Preview {
        pull_request: u64,
        expires_at: DateTime<Utc>,
        lifetime: Duration,
    },
}

/// One model, aimed at one service, every difference between production and preview resolved.
#[derive(Clone, Debug)]
pub struct Target {
    pub stage: Stage,
    pub project: String,
    pub region: String,
    /// Cloud Run service id.
    pub service: String,
    /// With the preview's limits applied.
    pub model: Model,
    /// `owner/name`.
    pub repository: String,
    pub commit: String,
}

impl Target {
    pub fn production(config: &Config, model: &Model, repository: &str, commit: &str) -> Self {
        Self {
            stage: Stage::Production,
            project: config.project.clone(),
            region: config.region.clone(),
            service: model.name.clone(),
            model: model.clone(),
            repository: repository.to_owned(),
            commit: commit.to_owned(),
        }
    }

    /// A preview scales to zero, runs at most `preview.max-instances`, and expires.
    pub fn preview(
        config: &Config,
        model: &Model,
        repository: &str,
        commit: &str,
        pull_request: u64,
        now: DateTime<Utc>,
    ) -> Self {
        let preview = &config.preview;
        let mut target = Self::production(config, model, repository, commit);
        target.stage = Stage::Preview {
            pull_request,
            expires_at: now + preview.expires,
            lifetime: preview.expires,
        };
        target.service = format!("{}-pr-{pull_request}", model.name);
        let service = &mut target.model.service;
        service.min_instances = 0;
        service.max_instances = preview.max_instances;
        (service.cpu, service.memory) = preview.size_on(&service.gpu);
        target
    }

    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from([
            (label::MANAGED_BY, label::TOOL.to_owned()),
            (label::REPOSITORY, repository_label(&self.repository)),
            (label::COMMIT, self.commit.to_lowercase()),
        ]);
        match &self.stage {
            Stage::Production => {
                labels.insert(label::KIND, "production".to_owned());
            }
            Stage::Preview {
                pull_request,
                expires_at,
                ..
            } => {
                labels.insert(label::KIND, "preview".to_owned());
                labels.insert(label::PULL_REQUEST, pull_request.to_string());
                labels.insert(label::EXPIRES, expires_at.timestamp().to_string());
            }
        }
        labels
            .into_iter()
            .filter(|(_, v)| !v.is_empty())
            .map(|(k, v)| (k.to_owned(), v))
            .collect()
    }
}

/// `Owner/My.Repo` → `owner_my-repo`; cut with a hash of the whole when it is too long for a label, so that two
/// long names stay apart.
pub fn repository_label(repository: &str) -> String {
    let plain: String = repository
        .to_lowercase()
        .chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '-' => c,
            '/' => '_',
            _ => '-',
        })
        .collect();
    if plain.len() <= 63 {
        return plain;
    }
    format!("{}-{}", &plain[..54], short_hash(repository))
}

/// Eight hex digits that stand for a text.
pub fn short_hash(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes())
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
