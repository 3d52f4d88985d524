//! When a level is given up.

/// Failures, with no answer at all, after which a level is given up.
const GIVE_UP: u64 = 3;
/// Failures in a row, whatever was answered before, after which it is, too; with many in flight twice as many as those.
const GIVE_UP_LATER: u64 = 10;

/// Whether any request of a level may still be answered. Requests are known by their place in the order of sending.
#[derive(Default)]
pub struct Hope {
    begun: u64,
    failures: u64,
    answered: bool,
    ended: u64,
    /// Failures since the last answer.
    in_a_row: u64,
    /// Set at the failure that is one too many: those begun by then may still prove it wrong.
    last: Option<u64>,
    failed_by_then: u64,
}

impl Hope {
    /// A request is sent; gives its place.
    pub fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun - 1
    }

    /// A request ended. `false` when there is no hope left.
    pub fn end(&mut self, place: u64, answered: bool) -> bool {
        self.answered |= answered;
        self.ended += 1;
        self.in_a_row = if answered { 0 } else { self.in_a_row + 1 };
        if self.answered {
            return self.in_a_row < GIVE_UP_LATER.max(2 * (self.begun - self.ended));
        }
        self.failures += u64::from(!answered);
        let last = match self.last {
            None if self.failures >= GIVE_UP => {
                self.failed_by_then = self.failures;
                *self.last.insert(self.begun)
            }
            None => return true,
            Some(last) => {
                self.failed_by_then += u64::from(place < last);
                last
            }
        };
        self.failed_by_then < last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_end_a_level_of_one() {
        let mut hope = Hope::default();
        let one = |hope: &mut Hope, answered| {
            let place = hope.begin();
            hope.end(place, answered)
        };
        assert_eq!([false; 3].map(|a| one(&mut hope, a)), [true, true, false]);
    }

    #[test]
    fn a_server_that_dies_midway_ends_a_level_after_ten_failures_in_a_row() {
        let mut hope = Hope::default();
        let mut one = |answered| {
            let place = hope.begin();
            hope.end(place, answered)
        };
        for _ in 0..20 {
            assert!(one(true));
            assert!((0..9).all(|_| one(false)), "each answer is hope");
        }
        assert!(!one(false));
    }

    #[test]
    fn with_many_in_flight_a_burst_of_refusals_is_no_end() {
        let mut hope = Hope::default();
        let places: Vec<u64> = (0..100).map(|_| hope.begin()).collect();
        let (first, rest) = places.split_first().unwrap();
        assert!(hope.end(*first, true));
        assert!(rest[..60].iter().all(|place| hope.end(*place, false)));
    }

    #[test]
    fn those_under_way_may_still_be_answered() {
        let mut hope = Hope::default();
        let slow: Vec<u64> = (0..10).map(|_| hope.begin()).collect();
        for _ in 0..100 {
            let refused = hope.begin();
            assert!(hope.end(refused, false));
        }
        let (last, others) = slow.split_last().unwrap();
        assert!(others.iter().all(|place| hope.end(*place, false)));
        assert!(!hope.end(*last, false));
    }
}
