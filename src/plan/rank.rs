//! Which of two runs of one target gives way: the one for the earlier event.

use std::{collections::BTreeMap, fmt, str::FromStr};

use super::target::label;
use crate::event::RunId;

/// Where a run stands. A higher one takes a target over from a lower one; of equal ones each goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Number of the workflow run, or of the latest one that somebody overrode.
    event: u64,
    /// Times that somebody overrode it.
    again: u32,
}

impl Rank {
    /// The rank that an event gives by itself. `None` for what a person asked for (a run that is run again, or one
    /// on their own machine): that is to happen whatever was deployed before, see [`Self::above`].
    pub fn of(run: Option<RunId>) -> Option<Self> {
        run.filter(|run| run.attempt <= 1).map(|run| Self {
            event: run.number,
            again: 0,
        })
    }

    /// Above every rank in `seen`, and below the next event's.
    pub fn above(seen: impl IntoIterator<Item = Self>, run: Option<RunId>) -> Self {
        let own = Self {
            event: run.map_or(0, |run| run.number),
            again: 0,
        };
        let highest = seen.into_iter().fold(own, Self::max);
        Self {
            again: highest.again.saturating_add(1),
            ..highest
        }
    }

    /// Of the run that last changed a service, by its labels.
    pub fn in_labels(labels: &BTreeMap<String, String>) -> Option<Self> {
        labels.get(label::RUN)?.parse().ok()
    }
}

/// `17-0`, which a label can hold.
impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.event, self.again)
    }
}

impl FromStr for Rank {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (event, again) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self {
            event: event.parse()?,
            again: again.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u64, attempt: u32) -> Option<RunId> {
        Some(RunId { number, attempt })
    }

    #[test]
    fn the_later_event_wins() {
        assert!(Rank::of(run(43, 1)) > Rank::of(run(42, 1)));
        assert_eq!(Rank::of(run(42, 2)), None);
        assert_eq!(Rank::of(None), None);
    }

    #[test]
    fn what_a_person_asks_for_overrides_what_was_there_and_gives_way_to_the_next_event() {
        let there = ["42-0", "43-0"].map(|rank| rank.parse::<Rank>().unwrap());
        for again in [run(42, 2), run(43, 2), None] {
            let rank = Rank::above(there, again);
            assert!(there.iter().all(|one| rank > *one));
            assert!(Rank::of(run(44, 1)) > Some(rank));
            assert!(Rank::above([rank], again) > rank);
        }
        assert_eq!(Rank::above([], run(42, 2)).to_string(), "42-1");
    }

    #[test]
    fn a_rank_is_read_back_from_the_label() {
        let labels = |text: &str| BTreeMap::from([(label::RUN.to_owned(), text.to_owned())]);
        assert_eq!(
            Rank::in_labels(&labels("43-1")),
            Some(Rank { event: 43, again: 1 })
        );
        assert_eq!(Rank::in_labels(&labels("soon")), None);
        assert_eq!(Rank::in_labels(&BTreeMap::new()), None);
    }
}
