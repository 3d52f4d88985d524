//! A developers' program: measures what llm-deploy's benchmark client adds to the times it reports, on a server whose
//! timing is known. It is not shipped.
//!
//! It may depend on the client alone (`llm_deploy::bench` and what that needs), never on the emulator.

#![allow(
    clippy::disallowed_methods,
    reason = "it reads /proc and what it wrote itself"
)]

mod accuracy;
mod arguments;
mod child;
mod error;
mod join;
mod known_timing;
mod result;
mod serve;
mod soak;
mod table;
mod usage;

use std::process::ExitCode;

use clap::Parser;
use llm_deploy::{commands::tell, secrets::Masks};

use arguments::{Arguments, Command};

/// The exit code when a server or a file failed, as llm-deploy's own.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Fails only when a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&Masks::default(), &format!("error: could not start: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let code = runtime.block_on(run(&arguments)).unwrap_or_else(|why| {
        tell(&Masks::default(), &format!("error: {why}"));
        FAILED
    });
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Returns the exit code: 1 when an error is beyond its bound. The error is a sentence for the user.
async fn run(arguments: &Arguments) -> Result<u8, String> {
    match &arguments.command {
        Some(Command::Serve(arguments)) => serve::run(arguments).await,
        None => accuracy::run(&arguments.test).await,
    }
}
