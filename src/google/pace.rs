//! How often something that takes its time is looked at.

use std::time::Duration;

use super::error::Error;
use crate::tempo::Tempo;

/// Pauses between two looks at something that takes its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Between polls of builds, logs and operations that can't be waited for.
    pub poll: Duration,
    /// Between looks at a service that is coming up.
    pub watch: Duration,
    /// How long something that was there may not be seen, for an outage in between.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            watch: Duration::from_secs(3),
            patience: Duration::from_secs(300),
        }
    }
}

impl Pace {
    pub fn at(self, tempo: Tempo) -> Self {
        Self {
            poll: tempo.of(self.poll),
            watch: tempo.of(self.watch),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_begins_quickly_and_slows_down() {
        let mut ramp = Pace::default().ramp();
        let pauses: Vec<u128> = (0..6).map(|_| ramp.next().as_millis()).collect();
        assert_eq!(pauses, [62, 125, 250, 500, 1000, 1000]);
    }
}
