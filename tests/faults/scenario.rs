//! What a run is asked to do, and what it finds.

use llm_deploy::tempo::Tempo;
use llm_deploy_emulator::github;
use serde_json::{Value, json};

use crate::world::{OTHER_REGION, PROJECT, REGION, Turn, World};

/// What the run is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A push: an old revision serves, a new image has to be built.
    Production,
    /// A pull request's first deployment, in a project where nothing was deployed before.
    Preview,
    /// A push, in a project where nothing was deployed before.
    FirstProduction,
    /// A further commit of a pull request that has a preview.
    SecondPush,
    /// A pull request's end. Its preview was in another region at first, and that one is still there.
    Closed,
    /// The label that the preview takes was taken away.
    Unlabelled,
    /// Production is tested; a preview's time is up.
    Schedule,
    /// The command `cleanup`; a pull request was closed.
    Cleanup,
    /// A push that deploys two models for the first time.
    SeveralModels,
}

/// What starts a run.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// An event: its name, the payload's kind, and the action where the payload is another action's.
    Event(&'static str, &'static str, Option<&'static str>),
    /// The command `cleanup`.
    Cleanup,
}

const PUSH: Start = Start::Event("push", "push", None);
const OPENED: Start = Start::Event("pull_request", "pull_request.opened", None);
const SYNCHRONIZED: Start = Start::Event("pull_request", "pull_request.synchronize", None);
const CLOSED: Start = Start::Event("pull_request", "pull_request.closed", None);
const UNLABELLED: Start = Start::Event("pull_request", "pull_request.opened", Some("unlabeled"));
const SCHEDULE: Start = Start::Event("schedule", "schedule", None);

const OLD: &str = "vllm/vllm-openai:v0.10.1";
const NEW: &str = "vllm/vllm-openai:v0.10.2";
const LABEL: &str = "deploy-preview";

impl Scenario {
    pub const ALL: [Self; 9] = [
        Self::Production,
        Self::Preview,
        Self::FirstProduction,
        Self::SecondPush,
        Self::Closed,
        Self::Unlabelled,
        Self::Schedule,
        Self::Cleanup,
        Self::SeveralModels,
    ];

    /// Whether each test run has all of its cases; of the others it has one for each request.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Production | Self::Preview)
    }

    pub fn start(self) -> Start {
        match self {
            Self::Production | Self::FirstProduction | Self::SeveralModels => PUSH,
            Self::Preview => OPENED,
            Self::SecondPush => SYNCHRONIZED,
            Self::Closed => CLOSED,
            Self::Unlabelled => UNLABELLED,
            Self::Schedule => SCHEDULE,
            Self::Cleanup => Start::Cleanup,
        }
    }

    /// What comes next, when it is another event.
    pub fn next(self) -> Start {
        match self {
            Self::Production | Self::FirstProduction | Self::SeveralModels => PUSH,
            Self::Preview | Self::SecondPush | Self::Unlabelled => SYNCHRONIZED,
            Self::Closed | Self::Schedule | Self::Cleanup => SCHEDULE,
        }
    }

    /// Whether the run that comes after is about the same pull request, and says on its pages what has become of it.
    pub fn is_taken_up(self, again: Turn) -> bool {
        match self {
            Self::Closed => again == Turn::SecondAttempt,
            Self::Schedule | Self::Cleanup => false,
            _ => true,
        }
    }

    /// Makes what the run finds.
    pub async fn prepare(self, world: &World) {
        world.configure(NEW, REGION);
        self.allow(world);
        match self {
            Self::Preview | Self::FirstProduction => {}
            Self::Production => {
                world.configure(OLD, REGION);
                before(world, PUSH).await;
                world.configure(NEW, REGION);
            }
            Self::SecondPush => {
                world.configure(OLD, REGION);
                before(world, OPENED).await;
                world.configure(NEW, REGION);
            }
            Self::Closed => {
                before(world, PUSH).await;
                world.configure(NEW, OTHER_REGION);
                before(world, OPENED).await;
                world.configure(NEW, REGION);
                before(world, SYNCHRONIZED).await;
                world
                    .github()
                    .close_pull_request(github::REPOSITORY, github::PULL_REQUEST);
            }
            Self::Unlabelled => {
                world
                    .github()
                    .label(github::REPOSITORY, github::PULL_REQUEST, LABEL);
                before(world, OPENED).await;
                world
                    .github()
                    .unlabel(github::REPOSITORY, github::PULL_REQUEST, LABEL);
            }
            Self::Schedule => {
                before(world, PUSH).await;
                before(world, OPENED).await;
                expire(world).await;
            }
            Self::Cleanup => {
                before(world, PUSH).await;
                before(world, OPENED).await;
                world
                    .github()
                    .close_pull_request(github::REPOSITORY, github::PULL_REQUEST);
            }
            Self::SeveralModels => world.configure_two(NEW),
        }
    }

    /// The base branch's file.
    fn allow(self, world: &World) {
        let label = match self {
            Self::Unlabelled => format!("label: {LABEL}, "),
            _ => String::new(),
        };
        let allowed = format!(
            "preview: {{ {label}limits: {{ allow: {{ image.base: ['vllm/vllm-openai:*'], region: [{OTHER_REGION}] }} }} }}"
        );
        let github = world.github();
        github.put_file(github::REPOSITORY, "main", "llm-deploy.yaml", &allowed);
    }
}

/// A run of before, by an earlier number.
async fn before(world: &World, start: Start) {
    let ended = world.start(start, ("41", "1"), Tempo::new(crate::TEMPO)).await;
    assert_eq!(
        ended.code, 0,
        "{start:?}: {:?} {:?}",
        ended.report.failure, ended.report.models
    );
}

/// Lets the preview's time be up.
async fn expire(world: &World) {
    let name = format!("projects/{PROJECT}/locations/{REGION}/services/qwen3-5-4b-pr-12");
    let path = format!("/run/v2/{name}");
    let mut labels: Value = world.get(&path).await["labels"].clone();
    labels["llm-deploy-expires"] = "1700000000".into();
    let patch = format!("{path}?updateMask=labels");
    world
        .send(reqwest::Method::PATCH, &patch, &json!({ "labels": labels }))
        .await;
}
