//! Which requests a part of a level still sends, and which of them count.

use std::time::{Duration, Instant};

/// When a part of a level ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    Requests(u64),
    /// From the end of the ramp-up.
    Time(Duration),
}

/// The warm-up of a level, or its measurement.
#[derive(Debug)]
pub struct Phase {
    pub start: Instant,
    pub ramp_up: Duration,
    limit: Limit,
    measured: bool,
    next: u64,
    counted: u64,
    pub excluded: u64,
}

/// Leave to send a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ticket {
    /// Number of the request in the level.
    pub number: u64,
    /// Place among the requests that are in the figures, from 0; `None` when it is not.
    pub place: Option<u64>,
    pub due: Option<Instant>,
}

impl Phase {
    pub fn warm_up(requests: u32) -> Self {
        Self {
            start: Instant::now(),
            ramp_up: Duration::ZERO,
            limit: Limit::Requests(u64::from(requests)),
            measured: false,
            next: 0,
            counted: 0,
            excluded: 0,
        }
    }

    /// What follows a warm-up.
    #[must_use]
    pub fn measurement(&self, limit: Limit, ramp_up: Duration) -> Self {
        Self {
            start: Instant::now(),
            ramp_up,
            limit,
            measured: true,
            counted: 0,
            ..*self
        }
    }

    pub fn is_warm_up(&self) -> bool {
        !self.measured
    }

    /// Start of the time that counts.
    pub fn origin(&self) -> Instant {
        self.start + self.ramp_up
    }

    /// Leave for a request that is sent, or due, at this time; `None` when there is none left.
    pub fn ticket(&mut self, at: Instant, due: Option<Instant>) -> Option<Ticket> {
        let counts = at >= self.origin();
        let over = match self.limit {
            Limit::Requests(most) => self.counted >= most,
            Limit::Time(duration) => at.saturating_duration_since(self.origin()) >= duration,
        };
        if over {
            return None;
        }
        let place = (self.measured && counts).then_some(self.counted);
        self.counted += u64::from(counts);
        self.excluded += u64::from(place.is_none());
        self.next += 1;
        Some(Ticket {
            number: self.next - 1,
            place,
            due,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn tickets(phase: &mut Phase, seconds: &[u32]) -> Vec<Option<(u64, Option<u64>)>> {
        let start = phase.start;
        let at = |s: &u32| {
            phase
                .ticket(start + SECOND * *s, None)
                .map(|t| (t.number, t.place))
        };
        seconds.iter().map(at).collect()
    }

    #[test]
    fn the_warm_up_counts_nowhere_and_numbers_go_on() {
        let mut warm_up = Phase::warm_up(2);
        assert_eq!(
            tickets(&mut warm_up, &[0, 0, 0]),
            [Some((0, None)), Some((1, None)), None]
        );
        let mut phase = warm_up.measurement(Limit::Requests(1), Duration::ZERO);
        assert_eq!(tickets(&mut phase, &[0, 0]), [Some((2, Some(0))), None]);
        assert_eq!(phase.excluded, 2);
    }

    #[test]
    fn what_is_sent_in_the_ramp_up_does_not_use_up_the_limit() {
        let mut phase = Phase::warm_up(0).measurement(Limit::Requests(2), SECOND * 10);
        assert_eq!(
            tickets(&mut phase, &[0, 5, 9, 10, 11, 12]),
            [
                Some((0, None)),
                Some((1, None)),
                Some((2, None)),
                Some((3, Some(0))),
                Some((4, Some(1))),
                None
            ]
        );
        assert_eq!(phase.excluded, 3);
    }

    #[test]
    fn a_time_limit_begins_after_the_ramp_up() {
        let mut phase = Phase::warm_up(0).measurement(Limit::Time(SECOND * 5), SECOND * 10);
        assert_eq!(
            tickets(&mut phase, &[9, 14, 15]),
            [Some((0, None)), Some((1, Some(0))), None]
        );
    }
}
