//! Whether a disturbed run, and the undisturbed one after it, ended as they should.

use std::fmt;

use llm_deploy::{
    report::{Failure, Status},
    tempo::Tempo,
};
use llm_deploy_emulator::faults;

use crate::{
    cases::{Case, End},
    state::{Builds, State, brief},
    world::{Ended, Scenario, World},
};

/// What comes of two undisturbed runs, one after the other.
pub struct Reference {
    before: State,
    after: State,
    finally: State,
}

/// What came of a disturbed run and the one after it.
pub struct Seen {
    pub ended: Ended,
    pub after: State,
    pub again: Ended,
    pub finally: State,
}

pub enum Outcome {
    Right,
    /// The run made fewer requests of that kind than the undisturbed one did.
    Unreached,
    Wrong(Vec<String>),
}

impl Reference {
    pub async fn of(scenario: Scenario, tempo: Tempo) -> (Self, Vec<faults::Seen>) {
        let world = World::new(scenario).await;
        let before = State::of(&world).await;
        world.emulator.emulator.faults.watch();
        let ended = world.run(tempo).await;
        let seen = world.emulator.emulator.faults.seen();
        let after = State::of(&world).await;
        assert_eq!(ended.code, 0, "{:?}", ended.report);
        assert_eq!(world.run(tempo).await.code, 0);
        let finally = State::of(&world).await;
        (
            Self {
                before,
                after,
                finally,
            },
            seen,
        )
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.request;
        let what = if r.id.is_empty() {
            format!("{} {} …{} {}", r.service, r.method, r.path, r.body)
        } else {
            r.id.clone()
        };
        write!(
            f,
            "{:?}: {} at request {} of {what}",
            self.scenario, self.name, r.nth
        )
    }
}

/// Collects what is wrong.
struct Complaints(Vec<String>);

impl Complaints {
    fn unless(&mut self, right: bool, complaint: impl FnOnce() -> String) {
        if !right {
            self.0.push(complaint());
        }
    }
}

pub fn judge(case: &Case, reference: &Reference, seen: &Seen) -> Outcome {
    let mut wrong = Complaints(Vec::new());
    ending(case, reference, seen, &mut wrong);
    nothing_twice(case, reference, seen, &mut wrong);
    nothing_left(case, &seen.after, &mut wrong);
    traffic(&seen.ended, &seen.after, &mut wrong);
    recovery(case, reference, seen, &mut wrong);
    if wrong.0.is_empty() {
        Outcome::Right
    } else {
        Outcome::Wrong(wrong.0)
    }
}

/// The exit code, the explanation, and the state that a green run leaves.
fn ending(case: &Case, reference: &Reference, seen: &Seen, wrong: &mut Complaints) {
    let ended = &seen.ended;
    let failure = failure(ended);
    let expected = match case.end {
        End::Same | End::Told | End::Warned => 0,
        End::Red(code, _) => code,
    };
    wrong.unless(ended.code == expected, || {
        let why = failure.map_or_else(String::new, |f| {
            format!(": {} / {} / {} / {:?}", f.stage, f.title, f.cause, f.fix)
        });
        format!("exit code {} instead of {expected}{why}", ended.code)
    });
    match case.end {
        End::Same | End::Told => {
            wrong.unless(seen.after == reference.after, || {
                differs("after it", &reference.after, &seen.after)
            });
            wrong.unless(case.end == End::Same || !ended.warnings.is_empty(), || {
                "no warning".to_owned()
            });
        }
        End::Warned => {
            wrong.unless(seen.after.google() == reference.after.google(), || {
                differs("after it", &reference.after.google(), &seen.after.google())
            });
            wrong.unless(!ended.warnings.is_empty(), || "no warning".to_owned());
        }
        End::Red(_, word) => explained(ended, failure, word, wrong),
    }
}

fn explained(ended: &Ended, failure: Option<&Failure>, word: &str, wrong: &mut Complaints) {
    wrong.unless(ended.report.status == Status::Failed, || {
        format!("status {:?}", ended.report.status)
    });
    let Some(failure) = failure else {
        wrong.0.push("no explanation".to_owned());
        return;
    };
    let all = format!(
        "{} {} {}",
        failure.title,
        failure.cause,
        failure.fix.as_deref().unwrap_or_default()
    );
    wrong.unless(!failure.title.is_empty() && !failure.cause.is_empty(), || {
        format!("an empty explanation: {failure:?}")
    });
    wrong.unless(all.contains(word), || format!("no word of `{word}`: {failure:?}"));
    wrong.unless(!ended.summary.is_empty(), || "no summary".to_owned());
}

