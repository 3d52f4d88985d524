//! How many requests go to one host at a time, from all clients together: a run with many models must not look like an attack.
//! GitHub asks for no more than 100 at once and warns of secondary limits far below that
//! (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

/// Requests to one host at a time.
pub const AT_ONCE: usize = 8;

/// The room at each host. Clones share it.
#[derive(Clone, Default)]
pub struct Limiter(Arc<Mutex<BTreeMap<String, Room>>>);

/// The room at one host.
#[derive(Clone)]
pub struct Room(Arc<Semaphore>);

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limiter")
    }
}

impl Limiter {
    /// The room at a service, known by its base URL.
    pub fn room(&self, base: &Url) -> Room {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms
            .entry(base.to_string())
            .or_insert_with(|| Room(Arc::new(Semaphore::new(AT_ONCE))))
            .clone()
    }
}

impl Room {
    /// Waits for a place, which is held until the permit is dropped.
    pub async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed.
        Arc::clone(&self.0).acquire_owned().await.ok()
    }

    /// Whether most places are taken: a request should not be held open then.
    pub fn is_busy(&self) -> bool {
        self.0.available_permits() <= AT_ONCE / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn eight_at_a_time_for_each_host_and_all_clones_together() {
        let limiter = Limiter::default();
        let url = |text: &str| Url::parse(text).unwrap();
        let here = limiter.room(&url("https://run.googleapis.com/"));
        assert!(!here.is_busy());
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            let room = limiter.clone().room(&url("https://run.googleapis.com/"));
            held.push(room.enter().await.unwrap());
        }
        assert!(here.is_busy());
        let ninth = here.enter();
        tokio::pin!(ninth);
        assert!(futures::poll!(&mut ninth).is_pending());
        assert!(
            limiter
                .room(&url("https://api.github.com/"))
                .enter()
                .await
                .is_some()
        );
        held.pop();
        assert!(ninth.await.is_some());
    }
}
