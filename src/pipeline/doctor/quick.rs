//! The quick form: one round of requests beside the survey, and a gate before the first change.

use std::{future::Future, time::Duration};

use tokio::sync::OnceCell;

use super::Look;
use crate::{
    config::Config,
    doctor::{apis, permissions, quick::Facts, quota},
    google::{resource::Resource, service_usage},
    pipeline::{
        Services,
        failed::{Blame, Failed},
        survey::Surveyed,
    },
};

/// Longest that a run waits for it: what comes later is passed over.
const PATIENCE: Duration = Duration::from_secs(5);

/// What every model of a run passes between its survey and its first change.
pub struct Gate<'a> {
    services: &'a Services,
    config: &'a Config,
    facts: OnceCell<Facts>,
}

impl<'a> Gate<'a> {
    /// Nothing is sent before [`Self::beside`].
    pub fn new(services: &'a Services, config: &'a Config) -> Self {
        Self {
            services,
            config,
            facts: OnceCell::new(),
        }
    }

    /// The survey, with the requests of the quick form beside it: once for all models. They are one round trip deep
    /// and change nothing.
    ///
    /// # Errors
    /// The survey's, or what is certain to end the run later: an API that it needs is not enabled.
    pub async fn beside(
        &self,
        survey: impl Future<Output = Result<Surveyed, Failed>>,
    ) -> Result<Surveyed, Failed> {
        let (facts, surveyed) = futures::join!(self.facts.get_or_init(|| self.look()), survey);
        let build = surveyed.as_ref().map_or(true, |s| s.plan.needs_build());
        match facts.stop(self.config, build) {
            Some(stop) => Err(Failed::new(Blame::Deployment, stop.title, stop.cause).fix(stop.fix)),
            None => surveyed,
        }
    }

    /// What the reader of the report should know; nothing when no model came this far.
    pub fn notices(&self) -> Vec<String> {
        let facts = self.facts.get();
        facts.map_or_else(Vec::new, |facts| facts.warnings(self.config))
    }

    async fn look(&self) -> Facts {
        let (google, config) = (&self.services.google, self.config);
        let look = Look {
            services: self.services,
            config,
            patience: PATIENCE,
        };
        let hosts = apis::hosts();
        let project = Resource::Project(config.project.clone());
        let ids = quota::ids(config, false);
        let (apis, asked, quotas) = futures::join!(
            look.seen(service_usage::states(google, &config.project, &hosts)),
            look.permissions(project, permissions::on_project(config)),
            look.quotas(&ids),
        );
        let facts = Facts {
            apis,
            permissions: asked.held.map(Option::unwrap_or_default),
            quotas,
        };
        for warning in facts.warnings(config) {
            self.services.progress.warn("doctor", &warning);
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use llm_deploy_emulator::{
        Emulator, Running, Settings,
        faults::{Fault, Pattern, Rule},
    };
    use serde_json::Value;

    use super::*;
    use crate::{
        auth::Credentials,
        config::{self, Source},
        environment::Environment,
        google::Client,
        pipeline::survey,
        plan::target::Target,
        progress::Silent,
        tempo::Tempo,
    };

    const CONFIG: &str = "project: demo-project\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n";

    async fn services(running: &Running) -> Services {
        let mut environment: Environment = running.environment().into_iter().collect();
        environment.tempo = Tempo::new(0.14);
        let credentials = Credentials::discover(&environment, None, None).await.unwrap();
        Services {
            google: Client::new(&environment, credentials.access()).unwrap(),
            environment,
            credentials,
            progress: Arc::new(Silent),
            hugging_face_token: None,
            api_key: None,
            files: Default::default(),
            board: crate::pipeline::live::Board::default(),
            optional: crate::pipeline::optional::Optionals::default(),
        }
    }

    /// Ids of the requests that came.
    fn asked(record: &std::path::Path) -> Vec<String> {
        let text = std::fs::read_to_string(record).unwrap();
        let id = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["id"]
                .as_str()
                .map(str::to_owned)
        };
        text.lines().filter_map(id).collect()
    }

    /// All hang, and still each was sent, and the survey beside them: no request waits for another's answer.
    #[tokio::test]
    async fn the_requests_are_one_deep_beside_the_survey_and_no_run_waits_for_long() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("requests.jsonl");
        let settings = Settings {
            project: "demo-project".to_owned(),
            record: Some(record.clone()),
            ..Settings::default()
        };
        let running = Emulator::start(settings).await.unwrap();
        for service in ["serviceusage", "cloudresourcemanager", "cloudquotas"] {
            running.emulator.faults.add(Rule {
                on: Pattern {
                    service: Some(service.to_owned()),
                    ..Pattern::default()
                },
                skip: 0,
                times: u32::MAX,
                fault: Fault::Hang,
            });
        }
        let source = Source {
            name: "llm-deploy.yaml",
            text: CONFIG,
        };
        let config = config::resolve(Some(source), &[]).unwrap();
        let services = services(&running).await;
        let gate = Gate::new(&services, &config);
        let target = Target::production(&config, &config.models[0], "octo/app", "c0ffee");
        let surveyed = gate
            .beside(survey::survey(&services, &config.build, target))
            .await;
        assert!(surveyed.is_ok(), "{:?}", surveyed.err());
        assert_eq!(gate.notices(), Vec::<String>::new());
        let asked = asked(&record);
        let count = |part: &str| asked.iter().filter(|id| id.contains(part)).count();
        let seen = [
            "services.batchGet",
            "projects.testIamPermissions",
            "quotaInfos.get",
            "run.projects",
        ]
        .map(count);
        assert_eq!(seen, [1, 1, 3, 1], "{asked:?}");
    }
}
