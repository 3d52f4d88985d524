//! A test that can't be made says nothing of the endpoint: Google or GitHub is down, credentials or settings are
//! wrong. It has an issue of its own, after the second time in a row.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{REOPENED_WITHIN, hidden, hindered_marker};
use crate::report::{
    Failure, Status,
    escape::{cell_code, clip, link, prose},
    markdown,
    record::Record,
    words,
};

/// Runs in a row from which people are told.
const TOLD_FROM: u32 = 2;
/// Room for each service's failure.
const DETAIL: usize = 8_000;
/// Services that are shown.
const SHOWN: usize = 5;

/// What the issue remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hindered {
    /// Runs that could not test everything, up to the latest.
    pub in_a_row: u32,
    pub since: Option<DateTime<Utc>>,
    pub over: Option<DateTime<Utc>>,
}

impl Hindered {
    /// After one more run that could not test.
    #[must_use]
    pub fn again(&self, at: DateTime<Utc>) -> Self {
        Self {
            in_a_row: self.in_a_row.saturating_add(1),
            since: Some(self.since.filter(|_| self.in_a_row > 0).unwrap_or(at)),
            over: self.over,
        }
    }

    /// After a run that tested everything.
    #[must_use]
    pub fn over(&self, at: DateTime<Utc>) -> Self {
        Self {
            in_a_row: 0,
            since: self.since,
            over: Some(at),
        }
    }

    /// Whether people were told of what is not over.
    pub fn is_told(&self) -> bool {
        self.in_a_row >= TOLD_FROM
    }

    /// Whether a hindrance at `now` belongs to the latest one.
    pub fn goes_on(&self, now: DateTime<Utc>) -> bool {
        self.is_told() || self.over.is_some_and(|over| now - over <= REOPENED_WITHIN)
    }
}

/// Whether people are to be told of a run that could not test. `known` is what an earlier issue remembers,
/// `histories` are those of the services, as far as they could be read. Where nothing remembers the run before,
/// they are told at once: the issue that is opened then remembers.
pub fn is_due(known: Option<&Hindered>, histories: &[Vec<Record>], now: DateTime<Utc>) -> bool {
    if let Some(known) = known {
        return known.again(now).in_a_row >= TOLD_FROM;
    }
    let earlier = |history: &Vec<Record>| {
        let before = history.iter().filter(|record| record.at < now);
        before.max_by_key(|record| record.at).map(|record| record.status)
    };
    let earlier: Vec<Status> = histories.iter().filter_map(earlier).collect();
    earlier.is_empty() || earlier.contains(&Status::Skipped)
}

/// The body. `what` names each service, or is empty where none was looked at.
pub fn hindered_body(state: &Hindered, what: &[(String, &Failure)], run_url: Option<&str>) -> String {
    let mut out = format!("{}\n{}\n", hindered_marker(), hidden::write(state));
    let since = state
        .since
        .map(|at| format!(" since {}", words::time(at)))
        .unwrap_or_default();
    if state.in_a_row == 0 {
        let _ = writeln!(out, "### ✅ The scheduled test runs again\n");
        let _ = writeln!(out, "It could not run{since}.\n");
    } else {
        let _ = writeln!(out, "### ⚠️ The scheduled test could not run{since}\n");
        let _ = writeln!(
            out,
            "{} in a row could not test every endpoint. That says nothing of the endpoints: they are not watched.\n",
            words::plural(u64::from(state.in_a_row), "run")
        );
    }
    for (service, failure) in what.iter().take(SHOWN) {
        if !service.is_empty() {
            let _ = writeln!(out, "#### {}\n", cell_code(&clip(service, 80)));
        }
        out.push_str(&markdown::failure(failure, DETAIL));
    }
    if what.len() > SHOWN {
        let _ = writeln!(out, "… and {} more services.\n", what.len() - SHOWN);
    }
    if let Some(url) = run_url {
        let _ = writeln!(out, "{}\n", link("Latest run", url));
    }
    let _ = writeln!(
        out,
        "{}",
        prose("llm-deploy keeps this issue up to date, and closes it when the test runs again.")
    );
    out
}
