//! How many requests each service is answering at a time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Requests under way, by the service's prefix: now, and at most so far.
#[derive(Default)]
pub struct Busy(Mutex<BTreeMap<String, (usize, usize)>>);

/// A request that is being answered.
pub(crate) struct Answering<'a> {
    busy: &'a Busy,
    service: String,
}

impl Busy {
    /// The most requests that the service (`github`, `run`, …) was answering at the same moment.
    pub fn most(&self, service: &str) -> usize {
        self.lock().get(service).map_or(0, |(_, most)| *most)
    }

    pub(crate) fn enter(&self, service: &str) -> Answering<'_> {
        let mut all = self.lock();
        let (now, most) = all.entry(service.to_owned()).or_default();
        *now += 1;
        *most = (*most).max(*now);
        drop(all);
        Answering {
            busy: self,
            service: service.to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (usize, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        if let Some((now, _)) = self.busy.lock().get_mut(&self.service) {
            *now -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_at_a_time_is_counted() {
        let busy = Busy::default();
        let one = busy.enter("run");
        let two = busy.enter("run");
        drop(one);
        drop(busy.enter("run"));
        drop(two);
        assert_eq!((busy.most("run"), busy.most("github")), (2, 0));
    }
}
