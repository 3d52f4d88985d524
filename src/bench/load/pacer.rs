//! Waiting for an instant to well under a millisecond: Tokio's timer works in whole milliseconds. A thread of its own
//! sleeps until the nearest instant and wakes whoever waits for it.

use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

/// Longest sleep when nobody waits.
const IDLE: Duration = Duration::from_secs(3600);

/// Ends its thread when the last clone is dropped.
#[derive(Clone)]
pub struct Pacer(Sender<(Instant, oneshot::Sender<Instant>)>);

impl Pacer {
    /// # Errors
    /// When no thread can be started.
    pub fn start() -> Result<Self, String> {
        let (sender, receiver) = channel();
        std::thread::Builder::new()
            .name("bench-pacer".to_owned())
            .spawn(move || wake_all(&receiver))
            .map_err(|e| format!("the pacing thread could not be started: {e}"))?;
        Ok(Self(sender))
    }

    /// Returns at `deadline`, at once when it is past: the time at which the wait was over, which is a little before
    /// the caller runs again.
    pub async fn until(&self, deadline: Instant) -> Instant {
        if deadline <= Instant::now() {
            // Others run all the same while one is behind.
            tokio::task::yield_now().await;
            return Instant::now();
        }
        let (wake, woken) = oneshot::channel();
        let sent = self.0.send((deadline, wake)).is_ok();
        match woken.await {
            Ok(at) if sent => at,
            _ => {
                tokio::time::sleep_until(deadline.into()).await;
                Instant::now()
            }
        }
    }
}

fn wake_all(receiver: &Receiver<(Instant, oneshot::Sender<Instant>)>) {
    let mut waiting: BTreeMap<(Instant, u64), oneshot::Sender<Instant>> = BTreeMap::new();
    let mut count = 0;
    loop {
        let now = Instant::now();
        while let Some(next) = waiting.first_entry().filter(|next| next.key().0 <= now) {
            // Nobody listens any more when the work was abandoned.
            let _ = next.remove().send(Instant::now());
        }
        let pause = waiting.first_key_value().map_or(IDLE, |((due, _), _)| {
            due.saturating_duration_since(Instant::now())
        });
        match receiver.recv_timeout(pause) {
            Ok((deadline, wake)) => {
                waiting.insert((deadline, count), wake);
                count += 1;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn nobody_is_woken_early_and_a_past_instant_returns_at_once() {
        let pacer = Pacer::start().unwrap();
        let start = Instant::now();
        let waits = (1..=20).rev().map(|ms| {
            let (pacer, deadline) = (pacer.clone(), start + Duration::from_millis(ms));
            async move {
                let woken = pacer.until(deadline).await;
                assert!(woken >= deadline && woken <= Instant::now());
            }
        });
        join_all(waits).await;
        assert!(pacer.until(start).await >= start);
    }
}
