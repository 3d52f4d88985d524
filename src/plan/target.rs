//! Which service a model is deployed to: production's, or a pull request's preview.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};

use super::rank::Rank;
use crate::config::{Config, Model, Service};

/// Labels by which our services are known. Cloud Run allows lowercase letters, digits, `-` and `_`, at most 63.
pub mod label {
    pub const MANAGED_BY: &str = "managed-by";
    pub const TOOL: &str = "llm-deploy";
    pub const REPOSITORY: &str = "llm-deploy-repository";
    pub const KIND: &str = "llm-deploy-kind";
    pub const PULL_REQUEST: &str = "llm-deploy-pull-request";
    /// Commit that last changed the service.
    pub const COMMIT: &str = "llm-deploy-commit";
    /// [`Rank`](crate::plan::rank::Rank) of the run that last changed the service.
    pub const RUN: &str = "llm-deploy-run";
    /// Unix time in seconds after which a preview may be deleted.
    pub const EXPIRES: &str = "llm-deploy-expires";
}

/// Longest value of a label.
const LONGEST: usize = 63;

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
    /// The service's settings in production, without the preview's limits.
    pub production: Service,
    /// `owner/name`.
    pub repository: String,
    pub commit: String,
    /// Where the run that deploys it stands among others; `None` when nothing is deployed.
    pub rank: Option<Rank>,
}

impl Target {
    pub fn production(config: &Config, model: &Model, repository: &str, commit: &str) -> Self {
        Self {
            stage: Stage::Production,
            project: config.project.clone(),
            region: config.region.clone(),
            service: model.name.clone(),
            model: model.clone(),
            production: model.service.clone(),
            repository: repository.to_owned(),
            commit: commit.to_owned(),
            rank: None,
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
            (label::COMMIT, plain(&self.commit).chars().take(LONGEST).collect()),
        ]);
        labels.extend(self.rank.map(|rank| (label::RUN, rank.to_string())));
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

/// When a preview's time is up, by its labels; `None` without one that is readable.
pub fn expiry(labels: &BTreeMap<String, String>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(labels.get(label::EXPIRES)?.parse().ok()?, 0)
}

/// `Octo/App` → `octo_app`. With a hash of the whole where something had to be replaced or cut, so that no two
/// repositories share a label: previews are deleted by it. GitHub ignores a name's case.
pub fn repository_label(repository: &str) -> String {
    let label = plain(repository);
    let name = repository.to_lowercase();
    if label.len() <= LONGEST && label.replacen('_', "/", 1) == name {
        return label;
    }
    let hash = short_hash(&name);
    let room = LONGEST - hash.len() - 1;
    format!("{}-{hash}", label.get(..room).unwrap_or(&label))
}

/// In lowercase, `/` as `_` and whatever else a label can't hold as `-`: ASCII alone.
fn plain(text: &str) -> String {
    let allowed = |c| match c {
        'a'..='z' | '0'..='9' | '-' => c,
        '/' => '_',
        _ => '-',
    };
    text.to_lowercase().chars().map(allowed).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_models_preview_suits_its_own_gpu() {
        let text = "project: acme-llm\nregion: europe-west4\nmodels:\n  - Qwen/Qwen3.5-4B\n  - { id: Qwen/Qwen3-32B, service: { gpu: nvidia-rtx-pro-6000, cpu: 20, memory: 80Gi } }\n";
        let source = crate::config::Source { name: "f", text };
        let config = crate::config::resolve(Some(source), &[]).unwrap();
        let sizes: Vec<_> = config
            .models
            .iter()
            .map(|model| {
                let target = Target::preview(&config, model, "o/r", "c", 1, DateTime::UNIX_EPOCH);
                (target.model.service.cpu, target.model.service.memory.to_string())
            })
            .collect();
        assert_eq!(sizes, [(4, "16Gi".to_owned()), (20, "80Gi".to_owned())]);
    }

    #[test]
    fn no_two_repositories_share_a_label() {
        assert_eq!(repository_label("Octo/App"), "octo_app");
        assert_eq!(repository_label("local"), "local");
        let long = "o".repeat(39);
        let names = [
            "octo/my-repo".to_owned(),
            "octo/my.repo".to_owned(),
            "octo/my_repo".to_owned(),
            "octo_my/repo".to_owned(),
            format!("{long}/{}a", "n".repeat(60)),
            format!("{long}/{}b", "n".repeat(60)),
        ];
        let labels: std::collections::BTreeSet<_> = names.iter().map(|n| repository_label(n)).collect();
        assert_eq!(labels.len(), names.len(), "{labels:?}");
        assert!(labels.iter().all(|label| label.len() <= 63), "{labels:?}");
    }
}