fn failure(ended: &Ended) -> Option<&Failure> {
    let models = ended.report.models.iter().filter_map(|m| m.failure.as_ref());
    ended.report.failure.as_ref().into_iter().chain(models).next()
}

fn nothing_twice(case: &Case, reference: &Reference, seen: &Seen, wrong: &mut Complaints) {
    let (before, after, finally) = (&reference.before, &seen.after, &seen.finally);
    for (when, state) in [("after it", after), ("finally", finally)] {
        wrong.unless(state.services.len() <= 1, || {
            format!("{when} {} services", state.services.len())
        });
        wrong.unless(state.buckets.len() <= 1, || {
            format!("{when} {} buckets", state.buckets.len())
        });
        wrong.unless(state.repositories.len() <= 1, || {
            format!("{when} {} repositories", state.repositories.len())
        });
        wrong.unless(state.comments.len() <= 1, || {
            format!("{when} {} comments", state.comments.len())
        });
        let made = state.revisions() - before.revisions();
        wrong.unless(made <= 1, || format!("{when} {made} new revisions"));
        // A build that somebody cancelled has to be done again.
        let lost = state.builds.ended_otherwise;
        let allowed = if case.name == "build cancelled" { 1 } else { 0 };
        let made = state.builds.all() - before.builds.all();
        wrong.unless(made <= 1 + lost && lost <= allowed, || {
            format!("{when} builds: {:?}", state.builds)
        });
    }
    let deployments = |state: &State| state.deployments.len() - before.deployments.len();
    wrong.unless(deployments(after) <= 1 && deployments(finally) <= 2, || {
        format!("GitHub deployments: {:?}", finally.deployments)
    });
}

/// Nothing that costs money, or that looks as if it went on.
fn nothing_left(case: &Case, after: &State, wrong: &mut Complaints) {
    for (name, service) in &after.services {
        wrong.unless(service.billed_for_nothing == 0, || {
            format!("{name} keeps an instance of a revision without traffic")
        });
    }
    // GitHub can't be told while it takes nothing.
    let deaf = case.request.service == "github" && case.end == End::Warned;
    wrong.unless(deaf || after.unfinished() == 0, || {
        format!("a deployment at GitHub is left: {:?}", after.deployments)
    });
}

/// Production's traffic is on the old revision, or on a new one that passed its tests.
fn traffic(ended: &Ended, after: &State, wrong: &mut Complaints) {
    let passed = |stage: &str| {
        let stages = ended.report.models.iter().flat_map(|m| &m.stages);
        stages
            .filter(|s| s.name == stage)
            .any(|s| s.status == Status::Succeeded)
    };
    for (name, service) in after
        .services
        .iter()
        .filter(|(_, s)| s.traffic != (0, 0) && s.revisions > 1)
    {
        let right = match service.traffic {
            (0, 100) => true,
            (100, 0) => passed("smoke") && passed("latency"),
            _ => false,
        };
        wrong.unless(right, || {
            format!("the traffic of {name} is {:?}", service.traffic)
        });
    }
}

/// One more run ends as two undisturbed ones do.
fn recovery(case: &Case, reference: &Reference, seen: &Seen, wrong: &mut Complaints) {
    wrong.unless(seen.again.code == 0, || {
        format!(
            "the next run ended with {}: {:?}",
            seen.again.code,
            failure(&seen.again)
        )
    });
    let forgiven = |state: &State| {
        let mut state = state.google();
        state.builds = Builds {
            ended_otherwise: 0,
            ..state.builds
        };
        state
    };
    let (expected, found) = (forgiven(&reference.finally), forgiven(&seen.finally));
    wrong.unless(expected == found, || differs("finally", &expected, &found));
    wrong.unless(seen.finally.comments == reference.finally.comments, || {
        format!("finally the comments are {:?}", seen.finally.comments)
    });
    let last = |state: &State| state.deployments.last().cloned();
    wrong.unless(last(&seen.finally) == last(&reference.finally), || {
        format!(
            "finally the deployments are {:?} ({})",
            seen.finally.deployments, case.name
        )
    });
}

fn differs(when: &str, expected: &State, found: &State) -> String {
    let (e, f) = (brief(expected), brief(found));
    if e == f {
        return format!(
            "{when} the services are not the same: {:?} instead of {:?}",
            found.services, expected.services
        );
    }
    format!("{when} there is {f} instead of {e}")
}
