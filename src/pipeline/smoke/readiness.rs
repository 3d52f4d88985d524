//! Waits until `/health` answers: an instance may have to be started and a model to be loaded.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    request,
    verdict::{Failure, Target, Verdict},
};
use crate::{endpoint::Error, units::human_duration};

/// How patient the wait is.
pub struct Patience {
    /// Longest wait altogether.
    deadline: Duration,
    /// Longest single try; Cloud Run holds a request back while an instance starts.
    each: Duration,
    /// How long refusals that no retry helps against are retried all the same: a new tag's route and a new
    /// grant take their time to be known everywhere.
    settle: Duration,
    /// First pause between tries; it doubles up to `longest_pause`.
    pause: Duration,
    longest_pause: Duration,
}

impl Patience {
    pub fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            each: Duration::from_secs(60),
            settle: Duration::from_secs(60),
            pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(10),
        }
    }
}

/// Asks for `/health` until it answers with success, the deadline is over, or a refusal won't go away.
pub async fn wait(target: Target<'_>, patience: &Patience, on_status: &(dyn Fn(&str) + Sync)) -> Verdict {
    let tempo = target.endpoint.tempo();
    let started = Instant::now();
    let elapsed = || tempo.nominal(started.elapsed());
    let (mut pause, mut tries) = (patience.pause, 0);
    loop {
        tries += 1;
        let left = patience.deadline.saturating_sub(elapsed());
        let error = match target
            .endpoint
            .health(patience.each.min(left.max(Duration::from_millis(1))))
            .await
        {
            Ok(()) if tries == 1 => return Ok("answered at once".to_owned()),
            Ok(()) => {
                let waited = human_duration(elapsed());
                return Ok(format!("answered after {waited} and {tries} tries"));
            }
            Err(error) => error,
        };
        if !worth_a_retry(&error, elapsed(), patience) || elapsed() + pause >= patience.deadline {
            return Err(failure(target, &error, elapsed(), tries));
        }
        on_status(&format!("smoke: waiting for /health: {error}"));
        tempo.sleep(jitter(pause)).await;
        pause = (pause * 2).min(patience.longest_pause);
    }
}

fn worth_a_retry(error: &Error, elapsed: Duration, patience: &Patience) -> bool {
    error.is_passing() || (matches!(error.status(), Some(401 | 403 | 404)) && elapsed < patience.settle)
}

/// Between half of it and all of it.
fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

fn failure(target: Target<'_>, error: &Error, waited: Duration, tries: u32) -> Box<Failure> {
    let times = if tries == 1 {
        "1 try".to_owned()
    } else {
        format!("{tries} tries")
    };
    Box::new(Failure {
        detail: format!(
            "not healthy after {} and {times}: {error}",
            human_duration(waited)
        ),
        sent: request::get(target.endpoint.base(), "health", target.credentials()),
        received: error.received(),
        hint: error.hint(target.private),
    })
}
