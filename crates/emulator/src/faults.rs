//! Faults on demand: which request meets one, and what it does to the answer.
//!
//! Everything is counted in requests, never in time, so that a fault comes at the same place each time.

mod altered;
mod answers;
mod effects;
mod file;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;

use super::Call;

pub use altered::{Alteration, Lie};
pub(super) use effects::{after, before};
pub use file::parse;

/// The service of requests to a deployed endpoint.
pub const ENDPOINT: &str = "endpoint";

/// The rules that are still to be met, and what past ones left behind.
#[derive(Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
    /// Operations and builds that never end.
    endless: Mutex<BTreeSet<String>>,
    logs_stopped: AtomicBool,
    met: AtomicU32,
    lied: AtomicU32,
    watched: AtomicBool,
    seen: Mutex<Vec<Seen>>,
    answers: Mutex<Vec<(Seen, Value)>>,
}

/// Which requests meet a fault.
#[derive(Clone, Debug)]
pub struct Rule {
    pub on: Pattern,
    /// Matching requests that pass before the first one that meets the fault.
    pub skip: u32,
    /// Matching requests that meet it; [`u32::MAX`] for all.
    pub times: u32,
    pub fault: Fault,
}

/// What a request must be like; a part that is absent fits every request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pattern {
    /// Prefix of the service: `run`, `cloudbuild`, `github`, `hf`, `oidc`, … or [`ENDPOINT`].
    pub service: Option<String>,
    /// Method id of Google's discovery document.
    pub id: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
    /// Part of the path below the prefix.
    pub path: Option<String>,
    /// Part of the body: of JSON as it is without white space between its parts.
    pub body: Option<String>,
}

/// Something that a test does while a request waits.
#[derive(Clone)]
pub struct Hook(pub Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// What happens to a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum Fault {
    /// This answer, without any effect of the request; `retry_after` in seconds. Without a `body` the service's own
    /// for that status.
    Answer {
        status: u16,
        retry_after: Option<u64>,
        body: Option<Value>,
    },
    /// The request takes effect, and is then answered with this error all the same.
    AnswerAfter(u16),
    /// Google's refusal for want of quota, word for word.
    Quota(Quota),
    /// The connection ends before the request has an effect.
    ResetBefore,
    /// The request takes effect, then the connection ends without an answer.
    ResetAfter,
    /// The answer comes this much later; the effect is at once. In a file: milliseconds.
    Slow(#[serde(deserialize_with = "file::milliseconds")] Duration),
    /// No effect, and never an answer.
    Hang,
    /// The request takes effect, but its answer never comes.
    HangAfter,
    /// The request takes effect; of the answer's body only the first half comes, then the connection ends.
    Truncated,
    /// The request takes effect; the answer ends well, but half of its body is missing.
    Garbled,
    /// The request takes effect; one field of the answer, or one of each item, is false.
    Altered(Alteration),
    /// The token of the request is no longer good, for this request and all that follow.
    Revoked,
    /// The operation or build that the request starts or asks for never ends.
    Endless,
    /// Somebody cancels every build that is under way, before the request is carried out.
    CancelBuilds,
    /// What the request makes isn't found by this many of the reads that follow.
    FoundLate(u32),
    /// The binding that the request makes is not yet known to this many of the requests that follow.
    GrantedLate(u32),
    /// From this request on no build's log grows any more.
    LogStops,
    /// From this request on no build's log is there.
    LogGone,
    /// Something is done before the request takes effect.
    #[serde(skip)]
    Before(Hook),
    /// Something is done after the request took effect, before its answer is sent.
    #[serde(skip)]
    After(Hook),
}

/// What there is not enough of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quota {
    /// GPUs, without zonal redundancy.
    Gpu,
    /// GPUs, with zonal redundancy.
    ZonalGpu,
    /// CPU and memory of all instances.
    CpuAndMemory,
    /// Cloud Build in this region.
    Builds,
}

/// A request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub service: String,
    /// Method id of Google's discovery document, or nothing.
    pub id: String,
    pub method: String,
    pub path: String,
    /// JSON without white space between its parts, or nothing.
    pub body: String,
}

impl Faults {
    pub(super) fn of(rules: &[Rule]) -> Self {
        Self {
            rules: Mutex::new(rules.to_vec()),
            ..Self::default()
        }
    }

    /// From now on.
    pub fn add(&self, rule: Rule) {
        lock(&self.rules).push(rule);
    }

    /// No request meets any fault from now on. What already happened stays, but operations end and logs grow.
    pub fn clear(&self) {
        lock(&self.rules).clear();
        lock(&self.endless).clear();
        self.logs_stopped.store(false, Ordering::SeqCst);
    }

    /// How many requests have met a fault.
    pub fn met(&self) -> u32 {
        self.met.load(Ordering::SeqCst)
    }

    /// How many fields of answers were false.
    pub fn lied(&self) -> u32 {
        self.lied.load(Ordering::SeqCst)
    }

    /// Remembers every request from now on, forgetting those of before.
    pub fn watch(&self) {
        lock(&self.seen).clear();
        lock(&self.answers).clear();
        self.watched.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::SeqCst)
    }

    /// The requests since [`Self::watch`], in the order in which they came.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// The requests since [`Self::watch`] that were answered with JSON, each with its answer, in the order of the answers.
    pub fn answers(&self) -> Vec<(Seen, Value)> {
        lock(&self.answers).clone()
    }

    /// The fault that this request meets: of the first rule whose turn it is. Counts the request for every rule
    /// that it fits.
    pub(super) fn meet(&self, service: &str, call: &Call) -> Option<Fault> {
        if self.is_watched() {
            lock(&self.seen).push(Seen::of(service, call));
        }
        let mut found = None;
        for rule in lock(&self.rules)
            .iter_mut()
            .filter(|rule| rule.on.fits(service, call))
        {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.times > 0 && found.is_none() {
                if rule.times != u32::MAX {
                    rule.times -= 1;
                }
                found = Some(rule.fault.clone());
            }
        }
        if found.is_some() {
            self.met.fetch_add(1, Ordering::SeqCst);
        }
        found
    }

    /// Whether builds may write to their logs.
    pub(super) fn logs_grow(&self) -> bool {
        !self.logs_stopped.load(Ordering::SeqCst)
    }
}

impl Seen {
    fn of(service: &str, call: &Call) -> Self {
        Self {
            service: service.to_owned(),
            id: call.id.clone(),
            method: call.method.to_string(),
            path: call.path.clone(),
            body: json(call),
        }
    }
}

fn json(call: &Call) -> String {
    match &call.json {
        Value::Null => String::new(),
        json => json.to_string(),
    }
}

impl Pattern {
    fn fits(&self, service: &str, call: &Call) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
        is(&self.service, service)
            && is(&self.id, &call.id)
            && is(&self.method, call.method.as_str())
            && self.path.as_ref().is_none_or(|part| call.path.contains(part))
            && self.body.as_ref().is_none_or(|part| json(call).contains(part))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
