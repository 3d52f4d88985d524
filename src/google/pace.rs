//! How often something that takes its time is looked at.

use std::time::Duration;

use tokio::time::Instant;

use super::error::Error;
use crate::tempo::Tempo;

/// Pauses between two looks at something that takes its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Between polls of builds, logs and operations that can't be waited for.
    pub poll: Duration,
    /// Between looks at a service that is coming up.
    pub watch: Duration,
    /// Between two reads of Cloud Logging, whoever asks: a project has 60 a minute, and others need some too.
    pub log: Duration,
    /// How long the end of a log is waited for once its build is over.
    pub log_end: Duration,
    /// How long something that was there may not be seen, for an outage in between.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            watch: Duration::from_secs(3),
            log: Duration::from_secs(2),
            log_end: Duration::from_secs(20),
            patience: Duration::from_secs(300),
        }
    }
}

impl Pace {
    pub fn at(self, tempo: Tempo) -> Self {
        Self {
            poll: tempo.of(self.poll),
            watch: tempo.of(self.watch),
            log: tempo.of(self.log),
            log_end: tempo.of(self.log_end),
            patience: tempo.of(self.patience),
        }
    }

    /// Whether a look that failed `unseen` after the last good one is worth another. What has just been made may not
    /// be found everywhere at once, so that a 404 is borne for a while too.
    pub fn bears(self, error: &Error, unseen: Duration) -> bool {
        if error.is_not_found() {
            unseen < self.patience / 10
        } else {
            !error.is_user_fixable() && unseen < self.patience
        }
    }

    /// Pauses that begin short, for what is done at once, and grow to [`Pace::poll`].
    pub fn ramp(self) -> Ramp {
        Ramp {
            next: self.poll / 16,
            most: self.poll,
        }
    }
}

/// See [`Pace::ramp`].
pub(crate) struct Ramp {
    next: Duration,
    most: Duration,
}

impl Ramp {
    pub fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.most);
        pause
    }
}

/// Turns at something that all share, one after another in the order of asking.
#[derive(Debug, Default)]
pub(crate) struct Turns(tokio::sync::Mutex<Option<Instant>>);

impl Turns {
    /// Waits for the next turn, `pause` after the one before.
    pub async fn next(&self, pause: Duration) {
        let mut last = self.0.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + pause).await;
        }
        *last = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_begins_quickly_and_slows_down() {
        let mut ramp = Pace::default().ramp();
        let pauses: Vec<u128> = (0..6).map(|_| ramp.next().as_millis()).collect();
        assert_eq!(pauses, [62, 125, 250, 500, 1000, 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn reads_of_all_together_keep_to_the_pace() {
        let (turns, began) = (Turns::default(), Instant::now());
        let one = || async {
            for _ in 0..5 {
                turns.next(Pace::default().log).await;
            }
        };
        tokio::join!(one(), one(), one());
        // 15 reads, the first at once: 30 a minute.
        assert_eq!(began.elapsed().as_secs(), 28);
    }
}
