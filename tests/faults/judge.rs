//! Whether a disturbed run, and the undisturbed one after it, ended as they should.

use std::{fmt, time::Duration};

use llm_deploy::{
    report::{Failure, Status},
    tempo::Tempo,
};
use llm_deploy_emulator::faults;
use serde_json::Value;

use crate::{
    cases::{Case, End},
    scenario::Scenario,
    state::{Builds, State, brief},
    world::{Ended, Turn, World},
};

/// The longest that a run takes by its own time, whatever it meets. The longest deadline of one stage is that of a
/// service that has to start, 40 minutes.
pub const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The longest that the undisturbed run after it takes. A build and a service that has to start are minutes.
pub const RECOVERY: Duration = Duration::from_secs(15 * 60);

/// Outputs that every undisturbed run of a scenario has alike.
const SAME_OUTPUTS: [&str; 4] = ["status", "service", "model", "cause"];

/// What comes of two undisturbed runs, one after the other.
pub struct Reference {
    before: State,
    after: State,
    outputs: Vec<Option<String>>,
    /// After a second attempt, and after the next event's run.
    finally: [State; 2],
}

/// What came of a disturbed run and the one after it.
pub struct Seen {
    /// What belonged to others before.
    pub before: Vec<Value>,
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
    /// With the requests that the undisturbed run makes, and the answers in JSON.
    pub async fn of(
        scenario: Scenario,
        tempo: Tempo,
    ) -> (Self, Vec<faults::Seen>, Vec<(faults::Seen, Value)>) {
        let world = World::new(scenario).await;
        let before = State::of(&world).await;
        world.emulator.emulator.faults.watch();
        let ended = world.run(Turn::First, tempo).await;
        let watched = &world.emulator.emulator.faults;
        let (seen, answers) = (watched.seen(), watched.answers());
        assert_eq!(
            ended.code, 0,
            "{scenario:?}: {:?} {:?}",
            ended.report.failure, ended.report.models
        );
        let after = State::of(&world).await;
        let same = world.run(Turn::SecondAttempt, tempo).await;
        assert_eq!(same.code, 0, "{scenario:?}: {:?}", same.report);
        let second = State::of(&world).await;
        let world = World::new(scenario).await;
        world.run(Turn::First, tempo).await;
        let next = world.run(Turn::NextEvent, tempo).await;
        assert_eq!(next.code, 0, "{scenario:?}: {:?}", next.report);
        let reference = Self {
            before,
            after,
            outputs: outputs(&ended),
            finally: [second, State::of(&world).await],
        };
        (reference, seen, answers)
    }

    fn finally(&self, turn: Turn) -> &State {
        let [second, next] = &self.finally;
        if turn == Turn::NextEvent { next } else { second }
    }
}

fn outputs(ended: &Ended) -> Vec<Option<String>> {
    let value = |name: &&str| ended.outputs.get(*name).cloned();
    SAME_OUTPUTS.iter().map(value).collect()
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.request;
        let what = if r.id.is_empty() {
            format!("{} {} …{} {}", r.service, r.method, r.path, r.body)
        } else {
            r.id.clone()
        };
        let name = match &self.fault {
            faults::Fault::Altered(lie) => format!("{} {:?}", lie.at, lie.to),
            _ => self.name.to_owned(),
        };
        write!(
            f,
            "{:?}: {name} at request {} of {what}, then {:?}",
            self.scenario, r.nth, self.again
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
    others(seen, &mut wrong);
    surfaces(&seen.ended, &mut wrong);
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
        End::Either | End::Less | End::Other => ended.code.min(3),
    };
    wrong.unless(ended.lasted < LONGEST, || {
        format!("it took {} s", ended.lasted.as_secs())
    });
    wrong.unless(ended.code == expected, || {
        let why = failure.map_or_else(String::new, |f| {
            format!(": {} / {} / {} / {:?}", f.stage, f.title, f.cause, f.fix)
        });
        format!("exit code {} instead of {expected}{why}", ended.code)
    });
    match case.end {
        End::Same | End::Told => {
            wrong.unless(seen.after.own() == reference.after.own(), || {
                differs("after it", &reference.after, &seen.after)
            });
            wrong.unless(case.end == End::Same || !ended.warnings.is_empty(), || {
                "no warning".to_owned()
            });
            wrong.unless(outputs(ended) == reference.outputs, || {
                format!(
                    "the outputs are {:?} instead of {:?}",
                    outputs(ended),
                    reference.outputs
                )
            });
        }
        End::Warned => {
            wrong.unless(seen.after.google() == reference.after.google(), || {
                differs("after it", &reference.after.google(), &seen.after.google())
            });
            wrong.unless(!ended.warnings.is_empty(), || "no warning".to_owned());
        }
        End::Red(_, word) => explained(ended, failure, word, wrong),
        End::Either if ended.code == 0 => {
            wrong.unless(seen.after.google() == reference.after.google(), || {
                differs(
                    "green, and after it",
                    &reference.after.google(),
                    &seen.after.google(),
                )
            });
        }
        End::Less if ended.code == 0 => {
            let is_same = seen.after.google() == reference.after.google();
            wrong.unless(is_same || !ended.warnings.is_empty(), || {
                "green with less done, and no warning".to_owned()
            });
        }
        End::Other if ended.code == 0 => {}
        End::Either | End::Less | End::Other => explained(ended, failure, "", wrong),
    }
}

