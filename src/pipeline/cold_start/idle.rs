//! Whether a service has no instance, from Cloud Monitoring's counts and the log together.
//!
//! The counts come up to three minutes late. What happened since the last one is in the log: an instance can't come
//! up without a line of its start, nor a request be answered without one of its own.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::google::{
    logging::{HttpRequest, Line, Source},
    monitoring::Count,
};

/// A series without a point for this long has no instance: it is sampled every minute and told up to three minutes
/// late (<https://cloud.google.com/monitoring/api/metrics_gcp_p_z>, `container/instance_count`).
pub const STALE: TimeDelta = TimeDelta::minutes(5);
/// How long before a count of 0 the log must be silent, too: an instance that is just being started, or has just been, may
/// not be counted yet. An idle one is kept for far longer.
pub const QUIET: TimeDelta = TimeDelta::minutes(2);
/// Beginning of Cloud Run's line about a start.
pub const STARTING: &str = "Starting new instance.";

/// What is known of a service's instances.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// None is there, and why that is known.
    Zero(String),
    /// One may be there, and why.
    Up(String),
}

/// Judges the counts and the lines, both of at least [`STALE`] and `quiet` before `now`. `quiet` is [`QUIET`], at the
/// run's tempo.
pub fn judge(counts: &[Count], lines: &[Line], now: DateTime<Utc>, quiet: TimeDelta) -> Seen {
    let mut latest: BTreeMap<(&str, &str), &Count> = BTreeMap::new();
    for count in counts.iter().filter(|count| now - count.at < STALE) {
        let known = latest.entry((&count.revision, &count.state)).or_insert(count);
        if count.at > known.at {
            *known = count;
        }
    }
    if let Some(up) = latest.values().find(|count| count.instances > 0) {
        return Seen::Up(format!(
            "Cloud Monitoring counts {} {} instance(s) at {}",
            up.instances,
            up.state,
            clock(up.at)
        ));
    }
    // The oldest of the newest points: from there on only the log tells.
    let (since, said) = match latest.values().map(|count| count.at).min() {
        Some(at) => (
            at,
            format!("Cloud Monitoring counts 0 instances at {}", clock(at)),
        ),
        None => {
            let said = format!(
                "Cloud Monitoring has no count of the last {} minutes",
                STALE.num_minutes()
            );
            (now - STALE, said)
        }
    };
    let awake = lines
        .iter()
        .find(|line| line.at >= since - quiet && is_sign_of_life(line));
    match awake {
        Some(line) if line.text.starts_with(STARTING) => {
            Seen::Up(format!("an instance was started at {}", clock(line.at)))
        }
        Some(line) => Seen::Up(format!("a request came at {}", clock(line.at))),
        None => Seen::Zero(format!(
            "{said}, and the log has no start and no request since, or shortly before"
        )),
    }
}

fn is_sign_of_life(line: &Line) -> bool {
    match &line.source {
        Source::System => line.text.starts_with(STARTING),
        // A refusal by the front end reaches no instance.
        Source::Request(request) => !matches!(request.status, 401 | 403),
        Source::Container | Source::Other => false,
    }
}

/// Requests in the log that came after `since`, when this client sent none: how many, and the last one.
pub fn others(lines: &[Line], since: DateTime<Utc>) -> Option<(usize, DateTime<Utc>, &HttpRequest)> {
    let theirs = lines
        .iter()
        .filter(|line| line.at > since)
        .filter_map(|line| match &line.source {
            Source::Request(request) if is_sign_of_life(line) => Some((line.at, request)),
            _ => None,
        });
    let (count, last) = theirs.fold((0, None), |(count, _), next| (count + 1, Some(next)));
    last.map(|(at, request)| (count, at, request))
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn count(seconds: i64, state: &str, instances: u64) -> Count {
        Count {
            at: at(seconds),
            revision: "s-1".to_owned(),
            state: state.to_owned(),
            instances,
        }
    }

    fn line(seconds: i64, source: Source, text: &str) -> Line {
        Line {
            at: at(seconds),
            source,
            instance: None,
            text: text.to_owned(),
        }
    }

    fn request(status: u16) -> Source {
        Source::Request(HttpRequest {
            status,
            ..HttpRequest::default()
        })
    }

    fn is_zero(counts: &[Count], lines: &[Line]) -> bool {
        matches!(judge(counts, lines, at(1000), QUIET), Seen::Zero(_))
    }

    #[test]
    fn the_newest_point_of_every_state_counts() {
        assert!(is_zero(
            &[
                count(960, "active", 0),
                count(960, "idle", 0),
                count(900, "idle", 1)
            ],
            &[]
        ));
        assert!(!is_zero(&[count(960, "active", 0), count(960, "idle", 1)], &[]));
        assert!(is_zero(&[count(600, "idle", 1)], &[]), "it was given up on since");
        assert!(is_zero(&[], &[]));
    }

    #[test]
    fn what_the_count_is_too_late_for_is_in_the_log() {
        let zero = [count(900, "idle", 0)];
        let start = |seconds| {
            line(
                seconds,
                Source::System,
                "Starting new instance. Reason: AUTOSCALING",
            )
        };
        assert!(!is_zero(&zero, &[start(950)]));
        assert!(!is_zero(&zero, &[start(850)]), "it may not have been counted yet");
        assert!(is_zero(&zero, &[start(770)]), "the count is newer");
        assert!(!is_zero(&zero, &[line(950, request(200), "")]));
        assert!(
            is_zero(&zero, &[line(950, request(403), "")]),
            "it reached no instance"
        );
        assert!(is_zero(
            &zero,
            &[line(950, Source::Container, "Starting new instance.")]
        ));
        assert!(
            !is_zero(&[], &[start(650)]),
            "without a count the log has to be silent for as long"
        );
    }

    #[test]
    fn requests_of_others_are_those_after_our_own() {
        let lines = [
            line(10, request(200), ""),
            line(20, request(200), ""),
            line(30, request(503), ""),
        ];
        let (number, last, seen) = others(&lines, at(10)).unwrap();
        assert_eq!((number, last, seen.status), (2, at(30), 503));
        assert_eq!(others(&lines, at(30)), None);
    }
}
