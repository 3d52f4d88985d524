//! A few requests of a load to look at one by one: the slowest, the first that failed, and some others by chance.
//! Their number does not grow with the number of requests.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::failure::Failure;

/// Most requests of each of the three kinds.
const EACH: usize = 20;
/// What is kept by chance hangs on the order of the requests alone, so any fixed seed does.
const SEED: u64 = 0x6c6c_6d64;

/// One measured request.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Seconds from the start of the measured time to when it was due (open loop) or sent.
    pub at_seconds: f64,
    /// `None` when it failed, as for the two below.
    pub ttft_ms: Option<f64>,
    pub e2e_ms: Option<f64>,
    pub output_tokens: Option<u64>,
    /// Hostile text.
    pub error: Option<String>,
}

/// An answer's figures.
#[derive(Clone, Copy)]
pub struct Answered {
    pub at_seconds: f64,
    pub ttft_ms: f64,
    pub e2e_ms: f64,
    pub output_tokens: u64,
}

/// Keeps examples of the requests that it is told of.
pub struct Examples {
    slowest: BinaryHeap<BySpeed>,
    /// A reservoir: each answer that is not among the slowest has the same chance to be in it.
    others: Vec<Answered>,
    /// Answers that the reservoir was offered.
    offered: u64,
    failed: Vec<Example>,
    chance: fastrand::Rng,
}

/// The fastest is the greatest, so that it is the one that the heap gives up.
struct BySpeed(Answered);

impl Default for Examples {
    fn default() -> Self {
        Self {
            slowest: BinaryHeap::with_capacity(EACH + 1),
            others: Vec::with_capacity(EACH),
            offered: 0,
            failed: Vec::new(),
            chance: fastrand::Rng::with_seed(SEED),
        }
    }
}

impl Examples {
    pub fn answered(&mut self, answer: Answered) {
        self.slowest.push(BySpeed(answer));
        if self.slowest.len() > EACH
            && let Some(BySpeed(fastest)) = self.slowest.pop()
        {
            self.offer(fastest);
        }
    }

    pub fn failed(&mut self, at_seconds: f64, failure: &Failure) {
        if self.failed.len() < EACH {
            self.failed.push(Example {
                at_seconds,
                ttft_ms: None,
                e2e_ms: None,
                output_tokens: None,
                error: Some(failure.message.clone()),
            });
        }
    }

    /// The failed ones in the order in which they ended, then the answers, slowest first.
    pub fn into_examples(self) -> Vec<Example> {
        let mut answers: Vec<BySpeed> = self.slowest.into_vec();
        answers.extend(self.others.into_iter().map(BySpeed));
        answers.sort_unstable();
        let answers = answers.into_iter().map(|BySpeed(answer)| answer.into());
        self.failed.into_iter().chain(answers).collect()
    }

    fn offer(&mut self, answer: Answered) {
        self.offered += 1;
        if self.others.len() < EACH {
            self.others.push(answer);
            return;
        }
        let place = usize::try_from(self.chance.u64(..self.offered)).ok();
        if let Some(kept) = place.and_then(|place| self.others.get_mut(place)) {
            *kept = answer;
        }
    }
}

impl From<Answered> for Example {
    fn from(answer: Answered) -> Self {
        Self {
            at_seconds: answer.at_seconds,
            ttft_ms: Some(answer.ttft_ms),
            e2e_ms: Some(answer.e2e_ms),
            output_tokens: Some(answer.output_tokens),
            error: None,
        }
    }
}

impl Ord for BySpeed {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.e2e_ms.total_cmp(&self.0.e2e_ms)
    }
}

impl PartialOrd for BySpeed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for BySpeed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for BySpeed {}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(number: u64, e2e_ms: f64) -> Answered {
        Answered {
            at_seconds: number as f64,
            ttft_ms: e2e_ms / 10.0,
            e2e_ms,
            output_tokens: number,
        }
    }

    fn failure(number: u64) -> Failure {
        Failure {
            kind: "refused",
            message: format!("refused {number}"),
        }
    }

    #[test]
    fn few_requests_are_all_kept_slowest_first() {
        let mut examples = Examples::default();
        for (number, e2e) in [(0, 30.0), (1, 90.0), (2, 60.0)] {
            examples.answered(answer(number, e2e));
        }
        examples.failed(7.5, &failure(7));
        let kept = examples.into_examples();
        let times: Vec<_> = kept.iter().map(|e| e.e2e_ms).collect();
        assert_eq!(times, [None, Some(90.0), Some(60.0), Some(30.0)]);
        assert_eq!(
            (kept[0].at_seconds, kept[0].error.as_deref()),
            (7.5, Some("refused 7"))
        );
        assert_eq!((kept[1].ttft_ms, kept[1].output_tokens), (Some(9.0), Some(1)));
    }

    #[test]
    fn a_million_requests_leave_the_slowest_the_first_failures_and_some_others() {
        let mut examples = Examples::default();
        // Every number below a million once, in an order without pattern.
        for n in 0..1_000_000u64 {
            let number = n * 387_420_489 % 1_000_000;
            examples.answered(answer(number, number as f64));
            if n % 1_000 == 0 {
                examples.failed(n as f64, &failure(n));
            }
        }
        let kept = examples.into_examples();
        assert_eq!(kept.len(), 3 * EACH);
        let errors: Vec<_> = kept[..EACH].iter().map(|e| e.at_seconds as u64).collect();
        assert_eq!(errors, (0..20).map(|n| n * 1_000).collect::<Vec<_>>());
        let slowest: Vec<_> = kept[EACH..2 * EACH]
            .iter()
            .filter_map(|e| e.output_tokens)
            .collect();
        assert_eq!(slowest, (999_980..1_000_000).rev().collect::<Vec<_>>());
        let others: Vec<_> = kept[2 * EACH..].iter().filter_map(|e| e.e2e_ms).collect();
        let mean = others.iter().sum::<f64>() / others.len() as f64;
        // Of 20 evenly spread values the mean is within four standard deviations (258,000) of the middle.
        assert!((mean - 500_000.0).abs() < 258_000.0, "{mean}");
    }

    #[test]
    fn each_answer_that_is_not_slow_has_the_same_chance() {
        let mut seen = [0u32; 100];
        for seed in 0..2_000 {
            let mut examples = Examples {
                chance: fastrand::Rng::with_seed(seed),
                ..Examples::default()
            };
            // The slowest come in the middle: what they displace counts like the rest.
            for number in 0..100u64 {
                let slow = (40..60).contains(&number);
                examples.answered(answer(number, if slow { 1_000.0 } else { number as f64 }));
            }
            for other in &examples.others {
                seen[other.output_tokens as usize] += 1;
            }
        }
        // 20 of 80, so 500 of 2,000 times, with a standard deviation of 19.4.
        for (number, times) in seen.iter().enumerate() {
            let expected = if (40..60).contains(&number) {
                0..1
            } else {
                400..600
            };
            assert!(expected.contains(times), "{number}: {times}");
        }
    }
}
