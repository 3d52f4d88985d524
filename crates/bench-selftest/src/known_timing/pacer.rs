//! The thread that sleeps until the next token of any stream is due.
//!
//! Tokio's timer works in whole milliseconds and would let tokens out in bursts, and a task woken for each token costs
//! more than writing it.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{answer::Answer, ledger::Ledger};

/// Sleep when there is nothing to do.
const IDLE: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub struct Pacer {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    answers: BinaryHeap<Reverse<Due>>,
    closed: bool,
}

struct Due {
    at: Instant,
    answer: Box<Answer>,
}

impl Pacer {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an answer that has more to do at `at`.
    pub fn add(&self, at: Instant, answer: Box<Answer>) {
        let mut waiting = self.lock();
        let first = waiting.answers.peek().is_none_or(|next| at < next.0.at);
        waiting.answers.push(Reverse(Due { at, answer }));
        drop(waiting);
        if first {
            self.changed.notify_one();
        }
    }

    /// Ends [`Pacer::run`].
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.answers.clear();
        drop(waiting);
        self.changed.notify_one();
    }

    /// Moves every answer on when it is due, until closed.
    pub fn run(&self, ledger: &Ledger) {
        let mut waiting = self.lock();
        while !waiting.closed {
            let now = Instant::now();
            let pause = match waiting.answers.peek() {
                Some(next) => next.0.at.saturating_duration_since(now),
                None => IDLE,
            };
            if !pause.is_zero() {
                waiting = self
                    .changed
                    .wait_timeout(waiting, pause)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
                continue;
            }
            let Some(Reverse(mut due)) = waiting.answers.pop() else {
                continue;
            };
            drop(waiting);
            let again = due.answer.advance(ledger);
            waiting = self.lock();
            match again {
                Ok(Some(at)) => waiting.answers.push(Reverse(Due { at, ..due })),
                Ok(None) => {}
                Err(_) => ledger.abandoned(),
            }
        }
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}
