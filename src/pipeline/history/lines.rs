//! A history as text: one JSON line for each run, oldest first. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    google::storage::document::Document,
    report::{escape::clip, record::Record},
};

/// Longest text of a failure that is kept, in characters: all lines together stay small.
const LONGEST_CAUSE: usize = 300;

/// What can be read of it. A line that can't is nobody's loss: somebody spoilt it, or a newer llm-deploy wrote it.
pub fn parse(text: &[u8]) -> Vec<Record> {
    let lines = text.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// What can be read of an object. One that is larger than any of ours has nothing to tell.
pub fn read(found: Option<&Document>) -> Vec<Record> {
    let whole = found.filter(|found| found.is_whole);
    whole.map_or_else(Vec::new, |found| parse(&found.body))
}

/// Clocks differ by less.
const CLOCKS: TimeDelta = TimeDelta::days(1);

/// Adds a run. What is dated in the future is no result, and would stay for ever. A run that is there already counts once, with its latest result; beyond `keep` the oldest go.
pub fn add(all: &mut Vec<Record>, mut record: Record, keep: usize, now: DateTime<Utc>) {
    record.cause = record.cause.map(|cause| clip(&cause, LONGEST_CAUSE));
    all.retain(|other| !is_same_run(other, &record) && other.at <= now + CLOCKS);
    all.push(record);
    all.sort_by_key(|record| record.at);
    all.drain(..all.len().saturating_sub(keep));
}

/// A workflow's run is known by its page, any other by what it ran on and when.
fn is_same_run(one: &Record, other: &Record) -> bool {
    match (&one.run_url, &other.run_url) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.at == other.at && one.commit == other.commit,
        _ => false,
    }
}

/// # Errors
/// When a figure can't be written as JSON, which none of ours can't.
pub fn text(all: &[Record]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for record in all {
        text += &serde_json::to_string(record)?;
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::history::testing::record;

    #[test]
    fn a_history_is_read_back_as_it_was_written() {
        let mut all = Vec::new();
        for day in 1..4 {
            add(&mut all, record(day), 10, Utc::now());
        }
        assert_eq!(parse(text(&all).unwrap().as_bytes()), all);
        assert_eq!(text(&all).unwrap().lines().count(), 3);
    }

    #[test]
    fn only_the_latest_runs_are_kept_oldest_first() {
        let mut all = Vec::new();
        for day in [3, 1, 5, 2, 4] {
            add(&mut all, record(day), 3, Utc::now());
        }
        let pages: Vec<_> = all.iter().map(|one| one.run_url.clone().unwrap()).collect();
        assert_eq!(pages, ["run/3", "run/4", "run/5"]);
    }

    #[test]
    fn what_is_dated_in_the_future_goes() {
        let mut all = vec![record(1), record(9)];
        let now = record(2).at;
        add(&mut all, record(2), 10, now);
        let pages: Vec<_> = all.iter().map(|one| one.run_url.clone().unwrap()).collect();
        assert_eq!(pages, ["run/1", "run/2"]);
    }

    #[test]
    fn a_run_that_is_recorded_twice_counts_once_with_its_latest_result() {
        let mut all = vec![record(1), record(2)];
        let again = Record {
            commit: "changed".to_owned(),
            ..record(2)
        };
        add(&mut all, again, 10, Utc::now());
        assert_eq!(all.len(), 2);
        assert_eq!(all[1].commit, "changed");
        // By hand there is no page: the same commit at another time is another run.
        let by_hand = |day| Record {
            run_url: None,
            ..record(day)
        };
        for day in [3, 3, 4] {
            add(&mut all, by_hand(day), 10, Utc::now());
        }
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn lines_that_somebody_spoilt_are_dropped_and_the_others_stay() {
        let good = text(&[record(1), record(2)]).unwrap();
        let (first, second) = good.split_once('\n').unwrap();
        let spoilt = [
            &b"\xff\xfe\0"[..],
            first.as_bytes(),
            b"<<<<<<< HEAD",
            &first.as_bytes()[..first.len() / 2],
            b"{}",
            b"[]",
            second.as_bytes(),
            b"\n",
        ];
        assert_eq!(parse(&spoilt.join(&b'\n')), [record(1), record(2)]);
        assert_eq!(parse(b""), []);
    }

    #[test]
    fn a_long_cause_is_cut() {
        let mut all = Vec::new();
        let long = Record {
            cause: Some("x".repeat(100_000)),
            ..record(1)
        };
        add(&mut all, long, 10, Utc::now());
        assert!(text(&all).unwrap().len() < 1500);
    }
}
