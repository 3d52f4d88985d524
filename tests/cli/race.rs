//! Two runs of one target, one of them held up at a chosen request, and what must be true at their end.

use std::{
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

use llm_deploy_emulator::{
    faults::{Fault, Hook, Pattern, Rule},
    github::{Access, HEAD_BRANCH, WorkflowRun},
};

use crate::{
    snapshot::{build_states, builds},
    support::{REPOSITORY, Ran, World, config, ended},
};

const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
const PATIENCE: Duration = Duration::from_secs(60);

/// One of two runs, each with its own commit, configuration and files.
#[derive(Clone, Copy)]
pub struct Push {
    pub name: &'static str,
    pub run: &'static str,
    pub attempt: &'static str,
    pub commit: char,
    pub settings: &'static str,
}

pub const OLDER: Push = Push {
    name: "older",
    run: "42",
    attempt: "1",
    commit: 'a',
    settings: "image: { base: 'vllm/vllm-openai:v0.30.0' }\nengine: { max-model-len: 2048 }",
};
pub const NEWER: Push = Push {
    name: "newer",
    run: "43",
    attempt: "1",
    commit: 'b',
    settings: "image: { base: 'vllm/vllm-openai:v0.31.0' }\nengine: { max-model-len: 3072 }",
};
/// Of the same image as [`OLDER`].
pub const NEWER_SAME_IMAGE: Push = Push {
    settings: "image: { base: 'vllm/vllm-openai:v0.30.0' }\nengine: { max-model-len: 3072 }",
    ..NEWER
};
/// Of the image that production has.
pub const NEWER_NO_BUILD: Push = Push {
    settings: "engine: { max-model-len: 3072 }",
    ..NEWER
};

impl Push {
    pub fn sha(self) -> String {
        self.commit.to_string().repeat(40)
    }

    fn file(self, world: &World, name: &str) -> String {
        world.path(&format!("{}-{name}", self.name)).display().to_string()
    }

    /// Makes the workflow run at GitHub.
    fn create_run(self, world: &World, event: &str) {
        let (name, _) = world.event(event);
        let branch = if name == "push" { "main" } else { HEAD_BRANCH };
        // Each starts a second after the one before.
        static STARTED: AtomicI64 = AtomicI64::new(0);
        let started = chrono::Utc::now() - chrono::TimeDelta::hours(1);
        let started = started + chrono::TimeDelta::seconds(STARTED.fetch_add(1, Ordering::Relaxed));
        let run = WorkflowRun {
            attempt: self.attempt.parse().unwrap(),
            event: name,
            head_branch: branch.to_owned(),
            head_sha: Some(self.sha()),
            started_at: started.to_rfc3339(),
            ..WorkflowRun::push(self.number())
        };
        world.emulator.emulator.github.run(REPOSITORY, run);
    }

    pub fn number(self) -> u64 {
        self.run.parse().unwrap()
    }

    /// The whole workflow run has ended with this conclusion.
    pub fn ends(self, world: &World, conclusion: &str) {
        let github = &world.emulator.emulator.github;
        github.end_run(REPOSITORY, self.number(), conclusion);
    }

    /// Starts the run, which GitHub has from then on.
    pub fn start(self, world: &World, event: &str, token: bool) -> Child {
        self.create_run(world, event);
        world.allow("image.base: ['vllm/vllm-openai:*']");
        let (name, mut payload) = world.event(event);
        if name == "push" {
            payload["after"] = self.sha().into();
        } else {
            payload["pull_request"]["head"]["sha"] = self.sha().into();
        }
        world.write(&format!("{}-event.json", self.name), &payload.to_string());
        // Each has its own checkout.
        let checkout = world.path(self.name);
        std::fs::create_dir_all(&checkout).unwrap();
        let settings = config(&format!("{}\n{QUICK}", self.settings));
        std::fs::write(checkout.join("llm-deploy.yaml"), settings).unwrap();
        for file in ["summary.md", "outputs.txt"] {
            world.write(&format!("{}-{file}", self.name), "");
        }
        let file = |name: &str| self.file(world, name);
        let mut more = vec![
            ("GITHUB_EVENT_PATH", file("event.json")),
            ("GITHUB_SHA", self.sha()),
            ("GITHUB_RUN_ID", self.run.to_owned()),
            ("GITHUB_RUN_ATTEMPT", self.attempt.to_owned()),
            ("GITHUB_STEP_SUMMARY", file("summary.md")),
            ("GITHUB_OUTPUT", file("outputs.txt")),
            ("LLM_DEPLOY_REPORT_DIR", file("report")),
        ];
        if !token {
            more.push(("GITHUB_TOKEN", String::new()));
        }
        let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut command = world.actions_command(&["run"], &name, &more);
        command
            .current_dir(checkout)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs to the end, the workflow run as well.
    pub fn run(self, world: &World, event: &str, token: bool) -> Ran {
        let ran = ended(self.start(world, event, token));
        self.ends(world, if ran.code == 0 { "success" } else { "failure" });
        ran
    }

    #[track_caller]
    pub fn expect(self, world: &World, ran: &Ran, status: &str) {
        ran.expect_code(0);
        let outputs = world.read(&format!("{}-outputs.txt", self.name));
        assert!(
            outputs.contains(&format!("\n{status}\n")),
            "{outputs}{}",
            ran.stderr
        );
        let summary = world.read(&format!("{}-summary.md", self.name));
        assert_eq!(
            summary.contains("A newer run took over"),
            status == "superseded",
            "{summary}"
        );
    }
}

/// Where a run is held up: before the `skip`th request of this method has an effect.
pub type Place = (&'static str, u32);

pub const BUILD: Place = ("cloudbuild.projects.locations.builds.create", 0);
pub const BUILDING: Place = ("cloudbuild.projects.locations.builds.get", 0);
pub const CREATE: Place = ("run.projects.locations.services.create", 0);
pub const PATCH: Place = ("run.projects.locations.services.patch", 0);
pub const PROMOTE: Place = ("run.projects.locations.services.patch", 1);

/// A run that waits at a place until it is let go.
pub struct Held {
    child: Child,
    go: Sender<()>,
}

pub fn held_at(world: &World, place: Place, push: Push, event: &str, token: bool) -> Held {
    let (go, gone): (Sender<()>, Receiver<()>) = mpsc::channel();
    let (arrive, arrived) = mpsc::channel();
    let both = Mutex::new((arrive, gone));
    let hook = Hook(Arc::new(move || {
        tokio::task::block_in_place(|| {
            let both = both.lock().unwrap();
            both.0.send(()).unwrap();
            // An error means that the test has ended.
            let _ = both.1.recv_timeout(PATIENCE);
        });
    }));
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            id: Some(place.0.to_owned()),
            ..Pattern::default()
        },
        skip: place.1,
        times: 1,
        fault: Fault::Before(hook),
    });
    let child = push.start(world, event, token);
    arrived.recv_timeout(PATIENCE).unwrap();
    Held { child, go }
}

