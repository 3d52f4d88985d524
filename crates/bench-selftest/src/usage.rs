//! What this process has used so far.

use std::time::Duration;

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::{TimeVal, TimeValLike},
};

#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time of all threads.
    pub cpu: Duration,
    /// Largest resident memory so far, in bytes.
    pub peak_memory: u64,
}

/// Zeros when the system doesn't tell.
pub fn now() -> Usage {
    /// Linux counts in KiB, macOS in bytes.
    const UNIT: u64 = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Usage::default();
    };
    Usage {
        cpu: duration(usage.user_time()) + duration(usage.system_time()),
        peak_memory: u64::try_from(usage.max_rss()).unwrap_or(0) * UNIT,
    }
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0))
}
