//! SIGINT and SIGTERM: a person's Ctrl-C, or a cancelled workflow.
//!
//! The first one is remembered for the whole process: what begins after it ends at once.

use std::{future::Future, sync::OnceLock};

use tokio_util::sync::CancellationToken;

/// The work's outcome; `None`, and the work is dropped, once the process is asked to stop.
pub async fn unless_stopped<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stopped() => None,
        done = work => Some(done),
    }
}

/// Returns when the process is asked to stop, or has been asked before.
pub async fn stopped() {
    static FIRST: OnceLock<CancellationToken> = OnceLock::new();
    let first = FIRST.get_or_init(|| {
        let token = CancellationToken::new();
        let told = token.clone();
        tokio::spawn(async move {
            next().await;
            told.cancel();
        });
        token
    });
    first.cancelled().await;
}

/// Returns at the next signal from now on.
pub async fn next() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a handler there is nothing to wait for: the default action ends the process.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