impl Held {
    /// Lets it go, and does not wait for its end.
    pub fn go_on(self) -> Child {
        self.go.send(()).unwrap();
        self.child
    }

    /// Kills it where it is.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The request is gone with its client.
        let _ = self.go.send(());
    }

    pub fn let_go(self) -> Ran {
        self.go.send(()).unwrap();
        ended(self.child)
    }
}

pub fn production() -> World {
    let world = World::with(|settings| settings.pace = 0.05);
    world.write("llm-deploy.yaml", &config(QUICK));
    world.run_with("push", &[("GITHUB_RUN_ID", "41")]).expect_code(0);
    world
}

pub fn empty() -> World {
    World::with(|settings| settings.pace = 0.05)
}

/// What must be true whatever the order was: the newer commit serves, and nothing is under way or half done.
#[track_caller]
pub fn expect_newer(world: &World, service: &str, newer: Push) {
    let found = world.service(service).unwrap();
    assert_eq!(found["labels"]["llm-deploy-commit"], newer.sha());
    let args = found["template"]["containers"][0]["args"].to_string();
    assert!(args.contains("--max-model-len=3072"), "{args}");
    assert_eq!(found["latestReadyRevision"], found["latestCreatedRevision"]);
    let newest = found["latestReadyRevision"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let statuses = found["trafficStatuses"].as_array().unwrap();
    assert_eq!(statuses.len(), 1, "a candidate is left: {statuses:?}");
    assert_eq!(statuses[0]["percent"], 100);
    assert!(
        statuses[0]["revision"]
            .as_str()
            .is_none_or(|revision| revision == newest),
        "{statuses:?}"
    );
    let states = build_states(world);
    assert!(!states.is_empty());
    assert!(
        states
            .iter()
            .all(|state| state == "SUCCESS" || state == "CANCELLED"),
        "{states:?}"
    );
    for image in images_built(world) {
        let same = images_built(world)
            .into_iter()
            .filter(|other| *other == image)
            .count();
        assert_eq!(same, 1, "{image} was built twice");
    }
}

fn images_built(world: &World) -> Vec<String> {
    let all = builds(world);
    let kept = all.iter().filter(|build| build["status"] != "CANCELLED");
    kept.map(|build| build["images"].to_string()).collect()
}

#[track_caller]
fn expect_deployments(world: &World, older: Push, newer: Push) {
    let state = |push: Push| -> Vec<String> {
        let all = world.emulator.emulator.github.deployments(REPOSITORY);
        let theirs = all.into_iter().filter(|one| one.git_ref == push.sha());
        theirs.filter_map(|one| one.states.last().cloned()).collect()
    };
    assert_eq!(state(newer), ["success"]);
    assert!(
        state(older).iter().all(|state| state == "inactive"),
        "{:?}",
        state(older)
    );
}

#[track_caller]
pub fn expect_comment(world: &World, newer: Push) {
    let comments = world.comments();
    assert_eq!(comments.len(), 1);
    let (comment, commit) = (&comments[0], &newer.sha()[..7]);
    assert!(
        comment.contains("Preview is ready") && comment.contains(commit),
        "{comment}"
    );
}

/// What a race is about.
#[derive(Clone, Copy)]
pub struct Race {
    pub event: &'static str,
    pub service: &'static str,
    pub world: fn() -> World,
    pub newer: Push,
    /// Whether the jobs may read and write deployments.
    pub deployments: bool,
}

pub const PRODUCTION: Race = Race {
    event: "push",
    service: "qwen3-5-4b",
    world: production,
    newer: NEWER,
    deployments: true,
};
pub const PREVIEW: Race = Race {
    event: "pull_request.synchronize",
    service: "qwen3-5-4b-pr-12",
    world: empty,
    ..PRODUCTION
};

impl Race {
    fn world(self) -> World {
        let world = (self.world)();
        if !self.deployments {
            world.emulator.emulator.github.permit("deployments", Access::None);
        }
        world
    }

    /// The older run is held up while the newer one does its work.
    pub fn older_held_at(self, place: Place) {
        let world = self.world();
        let held = held_at(&world, place, OLDER, self.event, true);
        let newer = self.newer.run(&world, self.event, true);
        self.newer.expect(&world, &newer, "succeeded");
        OLDER.expect(&world, &held.let_go(), "superseded");
        self.expect_end(&world);
    }

    /// The older run comes while the newer one is held up, and waits for its end.
    pub fn newer_held_at(self, place: Place) {
        let world = self.world();
        let held = held_at(&world, place, self.newer, self.event, true);
        let mut older = OLDER.start(&world, self.event, true);
        world.wait_for_path(&format!("/actions/runs/{}", self.newer.run));
        assert!(older.try_wait().unwrap().is_none(), "it did not wait");
        self.newer.expect(&world, &held.let_go(), "succeeded");
        self.newer.ends(&world, "success");
        OLDER.expect(&world, &ended(older), "superseded");
        self.expect_end(&world);
    }

    #[track_caller]
    pub fn expect_end(self, world: &World) {
        expect_newer(world, self.service, self.newer);
        if self.deployments {
            expect_deployments(world, OLDER, self.newer);
        }
        if self.event != "push" {
            expect_comment(world, self.newer);
        }
    }

    /// Both orders of arrival, all places at the same time.
    pub fn everywhere(self, places: &[Place]) {
        std::thread::scope(|scope| {
            for place in places {
                scope.spawn(|| self.older_held_at(*place));
                scope.spawn(|| self.newer_held_at(*place));
            }
        });
    }
}
