//! A world for one test: an emulator of its own, a folder, and the binary run in it as the runner would.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use llm_deploy_emulator::{Emulator, Running, Settings, Speed, github, iam::Iam};
use serde_json::Value;

pub const REPOSITORY: &str = "octo-org/llm-endpoint";
/// The workflow's file.
pub const WORKFLOW: &str = ".github/workflows/llm.yml";
pub const PROJECT: &str = "demo-project";
pub const REGION: &str = "europe-west4";
pub const PULL_REQUEST: u64 = 12;

pub struct World {
    pub folder: tempfile::TempDir,
    pub emulator: Running,
    environment: Vec<(String, String)>,
    runtime: tokio::runtime::Runtime,
}

/// What a run left behind. Of the output what GitHub's log shows: without the lines that tell the runner what to hide.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// What the runner was told to hide.
    pub masked: Vec<String>,
}

impl World {
    /// An emulator without pretended delays and an endpoint as fast as it can be.
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        // The tests' own client needs it; only the first world's call has an effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings {
            project: PROJECT.to_owned(),
            record: Some(folder.path().join("requests.jsonl")),
            pace: 0.0,
            speed: Speed {
                ttft: Duration::from_millis(2),
                gap: Duration::ZERO,
            },
            ..Settings::default()
        };
        change(&mut settings);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let emulator = runtime.block_on(Emulator::start(settings)).unwrap();
        let environment = emulator.environment();
        let world = Self {
            folder,
            emulator,
            environment,
            runtime,
        };
        world.write(
            "llm-deploy.yaml",
            &config("latency: { requests: 4, concurrency: [1, 2], max-tokens: 8 }"),
        );
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Runs `llm-deploy run` on an event in a GitHub Actions environment.
    pub fn run(&self, event: &str) -> Ran {
        self.run_with(event, &[])
    }

    pub fn run_with(&self, event: &str, more: &[(&str, &str)]) -> Ran {
        let (name, payload) = self.event(event);
        self.write("event.json", &payload.to_string());
        self.actions(&["run"], &name, more)
    }

    /// The event's name as GitHub gives it, and its payload.
    pub fn event(&self, event: &str) -> (String, Value) {
        let payload = github::event_payload(event, REPOSITORY, PULL_REQUEST).unwrap();
        (event.split('.').next().unwrap().to_owned(), payload)
    }

    /// As `run_with`, signed in by workload identity federation as a workflow is.
    pub fn run_federated(&self, event: &str, more: &[(&str, &str)]) -> Ran {
        let provider = Iam::provider_name();
        let mut variables = vec![
            ("CLOUDSDK_AUTH_ACCESS_TOKEN", ""),
            ("LLM_DEPLOY_WORKLOAD_IDENTITY_PROVIDER", provider.as_str()),
        ];
        variables.extend(more);
        self.run_with(event, &variables)
    }

    /// Runs the binary with the event in `event.json`.
    pub fn actions(&self, arguments: &[&str], event_name: &str, more: &[(&str, &str)]) -> Ran {
        ran(self.actions_command(arguments, event_name, more))
    }

    pub fn actions_command(&self, arguments: &[&str], event_name: &str, more: &[(&str, &str)]) -> Command {
        for file in ["summary.md", "outputs.txt"] {
            self.write(file, "");
        }
        let mut command = self.command(arguments);
        command
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_EVENT_NAME", event_name)
            .env("GITHUB_EVENT_PATH", self.path("event.json"))
            .env("GITHUB_REPOSITORY", REPOSITORY)
            .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")
            .env("GITHUB_REF", "refs/heads/main")
            .env("GITHUB_REF_NAME", "main")
            .env("GITHUB_SERVER_URL", "https://github.com")
            .env("GITHUB_RUN_ID", "42")
            .env(
                "GITHUB_WORKFLOW_REF",
                format!("{REPOSITORY}/{WORKFLOW}@refs/heads/main"),
            )
            .env("GITHUB_WORKSPACE", self.path(""))
            .env("GITHUB_STEP_SUMMARY", self.path("summary.md"))
            .env("GITHUB_OUTPUT", self.path("outputs.txt"))
            .env("LLM_DEPLOY_REPORT_DIR", self.path("report"));
        for (name, value) in more {
            command.env(name, value);
        }
        command
    }

    /// The binary in this world's folder, with nothing of the test's own environment but PATH.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("llm-deploy"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path());
        command.env(
            "LLM_DEPLOY_SERVICE_ACCOUNT",
            format!("llm-deployer@{PROJECT}.iam.gserviceaccount.com"),
        );
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Starts `llm-deploy run` on an event, for a test that does something while it runs.
    pub fn start(&self, event: &str) -> Child {
        let (name, payload) = self.event(event);
        self.write("event.json", &payload.to_string());
        let mut command = self.actions_command(&["run"], &name, &[]);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until the emulator got a request whose method id ends so. (Permissions have such names, too.)
    #[track_caller]
    pub fn wait_for_request(&self, id: &str) {
        self.wait_until(id, || self.was_asked(id));
    }

    #[track_caller]
    pub fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        // Far more than it takes on a busy machine.
        let until = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < until, "not within a minute: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a request comes whose path ends so.
    #[track_caller]
    pub fn wait_for_path(&self, end: &str) {
        self.wait_until(end, || {
            let text = self.read("requests.jsonl");
            let requests = text.lines().map(serde_json::from_str::<Value>);
            requests
                .flatten()
                .any(|request| request["path"].as_str().is_some_and(|path| path.ends_with(end)))
        });
    }

    /// Whether a request's method id ends so. The last line may be half written.
    fn was_asked(&self, id: &str) -> bool {
        let text = self.read("requests.jsonl");
        let requests = text.lines().map(serde_json::from_str::<Value>);
        requests
            .flatten()
            .any(|request| request["id"].as_str().is_some_and(|found| found.ends_with(id)))
    }

    /// The comments on the pull request.
    pub fn comments(&self) -> Vec<String> {
        self.emulator
            .emulator
            .github
            .comments(REPOSITORY, PULL_REQUEST)
            .into_iter()
            .map(|c| c.body)
            .collect()
    }

    pub fn report(&self) -> Value {
        self.json("report/report.json")
    }

    /// Outputs of the last run: `name<<DELIMITER\nvalue\nDELIMITER`.
    pub fn output(&self, name: &str) -> Option<String> {
        let text = self.read("outputs.txt");
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some((found, delimiter)) = line.split_once("<<") else {
                continue;
            };
            let value: Vec<&str> = lines.by_ref().take_while(|l| *l != delimiter).collect();
            if found == name {
                return Some(value.join("\n"));
            }
        }
        None
    }

    /// Requests that the emulator got, as `--record` writes them.
    pub fn requests(&self) -> Vec<Value> {
        self.read("requests.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn forget_requests(&self) {
        // The emulator appends; emptying the file keeps its handle valid.
        std::fs::File::create(self.path("requests.jsonl")).unwrap();
    }

    /// A Cloud Run service as the API shows it; `None` when it is not there.
    pub fn service(&self, name: &str) -> Option<Value> {
        let path = format!("/run/v2/projects/{PROJECT}/locations/{REGION}/services/{name}");
        self.get(&path)
    }

    /// Lets pull requests set this for their previews: `preview.limits.allow` on the base branch, inside of its braces.
    pub fn allow(&self, settings: &str) {
        let file = format!("preview: {{ limits: {{ allow: {{ {settings} }} }} }}");
        let github = &self.emulator.emulator.github;
        github.put_file(REPOSITORY, "main", "llm-deploy.yaml", &file);
    }

    /// A request to GitHub with the job's token, as any step of a job can send it; the path is below the repository.
    pub fn github(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let emulator = &self.emulator.emulator;
        let url = format!("{}/github/repos/{REPOSITORY}/{path}", emulator.base_url);
        let mut request = reqwest::Client::new()
            .request(method.parse().unwrap(), url)
            .bearer_auth(emulator.tokens.github());
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = async {
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success(), "{method} {path}: {answer:?}");
            answer.json().await.unwrap()
        };
        self.runtime.block_on(answer)
    }

    /// Changes something behind the product's back.
    pub fn change(&self, method: reqwest::Method, path: &str, body: &Value) {
        let url = format!("{}{path}", self.emulator.emulator.base_url);
        let token = self.emulator.emulator.tokens.ready();
        let mut request = reqwest::Client::new().request(method, url).bearer_auth(token);
        if !body.is_null() {
            request = request.json(body);
        }
        let status = self.runtime.block_on(request.send()).unwrap().status();
        assert!(status.is_success(), "{status}");
    }

    /// What the owner is answered.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.emulator.emulator.base_url);
        let token = self.emulator.emulator.tokens.ready();
        let mut request = reqwest::Client::new().post(url).bearer_auth(token);
        if !body.is_null() {
            request = request.json(body);
        }
        self.runtime
            .block_on(async { request.send().await.unwrap().json().await.unwrap() })
    }

    /// Runs something beside the emulator.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// What the owner sees; `None` when it is not there.
    pub fn get(&self, path: &str) -> Option<Value> {
        let url = format!("{}{path}", self.emulator.emulator.base_url);
        let token = self.emulator.emulator.tokens.ready();
        let request = reqwest::Client::new().get(url).bearer_auth(token);
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            response
                .status()
                .is_success()
                .then_some(response)?
                .json()
                .await
                .ok()
        })
    }
}

