//! Which service a model is deployed to: production's, or a pull request's preview.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};

use super::{owner::Owner, preview_name};
use crate::{
    config::{Config, Model, Service},
    event::RunId,
};

/// Labels by which our services are known. Cloud Run allows lowercase letters, digits, `-` and `_`, at most 63.
pub mod label {
    pub const MANAGED_BY: &str = "managed-by";
    pub const TOOL: &str = "llm-deploy";
    pub const REPOSITORY: &str = "llm-deploy-repository";
    /// GitHub's number of the repository, which stays when it is renamed. Services of older versions lack it.
    pub const REPOSITORY_ID: &str = "llm-deploy-repository-id";
    pub const KIND: &str = "llm-deploy-kind";
    pub const PRODUCTION: &str = "production";
    pub const PREVIEW: &str = "preview";
    pub const PULL_REQUEST: &str = "llm-deploy-pull-request";
    /// Commit that last changed the service.
    pub const COMMIT: &str = "llm-deploy-commit";
    /// [`RunId`](crate::event::RunId) of the workflow run that last changed the service.
    pub const RUN: &str = "llm-deploy-run";
    /// [`Target::source`] of a preview.
    pub const SOURCE: &str = "llm-deploy-config";
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
    /// GitHub's number of the repository; `None` where no event says it.
    pub repository_id: Option<u64>,
    pub commit: String,
    /// Stands for the configuration file that asks for a preview, among those of the repository; `None` when it can't
    /// be told from others.
    pub source: Option<String>,
    /// The workflow run that deploys it; `None` outside of GitHub Actions, and when nothing is deployed.
    pub run: Option<RunId>,
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
            repository_id: None,
            commit: commit.to_owned(),
            source: None,
            run: None,
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
        target.model.places = model.places.clone().of_a_preview();
        target.service = preview_name::plain(&model.name, pull_request);
        let service = &mut target.model.service;
        service.min_instances = 0;
        service.max_instances = preview.max_instances;
        (service.cpu, service.memory) = preview.size_on(&service.gpu);
        target
    }

    /// The same preview under its repository's own name, for when the plain one is somebody else's; `None` when it has
    /// that name already, and for production.
    pub fn under_own_name(&self) -> Option<Self> {
        let Stage::Preview { pull_request, .. } = self.stage else {
            return None;
        };
        let service = preview_name::of_repository(&self.model.name, &self.repository, pull_request);
        (service != self.service).then(|| Self {
            service,
            ..self.clone()
        })
    }

    /// The repository that deploys it.
    pub fn owner(&self) -> Owner<'_> {
        Owner {
            name: &self.repository,
            id: self.repository_id,
        }
    }

    /// The labels that say whose a service is, and what for.
    pub fn identity(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            (label::MANAGED_BY, label::TOOL.to_owned()),
            (label::REPOSITORY, repository_label(&self.repository)),
        ];
        all.extend(
            self.repository_id
                .map(|id| (label::REPOSITORY_ID, id.to_string())),
        );
        match self.stage {
            Stage::Production => all.push((label::KIND, label::PRODUCTION.to_owned())),
            Stage::Preview { pull_request, .. } => all.extend([
                (label::KIND, label::PREVIEW.to_owned()),
                (label::PULL_REQUEST, pull_request.to_string()),
            ]),
        }
        all
    }

    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.identity();
        labels.push((label::COMMIT, plain(&self.commit).chars().take(LONGEST).collect()));
        labels.extend(self.run.map(|run| (label::RUN, run.to_string())));
        if let Stage::Preview { expires_at, .. } = self.stage {
            labels.push((label::EXPIRES, expires_at.timestamp().to_string()));
            labels.extend(self.source.iter().map(|source| (label::SOURCE, plain(source))));
        }
        labels
            .into_iter()
            .filter(|(_, v)| !v.is_empty())
            .map(|(k, v)| (k.to_owned(), v))
            .collect()
    }
}

/// The run that last changed a service, by its labels; `None` without one that is readable.
pub fn run_in_labels(labels: &BTreeMap<String, String>) -> Option<RunId> {
    labels.get(label::RUN)?.parse().ok()
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
    fn every_label_is_one_that_cloud_run_takes() {
        let text = "project: acme-llm\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n";
        let config = crate::config::resolve(Some(crate::config::Source { name: "f", text }), &[]).unwrap();
        let repositories = [
            "Octo/App".to_owned(),
            "o/Ünï.x".to_owned(),
            format!("o/{}", "n".repeat(100)),
        ];
        for repository in repositories {
            for commit in [
                "c0ffee".to_owned(),
                "F".repeat(64),
                "a branch/\u{202e}".to_owned(),
            ] {
                let model = &config.models[0];
                let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
                let mut target = Target::preview(&config, model, &repository, &commit, u64::MAX, now);
                target.source = Some(short_hash("llm-deploy.yaml"));
                target.run = "18446744073709551615-4294967295".parse().ok();
                let labels = target.labels();
                let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
                for (key, value) in &labels {
                    assert!(value.len() <= 63 && value.chars().all(inside), "{key}: {value}");
                }
                let keys: Vec<&str> = labels.keys().map(String::as_str).collect();
                assert_eq!(
                    keys,
                    [
                        "llm-deploy-commit",
                        "llm-deploy-config",
                        "llm-deploy-expires",
                        "llm-deploy-kind",
                        "llm-deploy-pull-request",
                        "llm-deploy-repository",
                        "llm-deploy-run",
                        "managed-by"
                    ]
                );
            }
        }
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
