//! `emulator`: serves the stand-ins for Google Cloud, GitHub and Hugging Face until it is stopped.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Error;
use crate::{
    cli::EmulatorArgs,
    emulator::{self, Settings, Speed},
};

/// Project that exists in the emulator.
pub const PROJECT: &str = "demo-project";

pub async fn run(args: EmulatorArgs) -> Result<u8, Error> {
    let settings = Settings {
        bare: args.bare,
        project: PROJECT.to_owned(),
        serve: args.serve,
        record: args.record,
        pace: args.pace,
        speed: Speed {
            ttft: Duration::from_millis(args.ttft_ms),
            gap: Duration::from_millis(args.gap_ms),
        },
    };
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    tokio::spawn(async move {
        crate::signal::stopped().await;
        on_signal.cancel();
    });
    emulator::serve_files(settings, Some(&args.port_file), Some(&args.env_file), stop)
        .await
        .map_err(|e| Error::input(format!("the emulator could not run: {e}")))?;
    Ok(0)
}
