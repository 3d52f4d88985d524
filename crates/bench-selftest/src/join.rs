//! Puts what the client saw beside what the server sent.

use std::collections::HashMap;

use llm_deploy::bench::record::Record;
use serde::Deserialize;

use crate::error::Errors;

/// One measured request as the client saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub number: u64,
    /// `None` when the request failed.
    pub times: Option<(f64, Vec<f64>)>,
}

/// One answer as the server sent it: an element of `/timings`.
#[derive(Clone, Debug, Deserialize)]
pub struct Sent {
    /// `X-Request-Id`, which ends in the request's number.
    pub id: String,
    pub ttft_ns: u64,
    pub gaps_ns: Vec<u64>,
}

/// The errors of every request that both sides know alike.
#[derive(Default)]
pub struct Joined {
    pub compared: u64,
    pub failed: u64,
    pub tokens: u64,
    pub ttft: Errors,
    pub itl: Errors,
}

impl Seen {
    /// `None` for a request that is in no figure.
    pub fn new(record: &Record) -> Option<Self> {
        record.measured.then(|| Self {
            number: record.number,
            times: record
                .ttft_ms
                .filter(|_| record.error_kind.is_none())
                .map(|ttft| (ttft, record.gaps_ms.clone())),
        })
    }
}

impl Sent {
    fn number(&self) -> Option<u64> {
        let digits = self.id.rsplit(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    }
}

/// Joins by the request's number.
pub fn join(seen: &[Seen], sent: Vec<Sent>) -> Joined {
    let sent: HashMap<u64, Sent> = sent
        .into_iter()
        .filter_map(|sent| Some((sent.number()?, sent)))
        .collect();
    let mut joined = Joined::default();
    for seen in seen {
        match (&seen.times, sent.get(&seen.number)) {
            (Some((ttft, gaps)), Some(sent)) if gaps.len() == sent.gaps_ns.len() => {
                joined.compared += 1;
                joined.tokens += gaps.len() as u64 + 1;
                joined.ttft.add(ttft - ms(sent.ttft_ns));
                for (gap, sent) in gaps.iter().zip(&sent.gaps_ns) {
                    joined.itl.add(gap - ms(*sent));
                }
            }
            _ => joined.failed += 1,
        }
    }
    joined
}

fn ms(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(number: u64, ttft: f64, gaps: &[f64]) -> Seen {
        Seen {
            number,
            times: Some((ttft, gaps.to_vec())),
        }
    }

    fn sent(id: &str, ttft_us: u64, gaps_us: &[u64]) -> Sent {
        Sent {
            id: id.to_owned(),
            ttft_ns: ttft_us * 1000,
            gaps_ns: gaps_us.iter().map(|gap| gap * 1000).collect(),
        }
    }

    #[test]
    fn each_time_is_held_against_the_same_requests() {
        let joined = join(
            &[seen(12, 50.5, &[10.25, 9.5]), seen(3, 40.0, &[])],
            vec![
                sent("run-3", 39_000, &[]),
                sent("run-00012", 50_000, &[10_000, 10_000]),
            ],
        );
        assert_eq!((joined.compared, joined.failed, joined.tokens), (2, 0, 4));
        let ttft = joined.ttft.spread().unwrap();
        assert_eq!((ttft.p50, ttft.max, ttft.mean), (0.5, 1.0, 0.75));
        let itl = joined.itl.spread().unwrap();
        assert_eq!((itl.count, itl.p50, itl.max, itl.mean), (2, 0.25, 0.5, -0.125));
    }

    #[test]
    fn what_cannot_be_compared_counts_as_failed() {
        let failed = Seen {
            number: 1,
            times: None,
        };
        let joined = join(
            &[failed, seen(2, 5.0, &[1.0]), seen(4, 5.0, &[1.0])],
            vec![
                sent("r-1", 5_000, &[1_000]),
                sent("r-2", 5_000, &[1_000, 1_000]),
                sent("r-", 1, &[]),
            ],
        );
        assert_eq!((joined.compared, joined.failed), (0, 3));
        assert_eq!(joined.itl.spread(), None);
    }

    #[test]
    fn only_measured_requests_are_looked_at_and_failed_ones_have_no_times() {
        let record = Record {
            level: 0,
            number: 7,
            measured: true,
            due_at: None,
            sent_at: 0.0,
            ttft_ms: Some(1.5),
            e2e_ms: Some(9.0),
            gaps_ms: vec![2.5],
            input_tokens: None,
            output_tokens: 2,
            chunks: 2,
            good: None,
            error_kind: None,
            error: None,
        };
        assert_eq!(Seen::new(&record), Some(seen(7, 1.5, &[2.5])));
        let failed = Record {
            error_kind: Some("broken".to_owned()),
            ..record.clone()
        };
        assert_eq!(
            Seen::new(&failed),
            Some(Seen {
                number: 7,
                times: None
            })
        );
        assert_eq!(
            Seen::new(&Record {
                measured: false,
                ..record
            }),
            None
        );
    }
}
