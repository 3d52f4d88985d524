//! One step for each judged run.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::report::{
    Status,
    escape::{clip, line, safe_url},
    record::{Figures, Record},
};

/// Time in which changes between good and bad are counted.
const WEEK: TimeDelta = TimeDelta::days(7);
/// Changes within a week from which a service flaps.
const FLAPPING: usize = 3;
/// Good runs in a row after which a flapping service counts as recovered.
const STEADY: u32 = 3;
/// A new failure this soon after the end of the last one belongs to it. A day, and two hours for schedules, which
/// GitHub starts late when it is busy: <https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule>
pub const REOPENED_WITHIN: TimeDelta = TimeDelta::hours(26);
/// A changed cause is told once a day; daily runs that start a little earlier than the day before count, too.
const QUIET: TimeDelta = TimeDelta::hours(22);
/// More changes than these tell nothing new.
const CHANGES: usize = 20;
/// Hexadecimal digits of a commit, of the longer kind.
const COMMIT: usize = 64;
/// Characters of a title that are kept.
const TITLE: usize = 300;

/// One run that could judge the service.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub at: DateTime<Utc>,
    pub good: bool,
    pub commit: String,
    pub run_url: Option<String>,
    pub ttft_ms: Option<Figures>,
    pub stage: String,
    /// Title of the failure: hostile text.
    pub title: String,
}

impl Outcome {
    /// `None` when the record judges nothing: the run was cancelled, or could not reach the service.
    pub fn of(record: &Record) -> Option<Self> {
        if !matches!(record.status, Status::Succeeded | Status::Failed) {
            return None;
        }
        Some(Self {
            at: record.at,
            good: record.is_good(),
            commit: record.commit.clone(),
            run_url: record.run_url.clone(),
            ttft_ms: record.ttft_ms,
            stage: record.stage.clone().unwrap_or_default(),
            title: record.cause.clone().unwrap_or_default(),
        })
    }

    fn seen(&self) -> Seen {
        Seen {
            at: self.at,
            commit: clip(&self.commit, COMMIT),
            run_url: self.run_url.as_deref().and_then(safe_url),
            ttft_ms: self.ttft_ms,
        }
    }

    /// The same for causes that differ in their figures only: a latency is never missed twice by as much.
    fn cause(&self) -> String {
        let mut key = String::new();
        for c in clip(&line(&format!("{}: {}", self.stage, self.title)), TITLE).chars() {
            match c {
                c if c.is_ascii_digit() => {
                    if !key.ends_with('#') {
                        key.push('#');
                    }
                }
                '.' if key.ends_with('#') => {}
                c => key.extend(c.to_lowercase()),
            }
        }
        key
    }
}

/// What is known of a service. All text is hostile once it has been read back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The latest judged run.
    pub last: Option<Last>,
    pub good_in_a_row: u32,
    /// When it went from good to bad or back, within a week of the latest run.
    pub changes: Vec<DateTime<Utc>>,
    /// The failure that is not over.
    pub incident: Option<Incident>,
    /// When the last one was over.
    pub over: Option<DateTime<Utc>>,
    pub last_good: Option<Seen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Last {
    pub at: DateTime<Utc>,
    pub good: bool,
}

/// A run, as far as a reader wants to find it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub at: DateTime<Utc>,
    pub commit: String,
    #[serde(default)]
    pub run_url: Option<String>,
    #[serde(default)]
    pub ttft_ms: Option<Figures>,
}

/// A failure, from its first run to its last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub first: Seen,
    /// Runs since, the first included.
    pub failed: u32,
    pub good: u32,
    /// Title of the latest failure.
    pub title: String,
    /// The cause that was told last, and when.
    told: String,
    told_at: DateTime<Utc>,
}

/// What to tell people of a run. Each is a comment and a webhook's message; a first failure's comment is the issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    Fails,
    /// Within a day of having recovered.
    FailsAgain,
    /// Fails again, after so many changes that no more will be told until it is steady.
    Flaps,
    CauseChanged,
    Recovered,
}

/// What a run makes of the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub state: State,
    pub announce: Option<Announce>,
    /// The incident that this run ended.
    pub ended: Option<Incident>,
}

