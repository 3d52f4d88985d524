//! A measured level as the result has it.

use super::{Limit, Measured, Plan};
use crate::{
    bench::{objective, result::Level},
    config::latency::Objective,
};

/// The level's figures, and what qualifies them.
pub fn level(plan: &Plan, peak: u64, measured: Measured, seed: u64) -> Level {
    let mut level = Level::empty(plan.load.into());
    level.peak_in_flight = peak;
    level.excluded_requests = measured.excluded;
    level.notes.extend(excluded(plan, measured.excluded));
    let requests = measured.tally.requests();
    if measured.given_up {
        let answered = requests > measured.tally.errors();
        level.notes.push(given_up(plan, requests, answered));
    }
    let shortfall = measured.shortfall;
    if shortfall.waited > 0 {
        level.notes.push(format!(
            "{} requests waited for one of {} connections, which counts as queue delay",
            shortfall.waited, plan.most_in_flight
        ));
    }
    if shortfall.unsent > 0 {
        level.notes.push(format!(
            "{} requests never were sent: no connection was free within their timeout",
            shortfall.unsent
        ));
    }
    level.notes.extend(measured.lag);
    let judged = plan
        .objectives
        .iter()
        .any(|o| matches!(o, Objective::AtMost { .. }));
    measured.tally.fill(&mut level, judged, seed);
    level.objectives = objective::outcomes(&plan.objectives, &level);
    level
}

fn excluded(plan: &Plan, count: u64) -> Option<String> {
    if count == 0 {
        return None;
    }
    let warm_up = u64::from(plan.warm_up).min(count);
    let parts = [(warm_up, "to warm up"), (count - warm_up, "during the ramp-up")];
    let said: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    Some(format!(
        "{} requests are in no figure: {}",
        count,
        said.join(", ")
    ))
}

fn given_up(plan: &Plan, requests: u64, answered: bool) -> String {
    let count = match plan.limit {
        Limit::Requests(total) => format!("{requests} of {total} requests"),
        Limit::Time(_) => format!("{requests} requests"),
    };
    if answered {
        format!("given up after {count}: the last ones all failed")
    } else {
        format!("given up: the first {count} all failed")
    }
}
