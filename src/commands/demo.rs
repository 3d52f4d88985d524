//! `demo`: the whole job on this machine, through the same code as `run`, against the embedded emulator.

use std::{path::Path, sync::Arc, time::Duration};

use llm_deploy_emulator::{
    Emulator, Running, Settings, Speed,
    github::{self, PULL_REQUEST, REPOSITORY},
    iam::Iam,
};
use serde_json::Value;

use super::{
    Error,
    emulator::PROJECT,
    run::{self, Run},
};
use crate::{
    cli::{Common, DemoArgs, DemoEvent},
    environment::Environment,
    pipeline::failed::Blame,
    progress::{Progress, Silent},
    report::Report,
};

const MODEL: &str = "Qwen/Qwen3.5-4B";
const REGION: &str = "europe-west4";

pub async fn run(args: &DemoArgs, environment: &Environment) -> Result<u8, Error> {
    let out = args.out.as_path();
    std::fs::create_dir_all(out).map_err(|e| unwritable(out, &e))?;
    let settings = Settings {
        project: PROJECT.to_owned(),
        serve: args.serve.clone(),
        pace: 1.0,
        // Fast enough for the measurement to take seconds.
        speed: Speed {
            ttft: Duration::from_millis(30),
            gap: Duration::from_millis(2),
        },
        ..Settings::default()
    };
    let emulator = Emulator::start(settings)
        .await
        .map_err(|e| Error::service(format!("the emulator could not start: {e}")))?;
    let demo = Demo {
        args,
        out,
        emulator: &emulator,
    };
    // What serves the model is a process of its own: it must not outlive the demo.
    let code = match crate::signal::unless_stopped(demo.run(environment)).await {
        Some(code) => code,
        None => {
            super::tell(environment.masks(), "interrupted: ending what was started here");
            Ok(super::INTERRUPTED)
        }
    };
    emulator.stop().await;
    code
}

struct Demo<'a> {
    args: &'a DemoArgs,
    out: &'a Path,
    emulator: &'a Running,
}

impl Demo<'_> {
    /// The whole job, and its exit code.
    async fn run(&self, environment: &Environment) -> Result<u8, Error> {
        let progress = crate::ui::progress(environment, false);
        if let Some(before) = self.before() {
            progress.note("demo", &format!("first, unseen: {}", name(before)));
            self.event(before, Arc::new(Silent)).await?;
        }
        let (report, blame) = self.event(self.args.event, Arc::clone(&progress)).await?;
        drop(progress);
        run::show(&Common::default(), environment.masks(), &report);
        super::print(environment.masks(), &where_it_is(self.out));
        Ok(run::exit_code(&report, blame))
    }

    /// What has to have happened before the event makes sense.
    fn before(&self) -> Option<DemoEvent> {
        match self.args.event {
            DemoEvent::Closed => Some(DemoEvent::PullRequest),
            DemoEvent::Schedule => Some(DemoEvent::Push),
            DemoEvent::Push | DemoEvent::PullRequest => None,
        }
    }

    async fn event(
        &self,
        event: DemoEvent,
        progress: Arc<dyn Progress>,
    ) -> Result<(Report, Option<Blame>), Error> {
        if event == DemoEvent::Closed {
            self.emulator
                .emulator
                .github
                .close_pull_request(REPOSITORY, PULL_REQUEST);
        }
        let environment = self.runner(event)?;
        let run = Run::from_event(&environment, vec![self.notice()]).await?;
        let github = run::github(&environment, progress.as_ref());
        Ok(run::execute(&self.common(), environment, progress, &run, github.as_ref()).await)
    }

    /// What the reader must know before taking the figures for a model's.
    fn notice(&self) -> String {
        match &self.args.serve {
            Some(command) => format!(
                "This is a demo: Google Cloud, GitHub and Hugging Face are stand-ins on this machine. The endpoint is what `{command}` serves."
            ),
            None => "This is a demo: Google Cloud, GitHub and Hugging Face are stand-ins on this machine, and so is the endpoint. Its text and its speed are made up; `--serve 'vllm serve …'` puts a real server in its place.".to_owned(),
        }
    }

    /// The inputs that a workflow would give.
    fn common(&self) -> Common {
        let text = |value: &str| Some(value.to_owned());
        Common {
            model: text(MODEL),
            project: text(PROJECT),
            region: text(REGION),
            workload_identity_provider: Some(Iam::provider_name()),
            service_account: Some(format!("llm-deployer@{PROJECT}.iam.gserviceaccount.com")),
            report_dir: self.out.to_str().map(str::to_owned),
            ..Common::default()
        }
    }

    /// The environment as GitHub's runner makes it, with base URLs of the emulator.
    fn runner(&self, event: DemoEvent) -> Result<Environment, Error> {
        let mut payload = github::event_payload(name(event), REPOSITORY, PULL_REQUEST)
            .ok_or_else(|| Error::service("the demo's event could not be made"))?;
        if let Some(title) = payload.pointer_mut("/pull_request/title") {
            *title = format!("Serve {MODEL}").into();
        }
        let event_path = self.out.join("event.json");
        std::fs::write(&event_path, format!("{payload:#}")).map_err(|e| unwritable(&event_path, &e))?;
        let commit = payload
            .pointer("/after")
            .or_else(|| payload.pointer("/pull_request/head/sha"));
        let mut environment: Environment = self.emulator.environment().into_iter().collect();
        let event_name = name(event).split('.').next().unwrap_or_default();
        for (variable, value) in [
            ("GITHUB_EVENT_NAME", event_name.to_owned()),
            ("GITHUB_EVENT_PATH", event_path.display().to_string()),
            ("GITHUB_REPOSITORY", REPOSITORY.to_owned()),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("GITHUB_REF_NAME", "main".to_owned()),
            (
                "GITHUB_SHA",
                commit
                    .and_then(Value::as_str)
                    .unwrap_or("0".repeat(40).as_str())
                    .to_owned(),
            ),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
        ] {
            environment.set(variable, value);
        }
        // Federation, as in a workflow, rather than the emulator's ready token.
        environment.set("CLOUDSDK_AUTH_ACCESS_TOKEN", "");
        Ok(environment)
    }
}

/// Kind of the event's payload.
fn name(event: DemoEvent) -> &'static str {
    match event {
        DemoEvent::Push => "push",
        DemoEvent::PullRequest => "pull_request.opened",
        DemoEvent::Closed => "pull_request.closed",
        DemoEvent::Schedule => "schedule",
    }
}

fn where_it_is(out: &Path) -> String {
    let files = ["comment.md", "summary.md", "report.html", "report.json"];
    let paths: Vec<String> = files
        .iter()
        .map(|file| format!("  {}", out.join(file).display()))
        .collect();
    format!(
        "Written:\n{}\nThe endpoint ended with the demo; `llm-deploy help emulator` tells of one that stays.",
        paths.join("\n")
    )
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::input(format!(
        "could not write {}: {error}. Choose another folder with --out",
        path.display()
    ))
}
