//! What happened between two readings of `/metrics`, beside what the client measured.

use std::collections::BTreeMap;

use super::{
    histogram::{Histogram, Quantile},
    scrape::{Counter, Scrape, Timer},
};
use crate::bench::result::{Level, ServerSide, ServerTime};

/// The server's figures of the time between the readings.
pub fn server_side(before: &Scrape, after: &Scrape, level: &Level) -> ServerSide {
    let mut side = ServerSide::default();
    let timer = |timer: Timer| {
        added(
            &before.timers,
            &after.timers,
            &timer,
            Histogram::since,
            Histogram::plus,
        )
    };
    let counter = |counter: Counter| {
        let since = |now: &u64, then: &u64| now.checked_sub(*then);
        let plus = |a: &u64, b: &u64| a.checked_add(*b);
        added(&before.counters, &after.counters, &counter, since, plus)
    };
    let read = || {
        let mut timers = BTreeMap::new();
        for name in [Timer::Ttft, Timer::Itl, Timer::E2e, Timer::Queue] {
            timers.insert(name, timer(name)?);
        }
        let mut counters = BTreeMap::new();
        for name in [
            Counter::Preemptions,
            Counter::PromptTokens,
            Counter::GeneratedTokens,
            Counter::PrefixQueries,
            Counter::PrefixHits,
        ] {
            counters.insert(name, counter(name)?);
        }
        Ok::<_, Backwards>((timers, counters))
    };
    let same = before.is_same_process(after);
    let Some((timers, counters)) = read().ok().filter(|_| same) else {
        side.notes.push(
            "no figures of the server: its counters started anew in between, so it was restarted, or another \
             instance answered"
                .to_owned(),
        );
        return side;
    };
    let waited = level.queue_ms.map_or(0.0, |queue| queue.mean);
    let mut set = |name: Timer, said: &str, client: Option<f64>| {
        let histogram = timers[&name].as_ref()?;
        time(histogram, said, client, &mut side.notes)
    };
    side.ttft_ms = set(Timer::Ttft, "TTFT", level.ttft_ms.map(|d| d.mean - waited));
    side.itl_ms = set(Timer::Itl, "ITL", level.itl_ms.map(|d| d.mean));
    side.e2e_ms = set(Timer::E2e, "E2E", level.e2e_ms.map(|d| d.mean - waited));
    side.queue_ms = set(Timer::Queue, "queue time", None);
    side.preemptions = counters[&Counter::Preemptions];
    side.prompt_tokens = counters[&Counter::PromptTokens];
    side.generated_tokens = counters[&Counter::GeneratedTokens];
    if let (Some(hits), Some(queries @ 1..)) =
        (counters[&Counter::PrefixHits], counters[&Counter::PrefixQueries])
    {
        side.prefix_cache_hit_rate = Some(hits as f64 / queries as f64);
    }
    let served = timers[&Timer::E2e].as_ref().or(timers[&Timer::Ttft].as_ref());
    side.notes
        .extend(served.and_then(|served| mismatch(served.count, level)));
    side
}

/// A counter is lower than it was, or gone.
struct Backwards;

/// What was added to all series of a name; `Ok(None)` when the server doesn't have it.
fn added<N: Ord, T: Clone + PartialEq>(
    before: &BTreeMap<N, BTreeMap<String, T>>,
    after: &BTreeMap<N, BTreeMap<String, T>>,
    name: &N,
    since: impl Fn(&T, &T) -> Option<T>,
    plus: impl Fn(&T, &T) -> Option<T>,
) -> Result<Option<T>, Backwards> {
    let none = BTreeMap::new();
    let (then, now) = (
        before.get(name).unwrap_or(&none),
        after.get(name).unwrap_or(&none),
    );
    if then.keys().any(|series| !now.contains_key(series)) {
        return Err(Backwards);
    }
    let mut total: Option<T> = None;
    for (series, value) in now {
        // A series that wasn't there had counted nothing.
        let more = match then.get(series) {
            Some(earlier) => since(value, earlier).ok_or(Backwards)?,
            None => value.clone(),
        };
        total = Some(match total {
            None => more,
            Some(sum) => plus(&sum, &more).ok_or(Backwards)?,
        });
    }
    Ok(total)
}

/// `client`: the mean that the client measured from when requests were sent, in milliseconds.
fn time(h: &Histogram, said: &str, client: Option<f64>, notes: &mut Vec<String>) -> Option<ServerTime> {
    let ms = |seconds: f64| seconds * 1000.0;
    let mean = ms(h.mean()?);
    let mut beyond = None;
    let mut at = |percent: f64| {
        let quantile = h.quantile(percent / 100.0)?;
        if let Quantile::Above(bound) = quantile {
            beyond.get_or_insert((percent, bound));
        }
        Some(ms(quantile.value()))
    };
    let time = ServerTime {
        count: h.count,
        mean,
        p50: at(50.0)?,
        p95: at(95.0)?,
        p99: at(99.0)?,
        outside: client.map(|client| client - mean),
    };
    // A server may claim any number.
    if ![time.mean, time.p50, time.p95, time.p99]
        .iter()
        .all(|ms| ms.is_finite())
    {
        return None;
    }
    if let Some((percent, bound)) = beyond {
        notes.push(format!(
            "the server's {said} from p{percent} on is above {bound} s, where its last bucket starts: that is shown"
        ));
    }
    Some(time)
}

/// Why the server's requests are not those of the client's figures.
fn mismatch(served: u64, level: &Level) -> Option<String> {
    let good = level.requests - level.errors.min(level.requests);
    if served < good {
        return Some(format!(
            "the server counts {served} of the client's {good} requests: several instances answer at this URL, \
             and these are the figures of one"
        ));
    }
    let more = served.checked_sub(level.requests).filter(|more| *more > 0)?;
    let whose = if more <= level.excluded_requests {
        "which the client's figures leave out (ramp-up, or still under way at the end)"
    } else {
        "so another client sent requests in this time"
    };
    Some(format!("the server counts {more} more requests, {whose}"))
}
