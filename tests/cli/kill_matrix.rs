//! Killed at any request and run again: the same end as if nothing had happened.

use std::{
    collections::VecDeque,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Sender},
    },
    time::{Duration, Instant},
};

use llm_deploy_emulator::faults::{ENDPOINT, Fault, Hook, Pattern, Rule, Seen};
use serde_json::Value;

use crate::{
    snapshot::{end_state, expect_ended_deployments},
    support::{PROJECT, REGION, World, config},
};

const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";
/// Worlds at a time: a run waits more than it works.
const WORKERS: usize = 5;
/// Far more than a run takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A run of the main job.
#[derive(Clone, Copy)]
struct Scenario {
    event: &'static str,
    /// Whether production is there already.
    update: bool,
    /// How long builds and revisions take.
    pace: f64,
}

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The request has arrived and has no effect.
    Before,
    /// It has had its effect, and nobody gets the answer.
    After,
}

/// The `skip`th request (from 0) of a kind.
#[derive(Clone, Debug)]
struct Point {
    moment: Moment,
    kind: Kind,
    skip: u32,
}

/// Requests of one kind come in the same order in every run, though those of two kinds may not: GitHub is told how far
/// the run is beside its work.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind {
    service: String,
    method: String,
    /// Method id of Google's.
    id: Option<String>,
    /// Part of the path, without an id.
    path: Option<String>,
    /// Part of the body.
    body: Option<&'static str>,
}

/// A deployment's status on the way, of which nobody knows how many come.
const UNDER_WAY: &str = r#""state":"in_progress""#;
/// The comment's hidden line while the run goes on.
const GOES_ON: &str = " live -->";

impl Kind {
    fn of(request: &Seen) -> Self {
        let has_id = !request.id.is_empty();
        Self {
            service: request.service.clone(),
            method: request.method.clone(),
            id: has_id.then(|| request.id.clone()),
            path: (!has_id).then(|| without_number(&request.path)),
            body: None,
        }
    }

    /// Whether all is afterwards as it was before.
    fn reads(&self) -> bool {
        self.method == "GET" || self.service == ENDPOINT
    }

    fn github(method: &str, path: &str, body: &'static str) -> Self {
        Self {
            service: "github".to_owned(),
            method: method.to_owned(),
            id: None,
            path: Some(path.to_owned()),
            body: Some(body),
        }
    }
}

/// What follows the last number of a path, or stands before it.
fn without_number(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match parts.iter().rposition(is_number) {
        Some(at) if at + 1 < parts.len() => format!("/{}", parts[at + 1..].join("/")),
        Some(at) => format!("/{}/", parts[at - 1]),
        None => path.to_owned(),
    }
}

/// Whether the request tells how far the run is.
fn is_live(request: &Seen) -> bool {
    let says = |text| request.body.contains(text);
    match (request.service.as_str(), request.method.as_str()) {
        ("github", "POST") => says(UNDER_WAY),
        ("github", "PATCH") => says("llm-deploy-run") && says(GOES_ON),
        _ => false,
    }
}

impl Scenario {
    /// A world in which everything is ready for the run. Builds and revisions take a moment, so that the next run
    /// finds them on their way.
    fn world(self) -> World {
        let world = World::with(|settings| settings.pace = self.pace);
        world.write("llm-deploy.yaml", &config(QUICK));
        if self.update {
            world
                .run_with(self.event, &[("GITHUB_RUN_ID", "41")])
                .expect_code(0);
            let changed = format!("image: {{ base: 'vllm/vllm-openai:v0.30.0' }}\n{QUICK}");
            world.write("llm-deploy.yaml", &config(&changed));
        }
        world
    }

    /// Every point at which the undisturbed run can be killed: each request before its effect, and the writes after
    /// it. (After a read all is as before the next request.) Of what tells how far the run is, the first one.
    fn points(requests: &[Seen]) -> Vec<Point> {
        let mut kinds: Vec<(Kind, u32)> = vec![(Kind::github("POST", "/statuses", UNDER_WAY), 1)];
        for kind in requests.iter().filter(|request| !is_live(request)).map(Kind::of) {
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((kind, 1)),
            }
        }
        let of_kind = |(kind, count): &(Kind, u32)| -> Vec<Point> {
            let moments: &[Moment] = if kind.reads() {
                &[Moment::Before]
            } else {
                &[Moment::Before, Moment::After]
            };
            let all = (0..*count).flat_map(|skip| moments.iter().map(move |moment| (*moment, skip)));
            all.map(|(moment, skip)| Point {
                moment,
                kind: kind.clone(),
                skip,
            })
            .collect()
        };
        kinds.iter().flat_map(of_kind).collect()
    }
}

/// The process under test, within reach of the hook that kills it.
type Victim = Arc<Mutex<Option<Child>>>;

