//! `serve`: the server of known timing, in its own process.

use std::{os::unix::process::parent_id, time::Duration};

use llm_deploy::{bench::descriptors, file, signal};

use crate::{
    arguments::{ServeArguments, TimingArguments},
    known_timing::{Server, Timing},
};

/// How often it looks whether its parent is still there.
const LOOK: Duration = Duration::from_millis(250);

/// Serves until it is stopped, or until the process that started it has ended.
pub async fn run(args: &ServeArguments) -> Result<u8, String> {
    let parent = parent_id();
    descriptors::raise();
    let server = Server::start(timing(&args.timing, args.record), args.port)
        .map_err(|e| format!("could not listen on port {}: {e}", args.port))?;
    // Whole at once: whoever waits for the file reads the port and not a part of it.
    file::write(&args.port_file, &server.address().port().to_string())?;
    tokio::select! {
        () = signal::stopped() => {}
        () = ended(parent) => {}
    }
    Ok(0)
}

pub fn timing(args: &TimingArguments, record: bool) -> Timing {
    let duration = |ms: f64| Duration::from_secs_f64(ms / 1000.0);
    Timing {
        ttft: duration(args.ttft_ms),
        gap: duration(args.gap_ms),
        spread: duration(args.spread_ms),
        seed: args.seed,
        record,
    }
}

/// Whoever loses its parent gets another one.
async fn ended(parent: u32) {
    while parent_id() == parent {
        tokio::time::sleep(LOOK).await;
    }
}