/// A line that is shown although its test passes: the harness keeps what goes through `println!`.
pub fn say(line: &str) {
    use std::io::Write;
    let mut error = std::io::stderr();
    writeln!(error, "{line}").unwrap();
}

/// A configuration with the least that every test needs.
pub fn config(more: &str) -> String {
    format!("project: {PROJECT}\nregion: {REGION}\nmodel: Qwen/Qwen3.5-4B\n{more}\n")
}

pub fn ran(mut command: Command) -> Ran {
    left_behind(command.output().unwrap())
}

/// The end of a run that [`World::start`] started.
pub fn ended(child: Child) -> Ran {
    left_behind(child.wait_with_output().unwrap())
}

fn left_behind(output: Output) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let mut masked = Vec::new();
    let mut shown = |bytes: Vec<u8>| {
        let mut shown = String::new();
        for line in String::from_utf8_lossy(&bytes).split_inclusive('\n') {
            match line.strip_prefix("::add-mask::") {
                Some(secret) => masked.push(secret.trim_end().to_owned()),
                None => shown.push_str(line),
            }
        }
        shown
    };
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: shown(stdout),
        stderr: shown(stderr),
        masked,
    }
}

impl Ran {
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }
}

/// Whether a folder holds a file with this text anywhere.
pub fn found_below(folder: &Path, needle: &str) -> Vec<PathBuf> {
    let mut hits = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            hits.extend(found_below(&path, needle));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(needle) {
            hits.push(path);
        }
    }
    hits
}
