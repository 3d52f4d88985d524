//! One emulator and the runs against it, in this process: the same code as `llm-deploy run`, in quick time.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use llm_deploy::{
    cli::Common,
    commands::run::{self, Run},
    environment::Environment,
    progress::Progress,
    report::Report,
    tempo::Tempo,
};
use llm_deploy_emulator::{Emulator, Running, Settings, Speed, github, iam::Iam};

pub const PROJECT: &str = "demo-project";
pub const REGION: &str = "europe-west4";

/// What the main job is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A push: an old revision serves, a new image has to be built.
    Production,
    /// A pull request's first deployment, in a project where nothing was deployed before.
    Preview,
}

impl Scenario {
    pub const ALL: [Self; 2] = [Self::Production, Self::Preview];
}

/// How a run ended.
pub struct Ended {
    pub code: u8,
    pub report: Report,
    /// What the log warned of.
    pub warnings: Vec<String>,
    pub summary: String,
}

pub struct World {
    pub scenario: Scenario,
    pub emulator: Running,
    folder: tempfile::TempDir,
}

impl World {
    /// The world as the run that is to be disturbed finds it.
    pub async fn new(scenario: Scenario) -> Self {
        let settings = Settings {
            project: PROJECT.to_owned(),
            // A build takes about 0.1 s: long enough to be looked at several times.
            pace: 0.03,
            speed: Speed {
                ttft: Duration::from_millis(1),
                gap: Duration::ZERO,
            },
            ..Settings::default()
        };
        let world = Self {
            scenario,
            emulator: Emulator::start(settings).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        if scenario == Scenario::Production {
            world.configure("vllm/vllm-openai:v0.10.1");
            let before = world.run(Tempo::new(crate::TEMPO)).await;
            assert_eq!(before.code, 0, "the old revision: {:?}", before.report.models);
        }
        world.configure("vllm/vllm-openai:v0.10.2");
        let allowed = "preview: { limits: { allow: { image.base: ['vllm/vllm-openai:*'] } } }";
        let github = &world.emulator.emulator.github;
        github.put_file(github::REPOSITORY, "main", "llm-deploy.yaml", allowed);
        world
    }

    fn configure(&self, base: &str) {
        let text = format!(
            "project: {PROJECT}\nregion: {REGION}\nmodel: Qwen/Qwen3.5-4B\nimage: {{ base: '{base}' }}\n\
             build: {{ timeout: 10m }}\nservice: {{ min-instances: 1 }}\n\
             smoke: {{ timeout: 60s, max-tokens: 4 }}\n\
             latency: {{ requests: 1, concurrency: [1], max-tokens: 2, timeout: 60s }}\n"
        );
        std::fs::write(self.path("llm-deploy.yaml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the main job to its end.
    pub async fn run(&self, tempo: Tempo) -> Ended {
        let environment = self.environment(tempo);
        let progress = Arc::new(Heard::default());
        let run = Run::from_event(&environment, Vec::new()).await.unwrap();
        let github = run::github(&environment, progress.as_ref());
        std::fs::write(self.path("summary.md"), "").unwrap();
        let (report, blame) = run::execute(
            &self.common(),
            environment,
            Arc::clone(&progress) as Arc<dyn Progress>,
            &run,
            github.as_ref(),
        )
        .await;
        Ended {
            code: run::exit_code(&report, blame),
            summary: std::fs::read_to_string(self.path("summary.md")).unwrap(),
            report,
            warnings: progress.0.lock().unwrap().clone(),
        }
    }

    fn common(&self) -> Common {
        let text = |value: &str| Some(value.to_owned());
        Common {
            config: self.path("llm-deploy.yaml").to_str().map(str::to_owned),
            workload_identity_provider: Some(Iam::provider_name()),
            service_account: text(&format!("llm-deployer@{PROJECT}.iam.gserviceaccount.com")),
            ..Common::default()
        }
    }

    fn environment(&self, tempo: Tempo) -> Environment {
        let (event, kind) = match self.scenario {
            Scenario::Production => ("push", "push"),
            Scenario::Preview => ("pull_request", "pull_request.opened"),
        };
        let payload = github::event_payload(kind, github::REPOSITORY, github::PULL_REQUEST).unwrap();
        std::fs::write(self.path("event.json"), payload.to_string()).unwrap();
        let mut environment: Environment = self.emulator.environment().into_iter().collect();
        let path = |name: &str| self.path(name).display().to_string();
        for (name, value) in [
            ("GITHUB_EVENT_NAME", event.to_owned()),
            ("GITHUB_EVENT_PATH", path("event.json")),
            ("GITHUB_WORKSPACE", path("")),
            ("GITHUB_REPOSITORY", github::REPOSITORY.to_owned()),
            (
                "GITHUB_SHA",
                "0123456789abcdef0123456789abcdef01234567".to_owned(),
            ),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("GITHUB_REF_NAME", "main".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_RUN_ID", "42".to_owned()),
            ("GITHUB_STEP_SUMMARY", path("summary.md")),
            // Federation, as in a workflow, rather than the emulator's ready token.
            ("CLOUDSDK_AUTH_ACCESS_TOKEN", String::new()),
        ] {
            environment.set(name, value);
        }
        environment.tempo = tempo;
        environment
    }

    /// What an API answers, in the owner's name.
    pub async fn get(&self, path: &str) -> serde_json::Value {
        let emulator = &self.emulator.emulator;
        static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
        let client = CLIENT.get_or_init(reqwest::Client::new);
        let request = client
            .get(format!("{}{path}", emulator.base_url))
            .bearer_auth(emulator.tokens.ready());
        request.send().await.unwrap().json().await.unwrap()
    }
}

/// Keeps the warnings.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn stage(&self, _: &str, _: &str) {}
    fn status(&self, _: &str, _: &str) {}
    fn note(&self, _: &str, _: &str) {}
    fn warn(&self, _: &str, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn fail(&self, _: &str, _: &str, _: Option<&llm_deploy::report::Place>) {}
    fn log(&self, _: &str, _: &str) {}
}