impl State {
    /// After one more run. One that is not later than the latest changes nothing.
    #[must_use]
    pub fn step(&self, run: &Outcome) -> Step {
        let mut step = Step {
            state: self.clone(),
            announce: None,
            ended: None,
        };
        if self.last.is_some_and(|last| run.at <= last.at) {
            return step;
        }
        let state = &mut step.state;
        state.changes.retain(|at| run.at - *at < WEEK);
        if self.last.is_some_and(|last| last.good != run.good) {
            state.changes.push(run.at);
            let too_many = state.changes.len().saturating_sub(CHANGES);
            state.changes.drain(..too_many);
        }
        state.last = Some(Last {
            at: run.at,
            good: run.good,
        });
        if run.good {
            step.ended = state.good(run);
            step.announce = step.ended.is_some().then_some(Announce::Recovered);
        } else {
            step.announce = state.bad(run);
        }
        step
    }

    /// After the runs that are later than what is known, as far as they judged anything. A deployment ends no
    /// failure: it tells nobody, and the scheduled test that follows does.
    #[must_use]
    pub fn replay(self, history: &[Record], before: DateTime<Utc>) -> Self {
        let earlier = history.iter().filter(|record| record.at < before);
        let judged = earlier.filter_map(|record| Some((Outcome::of(record)?, record.deployed)));
        judged.fold(self, |state, (run, deployed)| match deployed {
            true => state.deployed(&run),
            false => state.step(&run).state,
        })
    }

    fn deployed(mut self, run: &Outcome) -> Self {
        if run.good && self.last_good.as_ref().is_none_or(|good| good.at < run.at) {
            self.last_good = Some(run.seen());
        }
        self
    }

    /// Whether it speaks of a time that has not come: somebody changed it, and nothing would be told until then. Clocks
    /// of runs at the same time differ by less than a day.
    pub fn is_ahead_of(&self, now: DateTime<Utc>) -> bool {
        self.last.is_some_and(|last| last.at - now > TimeDelta::days(1))
    }

    /// Went good and bad so often within a week that each change alone says little.
    pub fn is_flapping(&self) -> bool {
        self.changes.len() >= FLAPPING
    }

    /// Whether a failure at `now` belongs to the incident that is or was the latest.
    pub fn goes_on(&self, now: DateTime<Utc>) -> bool {
        self.incident.is_some() || self.over.is_some_and(|over| now - over <= REOPENED_WITHIN)
    }

    /// Good runs that are still wanted before a flapping service counts as recovered.
    pub fn good_runs_wanted(&self) -> u32 {
        STEADY.saturating_sub(self.good_in_a_row)
    }

    fn good(&mut self, run: &Outcome) -> Option<Incident> {
        self.good_in_a_row = self.good_in_a_row.saturating_add(1);
        self.last_good = Some(run.seen());
        let steady = !self.is_flapping() || self.good_runs_wanted() == 0;
        let incident = self.incident.as_mut()?;
        incident.good = incident.good.saturating_add(1);
        if !steady {
            return None;
        }
        self.over = Some(run.at);
        self.incident.take()
    }

    fn bad(&mut self, run: &Outcome) -> Option<Announce> {
        self.good_in_a_row = 0;
        let flapping = self.is_flapping();
        let cause = run.cause();
        let title = clip(&line(&run.title), TITLE);
        let Some(incident) = &mut self.incident else {
            self.incident = Some(Incident {
                first: run.seen(),
                failed: 1,
                good: 0,
                title,
                told: cause,
                told_at: run.at,
            });
            let again = self.over.is_some_and(|over| run.at - over <= REOPENED_WITHIN);
            // Told however lately it was told last: the last word must not be that it has recovered.
            return Some(match (flapping, again) {
                (true, _) => Announce::Flaps,
                (false, true) => Announce::FailsAgain,
                (false, false) => Announce::Fails,
            });
        };
        incident.failed = incident.failed.saturating_add(1);
        incident.title = title;
        let news = incident.told != cause && run.at - incident.told_at >= QUIET && !flapping;
        news.then(|| {
            incident.told = cause;
            incident.told_at = run.at;
            Announce::CauseChanged
        })
    }
}
