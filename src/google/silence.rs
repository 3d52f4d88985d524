//! Services that give no answer: they are told of, and given up before they cost a job's whole time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::environment::Api;

/// After this long without an answer the user hears of it.
pub(super) const TOLD: Duration = Duration::from_secs(60);
/// After this long a service is given up.
pub(super) const GIVEN_UP: Duration = Duration::from_secs(300);
/// The time for an answer of one that was given up: what a failing run still wants to tidy up must not wait again.
pub(super) const SHORT: Duration = Duration::from_secs(15);

type Tell = Box<dyn Fn(&str) + Send + Sync>;

/// What is known of each service's silence.
#[derive(Default)]
pub(super) struct Silence {
    state: Mutex<State>,
    tell: Mutex<Option<Tell>>,
}

#[derive(Default)]
struct State {
    /// When the user last heard of it.
    told: BTreeMap<Api, Instant>,
    given_up: BTreeSet<Api>,
}

impl Silence {
    pub fn tell_with(&self, tell: Tell) {
        *self.tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
    }

    /// Tells of it, unless another request just did.
    pub fn tell(&self, api: Api, host: &str) {
        let now = Instant::now();
        let before = self.state().told.insert(api, now);
        if before.is_some_and(|before| now.duration_since(before) < TOLD) {
            return;
        }
        if let Some(tell) = &*self.tell.lock().unwrap_or_else(PoisonError::into_inner) {
            tell(&format!(
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
