//! Which workflow run this is, as GitHub counts them, and as labels, deployments and comments name it.

use std::{fmt, num::ParseIntError, str::FromStr};

use crate::environment::Environment;

/// Longest distance between the numbers of two runs within [`LONGEST_JOB`]. On github.com about 15 million runs
/// are started a day.
const FURTHEST: u64 = 1_000_000_000;

/// Longest time that a job can take: five days, on a self-hosted runner.
/// <https://docs.github.com/en/actions/reference/limits>
pub const LONGEST_JOB: chrono::TimeDelta = chrono::TimeDelta::days(5);

/// An attempt of a workflow run. Its text, which a label can hold, is the number and how often the run was
/// repeated: `17-0` is the first attempt of run 17.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunId {
    /// `GITHUB_RUN_ID`: later events get higher numbers on the same server. A repeated run keeps its number.
    pub number: u64,
    /// `GITHUB_RUN_ATTEMPT`: 1, and one more each time that a person repeats the run.
    pub attempt: u32,
}

impl RunId {
    /// Reads the runner's variables; `None` outside of GitHub Actions.
    pub fn read(env: &Environment) -> Option<Self> {
        Some(Self {
            number: env.get("GITHUB_RUN_ID")?.parse().ok()?,
            attempt: env
                .get("GITHUB_RUN_ATTEMPT")
                .and_then(|attempt| attempt.parse().ok())
                .unwrap_or(1),
        })
    }

    /// Whether a person repeated the run.
    pub fn is_repeated(self) -> bool {
        self.attempt > 1
    }

    /// Whether `other` can be the number of a run of the same server that is at work at the same time. A number
    /// from another server, or an invented one, usually cannot.
    pub fn can_meet(self, other: Self) -> bool {
        other.number > 0 && other.number <= self.number.saturating_add(FURTHEST)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number, self.attempt.saturating_sub(1))
    }
}

impl FromStr for RunId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, repeated) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self {
            number: number.parse()?,
            attempt: repeated.parse::<u32>()?.saturating_add(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_back_from_its_text() {
        let run = RunId {
            number: 43,
            attempt: 2,
        };
        assert_eq!(run.to_string(), "43-1");
        assert_eq!("43-1".parse(), Ok(run));
        assert!("soon".parse::<RunId>().is_err());
    }

    #[test]
    fn numbers_of_another_server_and_invented_ones_are_implausible() {
        let own: RunId = "12-0".parse().unwrap();
        let meets = |text: &str| own.can_meet(text.parse().unwrap());
        assert!(meets("13-0") && meets("11-0") && meets("500000-3"));
        assert!(!meets("17000000000-0") && !meets("99999999999-0") && !meets("0-0"));
        assert!(!meets("18446744073709551615-4294967295"));
        let late: RunId = "18446744073709551615-0".parse().unwrap();
        assert!(late.can_meet(late));
    }
}
