//! Services that give no answer: they are reported, and given up before they cost a job's whole time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::environment::Api;

/// After this long without an answer the user hears of it.
pub(super) const REPORTED: Duration = Duration::from_secs(60);
/// After this long a service is given up.
pub(super) const GIVEN_UP: Duration = Duration::from_secs(300);
/// The time for an answer of one that was given up: what a failing run still wants to tidy up must not wait again.
pub(super) const SHORT: Duration = Duration::from_secs(15);

type Report = Box<dyn Fn(&str) + Send + Sync>;

/// What is known of each service's silence.
#[derive(Default)]
pub(super) struct Silence {
    state: Mutex<State>,
    report: Mutex<Option<Report>>,
}

#[derive(Default)]
struct State {
    /// When the user last heard of it.
    reported: BTreeMap<Api, Instant>,
    given_up: BTreeSet<Api>,
}

impl Silence {
    pub fn report_with(&self, report: Report) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }

    /// Reports it, unless another request just did.
    pub fn report(&self, api: Api, host: &str) {
        let now = Instant::now();
        let before = self.state().reported.insert(api, now);
        if before.is_some_and(|before| now.duration_since(before) < REPORTED) {
            return;
        }
        if let Some(report) = &*self.report.lock().unwrap_or_else(PoisonError::into_inner) {
            report(&format!(
                "{host} has given no answer for a minute; it is asked again, and given up after {} minutes",
                GIVEN_UP.as_secs() / 60
            ));
        }
    }

    pub fn is_given_up(&self, api: Api) -> bool {
        self.state().given_up.contains(&api)
    }

    pub fn give_up(&self, api: Api) {
        self.state().given_up.insert(api);
    }

    pub fn ended(&self, api: Api) {
        self.state().given_up.remove(&api);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