/// What belongs to others is as it was.
fn others(seen: &Seen, wrong: &mut Complaints) {
    for (when, state) in [("after it", &seen.after), ("finally", &seen.finally)] {
        for (before, now) in seen.before.iter().zip(&state.others) {
            wrong.unless(before == now, || format!("{when} another's {before} is {now}"));
        }
        wrong.unless(seen.before.len() == state.others.len(), || {
            format!("{when} others have {:?}", state.others)
        });
    }
}

/// The outputs and the report say what came of it.
fn surfaces(ended: &Ended, wrong: &mut Complaints) {
    let status = serde_json::to_value(ended.report.status).unwrap();
    let output = |name: &str| ended.outputs.get(name).cloned().unwrap_or_default();
    wrong.unless(Some(output("status").as_str()) == status.as_str(), || {
        format!(
            "the output `status` is {:?} instead of {status}",
            output("status")
        )
    });
    wrong.unless(ended.written["status"] == status, || {
        format!("report.json has the status {}", ended.written["status"])
    });
    let is_red = ended.report.status == Status::Failed;
    wrong.unless(is_red != output("cause").is_empty(), || {
        format!("the output `cause` is {:?} at status {status}", output("cause"))
    });
    let models = serde_json::from_str::<Value>(&output("models"));
    let count = models.ok().and_then(|models| models.as_array().map(Vec::len));
    wrong.unless(count == Some(ended.report.models.len()), || {
        format!("the output `models` is {:?}", output("models"))
    });
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

/// Nothing is made that an undisturbed run doesn't make.
fn nothing_twice(case: &Case, reference: &Reference, seen: &Seen, wrong: &mut Complaints) {
    let finally = reference.finally(case.again);
    for (when, state, expected) in [
        ("after it", &seen.after, &reference.after),
        ("finally", &seen.finally, finally),
    ] {
        let known = [&reference.before, expected];
        let mut at_most = |what: &str, count: fn(&State) -> usize| {
            let most = known.iter().map(|state| count(state)).max().unwrap_or_default();
            wrong.unless(count(state) <= most, || {
                format!("{when} {} {what} instead of {most}", count(state))
            });
        };
        // A service that is said to be another's is left, and another name taken.
        if case.end != End::Other {
            at_most("services", |state| state.services.len());
            at_most("revisions", State::revisions);
        }
        at_most("buckets", |state| state.buckets.len());
        at_most("repositories", |state| state.repositories.len());
        at_most("comments", |state| state.comments.len());
        at_most("deployments at GitHub", |state| state.deployments.len());
        // A build that somebody cancelled has to be done again.
        let lost = state.builds.ended_otherwise - reference.before.builds.ended_otherwise;
        // Nor is one any good that was made of a false answer.
        let is_lie = matches!(case.fault, faults::Fault::Altered(_));
        let allowed = if case.name == "build cancelled" || is_lie {
            1
        } else {
            0
        };
        let most = known
            .iter()
            .map(|state| state.builds.all())
            .max()
            .unwrap_or_default();
        wrong.unless(state.builds.all() <= most + lost && lost <= allowed, || {
            format!("{when} builds: {:?}", state.builds)
        });
    }
}

/// Nothing that costs money, or that looks as if it went on.
fn nothing_left(case: &Case, after: &State, wrong: &mut Complaints) {
    for (name, service) in &after.services {
        wrong.unless(service.billed_for_nothing == 0, || {
            format!("{name} keeps an instance of a revision without traffic")
        });
    }
    // GitHub can't be told while it takes nothing.
    let deaf = case.request.service == "github" && matches!(case.end, End::Warned | End::Either | End::Less);
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
    for (name, service) in after.services.iter().filter(|(_, s)| {
        s.labels["llm-deploy-kind"] == "production" && s.traffic != (0, 0) && s.revisions > 1
    }) {
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
    let reference = reference.finally(case.again);
    let (expected, found) = (forgiven(reference), forgiven(&seen.finally));
    if case.end == End::Other {
        return;
    }
    wrong.unless(expected == found, || differs("finally", &expected, &found));
    if !case.scenario.is_taken_up(case.again) {
        return;
    }
    wrong.unless(seen.finally.comments == reference.comments, || {
        format!("finally the comments are {:?}", seen.finally.comments)
    });
    let last = |state: &State| state.deployments.last().cloned();
    wrong.unless(last(&seen.finally) == last(reference), || {
        format!(
            "finally the deployments are {:?} ({})",
            seen.finally.deployments, case.name
        )
    });
}

fn differs(when: &str, expected: &State, found: &State) -> String {
    let (e, f) = (brief(expected), brief(found));
    if e == f {
        let not_same = expected.services.iter().filter_map(|(name, one)| {
            let other = found.services.get(name)?;
            (one != other).then(|| format!("{name}: {other:?} instead of {one:?}"))
        });
        return format!(
            "{when} the services are not the same: {}",
            not_same.collect::<Vec<_>>().join("; ")
        );
    }
    format!("{when} there is {f} instead of {e}")
}
