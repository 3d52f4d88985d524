//! One emulator and the runs against it, in this process: the same code as `llm-deploy run`, in quick time.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use llm_deploy::{
    cli::Common,
    commands::{
        event,
        run::{self, Run},
    },
    environment::Environment,
    event::Trigger,
    progress::Progress,
    report::Report,
    tempo::Tempo,
};
use llm_deploy_emulator::{
    Emulator, Running, Settings, Speed,
    github::{self, GitHub},
    iam::Iam,
};
use serde_json::Value;

use crate::{
    others,
    scenario::{Scenario, Start},
};

pub const PROJECT: &str = "demo-project";
pub const REGION: &str = "europe-west4";
pub const OTHER_REGION: &str = "us-central1";

/// How a run ended.
pub struct Ended {
    pub code: u8,
    pub report: Report,
    /// What the log warned of.
    pub warnings: Vec<String>,
    pub summary: String,
    /// The step's outputs.
    pub outputs: BTreeMap<String, String>,
    /// `report.json`.
    pub written: Value,
    /// How long it took, as the run counts time.
    pub lasted: Duration,
}

/// Which run it is that comes after a disturbed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The disturbed one.
    First,
    /// The same, started again.
    SecondAttempt,
    /// That of the event that comes next.
    NextEvent,
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
        others::seed(&world).await;
        scenario.prepare(&world).await;
        world
    }

    pub fn configure(&self, base: &str, region: &str) {
        self.write(&format!(
            "region: {region}\nmodel: Qwen/Qwen3.5-4B\n{}",
            settings(base)
        ));
    }

    /// Two models, each a service.
    pub fn configure_two(&self, base: &str) {
        self.write(&format!(
            "region: {REGION}\nmodels: [{{ id: Qwen/Qwen3.5-4B }}, {{ id: Qwen/Qwen3-0.6B }}]\n{}",
            settings(base)
        ));
    }

    fn write(&self, text: &str) {
        let text = format!("project: {PROJECT}\n{text}");
        std::fs::write(self.path("llm-deploy.yaml"), text).unwrap();
    }

    pub fn github(&self) -> &GitHub {
        &self.emulator.emulator.github
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the scenario's job to its end.
    pub async fn run(&self, turn: Turn, tempo: Tempo) -> Ended {
        let (start, number) = match turn {
            Turn::First => (self.scenario.start(), ("42", "1")),
            Turn::SecondAttempt => (self.scenario.start(), ("42", "2")),
            Turn::NextEvent => (self.scenario.next(), ("43", "1")),
        };
        self.start(start, number, tempo).await
    }

    /// Runs the job that `start` asks for, as the run of this number and attempt.
    ///
    /// On the heap, because a whole run is large.
    pub fn start<'a>(
        &'a self,
        start: Start,
        number: (&'a str, &'a str),
        tempo: Tempo,
    ) -> BoxFuture<'a, Ended> {
        Box::pin(self.started(start, number, tempo))
    }

    async fn started(&self, start: Start, number: (&str, &str), tempo: Tempo) -> Ended {
        for name in ["summary.md", "outputs.txt"] {
            std::fs::write(self.path(name), "").unwrap();
        }
        let _ = std::fs::remove_dir_all(self.path("report"));
        let environment = self.environment(start, number, tempo);
        let progress = Arc::new(Heard::default());
        let run = match start {
            Start::Event(..) => Run::from_event(&environment, Vec::new()).await.unwrap(),
            Start::Cleanup => Run::new(Trigger::Cleanup, event::place(&environment), Vec::new()),
        };
        let github = run::github(&environment, progress.as_ref());
        let began = Instant::now();
        let common = self.common();
        let (report, blame) = run::execute(
            &common,
            environment,
            Arc::clone(&progress) as Arc<dyn Progress>,
            &run,
            github.as_ref(),
        )
        .await;
        let lasted = tempo.nominal(began.elapsed());
        let read = |name: &str| std::fs::read_to_string(self.path(name)).unwrap_or_default();
        Ended {
            code: run::exit_code(&report, blame),
            summary: read("summary.md"),
            outputs: outputs(&read("outputs.txt")),
            written: serde_json::from_str(&read("report/report.json")).unwrap_or_default(),
            lasted,
            report,
            warnings: progress.0.lock().unwrap().clone(),
        }
    }

    fn common(&self) -> Common {
        let text = |value: &str| Some(value.to_owned());
        Common {
            config: self.path("llm-deploy.yaml").to_str().map(str::to_owned),
            workload_identity_provider: Some(Iam::provider_name()),
            report_dir: self.path("report").to_str().map(str::to_owned),
            service_account: text(&format!("llm-deployer@{PROJECT}.iam.gserviceaccount.com")),
            ..Common::default()
        }
    }

    fn environment(&self, start: Start, (number, attempt): (&str, &str), tempo: Tempo) -> Environment {
        let (event, kind, action) = match start {
            Start::Event(event, kind, action) => (event, kind, action),
            // A person's command in a workflow.
            Start::Cleanup => ("workflow_dispatch", "workflow_dispatch", None),
        };
        let mut payload = github::event_payload(kind, github::REPOSITORY, github::PULL_REQUEST).unwrap();
        if let Some(action) = action {
            payload["action"] = action.into();
        }
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
            ("GITHUB_RUN_ID", number.to_owned()),
            ("GITHUB_RUN_ATTEMPT", attempt.to_owned()),
            ("GITHUB_OUTPUT", path("outputs.txt")),
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
    pub async fn get(&self, path: &str) -> Value {
        self.send(reqwest::Method::GET, path, &Value::Null).await
    }

    /// Sends a request to an API, in the owner's name.
    pub async fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let emulator = &self.emulator.emulator;
        static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
        let client = CLIENT.get_or_init(reqwest::Client::new);
        let request = client
            .request(method, format!("{}{path}", emulator.base_url))
            .bearer_auth(emulator.tokens.ready());
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        request.send().await.unwrap().json().await.unwrap()
    }
}

fn settings(base: &str) -> String {
    format!(
        "image: {{ base: '{base}' }}\nbuild: {{ timeout: 10m }}\nservice: {{ min-instances: 1 }}\n\
         smoke: {{ timeout: 60s, max-tokens: 4 }}\n\
         latency: {{ requests: 1, concurrency: [1], max-tokens: 2, timeout: 60s }}\n"
    )
}

/// `name=value` lines, and values of several lines between two marks, as the runner reads them.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some((name, mark)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != mark).collect();
            found.insert(name.to_owned(), value.join("\n"));
        } else if let Some((name, value)) = line.split_once('=') {
            found.insert(name.to_owned(), value.to_owned());
        }
    }
    found
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
