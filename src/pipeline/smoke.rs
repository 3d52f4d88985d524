//! Smoke tests of a deployed model: is it up, is it the right model, does it answer, streamed or not, is it
//! closed to strangers, and does it satisfy the user's own checks.

mod answer;
mod builtin;
mod json;
mod readiness;
mod request;
mod user;
mod verdict;

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::{
    config,
    endpoint::Endpoint,
    report::{CheckOutcome, ColdStart},
};
use readiness::Patience;
use verdict::{Target, Verdict};

/// The names of the built-in checks, in the order in which they run.
pub const HEALTH: &str = "health";
pub const MODEL_LISTED: &str = "model listed";
pub const FIRST_INFERENCE: &str = "first inference";
pub const CHAT: &str = "chat completion";
pub const STREAM: &str = "streaming chat completion";
pub const CLOSED: &str = "closed to strangers";

/// What the smoke tests found.
pub struct Smoked {
    pub checks: Vec<CheckOutcome>,
    /// The first inference, unless it failed.
    pub cold_start: Option<ColdStart>,
}

/// Runs every check. Waits for `/health` for as long as a container may take to start (`startup`); when that fails the
/// others are reported as not run, otherwise each runs whatever became of those before. `on_status` hears what
/// goes on.
pub async fn run(
    endpoint: &Endpoint,
    model: &config::Model,
    private: bool,
    startup: Duration,
    on_status: &(dyn Fn(&str) + Sync),
) -> Smoked {
    let target = Target {
        endpoint,
        model,
        private,
    };
    let mut run = Run {
        on_status,
        checks: Vec::new(),
    };
    let patience = Patience::new(startup.max(model.smoke.timeout));
    if !run
        .check(HEALTH, readiness::wait(target, &patience, on_status))
        .await
    {
        run.skip_the_rest(model, private);
        return run.smoked(None);
    }
    run.check(MODEL_LISTED, builtin::listed(target)).await;
    let mut cold_start = None;
    run.check(FIRST_INFERENCE, builtin::first_inference(target, &mut cold_start))
        .await;
    run.check(CHAT, builtin::chat(target)).await;
    run.check(STREAM, builtin::stream(target)).await;
    if private {
        run.check(CLOSED, builtin::closed(target)).await;
    }
    for check in &model.smoke.checks {
        run.check(&check.name, user::run(target, check)).await;
    }
    run.smoked(cold_start)
}

struct Run<'a> {
    on_status: &'a (dyn Fn(&str) + Sync),
    checks: Vec<CheckOutcome>,
}

impl Run<'_> {
    async fn check(&mut self, name: &str, check: impl Future<Output = Verdict>) -> bool {
        (self.on_status)(&format!("smoke: {name}"));
        let started = Instant::now();
        let verdict = check.await;
        let passed = verdict.is_ok();
        self.checks
            .push(verdict::outcome(name, started.elapsed(), verdict));
        passed
    }

    fn skip_the_rest(&mut self, model: &config::Model, private: bool) {
        let own = model.smoke.checks.iter().map(|c| c.name.as_str());
        for name in [MODEL_LISTED, FIRST_INFERENCE, CHAT, STREAM]
            .into_iter()
            .chain(private.then_some(CLOSED))
            .chain(own)
        {
            self.checks.push(verdict::not_run(name, HEALTH));
        }
    }

    fn smoked(self, cold_start: Option<ColdStart>) -> Smoked {
        Smoked {
            checks: self.checks,
            cold_start,
        }
    }
}
