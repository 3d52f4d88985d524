//! The measuring thread: nothing else runs on it, so that what arrives is noticed at once.

use std::{
    cell::RefCell,
    future::Future,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    sync::oneshot,
    task::{LocalSet, spawn_local},
};

use super::pacer::Pacer;
use crate::{
    bench::{metric::Metric, tally::ms},
    endpoint::lane::runtime,
};

/// Times between looks at the thread's lag: random, so that they fall into no rhythm of the server's.
const LOOK: std::ops::Range<u64> = 5..35;
/// Fewest looks that a 99th percentile is taken from.
const LOOKS: u64 = 100;
/// A lag above this is told, in milliseconds.
const TELL: f64 = 1.0;

/// Runs `work` on a thread with a runtime of its own. When the returned future is dropped, so is the work.
pub async fn run<F, W>(work: F) -> Result<W::Output, String>
where
    F: FnOnce() -> W + Send + 'static,
    W: Future<Output: Send + 'static> + 'static,
{
    let (alive, abandoned) = oneshot::channel::<()>();
    let (done, result) = oneshot::channel();
    let body = move || {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(e) => return drop(done.send(Err(format!("the measuring thread has no runtime: {e}")))),
        };
        LocalSet::new().block_on(&runtime, async {
            tokio::select! {
                output = work() => drop(done.send(Ok(output))),
                _ = abandoned => {}
            }
        });
    };
    std::thread::Builder::new()
        .name("bench".to_owned())
        .spawn(body)
        .map_err(|e| format!("the measuring thread could not be started: {e}"))?;
    let result = result.await;
    drop(alive);
    result.unwrap_or_else(|_| {
        Err("the measuring thread ended early; this is a defect of llm-deploy".to_owned())
    })
}

/// How late this thread notices what happens elsewhere, and so sends what comes next. Where the kernel doesn't tell when
/// bytes came, an arrival is stamped that much too late as well.
pub struct Lag(Rc<RefCell<Metric>>);

impl Lag {
    /// Looks until the thread's work ends.
    pub fn watch(pacer: &Pacer) -> Self {
        let (metric, pacer) = (Rc::new(RefCell::new(Metric::new())), pacer.clone());
        let lag = Self(metric.clone());
        spawn_local(async move {
            loop {
                let pause = Duration::from_millis(fastrand::u64(LOOK));
                let woken = pacer.until(Instant::now() + pause).await;
                metric.borrow_mut().record(ms(woken.elapsed()));
            }
        });
        lag
    }

    /// For the level's notes, when it matters.
    pub fn note(&self) -> Option<String> {
        note(&self.0.borrow())
    }
}

fn note(metric: &Metric) -> Option<String> {
    let lag = metric.less_is_better()?;
    (lag.count >= LOOKS && lag.p99 > TELL).then(|| {
        // Linux tells when bytes came, whenever they are noticed.
        let off = if cfg!(target_os = "linux") { "" } else { ", and times may be that much off" };
        format!(
            "this machine was too busy: the client acted up to {:.1} ms late (99th percentile), so that requests may \
             have left that much later{off}; use a larger or quieter machine",
            lag.p99
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_told_when_it_is_over_a_millisecond_often_enough() {
        let lag = |values: &[(u64, f64)]| {
            let mut metric = Metric::new();
            for (count, value) in values {
                (0..*count).for_each(|_| metric.record(*value));
            }
            note(&metric)
        };
        assert_eq!(lag(&[(990, 0.1), (10, 5.0)]), None, "one in a hundred");
        assert!(lag(&[(980, 0.1), (20, 5.0)]).unwrap().contains("5.0 ms late"));
        assert_eq!(lag(&[(50, 5.0)]), None, "too few looks");
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        struct Dropped(Option<oneshot::Sender<()>>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                let _ = self.0.take().unwrap().send(());
            }
        }
        let (sender, dropped) = oneshot::channel();
        let (running, begun) = oneshot::channel();
        let task = tokio::spawn(run(move || async move {
            let _guard = Dropped(Some(sender));
            let _ = running.send(());
            std::future::pending::<()>().await;
        }));
        begun.await.unwrap();
        task.abort();
        dropped.await.unwrap();
    }
}