/// Ends the process and waits until it is gone.
fn kill(victim: &Victim) {
    if let Some(mut child) = victim.lock().unwrap().take() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn rule(point: &Point, victim: &Victim, killed: Sender<()>) -> Rule {
    let moment = point.moment;
    let victim = Arc::clone(victim);
    let killed = Mutex::new(killed);
    let hook = Hook(Arc::new(move || {
        tokio::task::block_in_place(|| kill(&victim));
        killed.lock().unwrap().send(()).unwrap();
        if matches!(moment, Moment::Before) {
            // Ends the connection's task, and the request with it.
            std::panic::resume_unwind(Box::new("killed before the effect"));
        }
    }));
    Rule {
        on: Pattern {
            service: Some(point.kind.service.clone()),
            id: point.kind.id.clone(),
            method: Some(point.kind.method.clone()),
            path: point.kind.path.clone(),
            body: point.kind.body.map(str::to_owned),
        },
        skip: point.skip,
        times: 1,
        fault: match moment {
            Moment::Before => Fault::Before(hook),
            Moment::After => Fault::After(hook),
        },
    }
}

/// Runs the job and kills it at `point`; false when it ended before it came there.
fn killed_at(world: &World, event: &str, point: &Point) -> bool {
    let victim = Victim::default();
    let (tell, killed) = mpsc::channel();
    let faults = &world.emulator.emulator.faults;
    faults.add(rule(point, &victim, tell));
    {
        let mut slot = victim.lock().unwrap();
        let (name, payload) = world.event(event);
        world.write("event.json", &payload.to_string());
        let mut command = world.actions_command(&["run"], &name, &[]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        *slot = Some(command.spawn().unwrap());
    }
    let until = Instant::now() + PATIENCE;
    loop {
        if killed.recv_timeout(Duration::from_millis(10)).is_ok() {
            return true;
        }
        if let Some(child) = victim.lock().unwrap().as_mut()
            && child.try_wait().unwrap().is_some()
        {
            faults.clear();
            return false;
        }
        assert!(Instant::now() < until, "neither killed nor ended: {point:?}");
    }
}

/// The differences of one case, if any; `None` when the run was never killed.
fn case(scenario: Scenario, point: &Point, expected: &Value) -> Option<Vec<String>> {
    let world = scenario.world();
    if !killed_at(&world, scenario.event, point) {
        return None;
    }
    let ran = world.run_with(scenario.event, &[("GITHUB_RUN_ATTEMPT", "2")]);
    if ran.code != 0 {
        return Some(vec![format!(
            "exit code {}:\n{}{}",
            ran.code, ran.stdout, ran.stderr
        )]);
    }
    expect_ended_deployments(&world);
    let mut differences = Vec::new();
    differ("", expected, &end_state(&world), &mut differences);
    let kept = last_result(&world);
    if kept.as_ref().is_some_and(|page| !page.ends_with("/attempts/2")) || kept.is_some() != scenario.update {
        differences.push(format!("the history ends with {kept:?}"));
    }
    Some(differences)
}

/// Page of the run that production's history ends with. Its figures are no two runs' the same.
fn last_result(world: &World) -> Option<String> {
    let name = format!("history/{REGION}/qwen3-5-4b.jsonl");
    let storage = &world.emulator.emulator.storage;
    let text = storage.get(&format!("{PROJECT}-llm-deploy"), &name)?;
    let last = text.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty())?;
    let last: Value = serde_json::from_slice(last).unwrap();
    Some(last["run_url"].as_str().unwrap().to_owned())
}

fn differ(path: &str, expected: &Value, found: &Value, out: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                differ(&format!("{path}/{key}"), &expected[key], &found[key], out);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for index in 0..one.len().max(other.len()) {
                let at = |list: &Vec<Value>| list.get(index).cloned().unwrap_or_default();
                differ(&format!("{path}/{index}"), &at(one), &at(other), out);
            }
        }
        (one, other) if one == other => {}
        (one, other) => out.push(format!("{path}: {one} ≠ {other}")),
    }
}

fn every_request(scenario: Scenario) {
    let world = scenario.world();
    world.emulator.emulator.faults.watch();
    world.run(scenario.event).expect_code(0);
    let points = Scenario::points(&world.emulator.emulator.faults.seen());
    let expected = end_state(&world);
    assert_eq!(expected["builds"].as_array().unwrap().last().unwrap(), "SUCCESS");
    drop(world);
    let queue = Mutex::new(VecDeque::from(points));
    let (killed, wrong) = (Mutex::new(0_u32), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(point) = queue.lock().unwrap().pop_front() else {
                        return;
                    };
                    if let Some(differences) = case(scenario, &point, &expected) {
                        *killed.lock().unwrap() += 1;
                        let told = differences.into_iter().map(|one| format!("{point:?} {one}"));
                        wrong.lock().unwrap().extend(told);
                    }
                }
            });
        }
    });
    let (killed, wrong) = (killed.into_inner().unwrap(), wrong.into_inner().unwrap());
    crate::support::say(&format!(
        "{}: {killed} kill points, {} differences",
        scenario.event,
        wrong.len()
    ));
    assert!(killed > 40, "{killed}");
    let shown: Vec<&str> = wrong
        .iter()
        .take(20)
        .map(|one| one.get(..400).unwrap_or(one))
        .collect();
    assert!(wrong.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn production_killed_at_any_request_ends_as_undisturbed() {
    every_request(Scenario {
        event: "push",
        update: true,
        pace: 0.1,
    });
}

#[test]
fn a_preview_killed_at_any_request_ends_as_undisturbed() {
    every_request(Scenario {
        event: "pull_request.opened",
        update: false,
        pace: 0.1,
    });
}

#[test]
fn a_preview_killed_while_it_tells_how_far_it_is_ends_as_undisturbed() {
    // The comment's next text comes five seconds after the first.
    let slow = Scenario {
        event: "pull_request.opened",
        update: false,
        pace: 2.0,
    };
    let world = slow.world();
    world.run(slow.event).expect_code(0);
    let expected = end_state(&world);
    std::thread::scope(|scope| {
        for moment in [Moment::Before, Moment::After] {
            let expected = &expected;
            scope.spawn(move || {
                let kind = Kind::github("PATCH", "/comments/", GOES_ON);
                let point = Point {
                    moment,
                    kind,
                    skip: 0,
                };
                let differences = case(slow, &point, expected);
                assert_eq!(differences, Some(Vec::new()), "{point:?}");
            });
        }
    });
}
