//! `emulator`: serves the emulator until the process is stopped.

use std::{path::Path, time::Duration};

use llm_deploy_emulator::{
    Scaling, Settings, Speed,
    faults::{self, Rule},
    github::Access,
    serve_files,
};
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::{
    cli::EmulatorArgs,
    file::open::{self, Reach},
};

/// Largest file with faults, in bytes.
const LARGEST: u64 = 1 << 20;
/// Project that exists in the emulator.
pub const PROJECT: &str = "demo-project";

pub async fn run(args: EmulatorArgs) -> Result<u8, Error> {
    let wanted = match &args.faults {
        Some(path) => rules(path)?,
        None => Vec::new(),
    };
    let settings = Settings {
        faults: wanted,
        permissions: args
            .permit
            .iter()
            .map(|text| permission(text))
            .collect::<Result<_, _>>()?,
        bare: args.bare,
        project: PROJECT.to_owned(),
        serve: args.serve,
        record: args.record,
        pace: args.pace,
        speed: Speed {
            ttft: Duration::from_millis(args.ttft_ms),
            gap: Duration::from_millis(args.gap_ms),
        },
        scaling: Scaling {
            idle: Duration::from_secs(args.idle_seconds),
            ..Scaling::default()
        },
    };
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    tokio::spawn(async move {
        crate::signal::stopped().await;
        on_signal.cancel();
    });
    serve_files(settings, Some(&args.port_file), Some(&args.env_file), stop)
        .await
        .map_err(|e| Error::input(format!("the emulator could not run: {e}")))?;
    Ok(0)
}

/// As a workflow has it under `permissions`.
fn permission(text: &str) -> Result<(String, Access), Error> {
    let (name, access) = text.split_once('=').unwrap_or((text, ""));
    let access = match access {
        "none" => Access::None,
        "read" => Access::Read,
        "write" => Access::Write,
        _ => {
            return Err(Error::input(format!(
                "`--permit {text}` can't be used: give it as `checks=write`, with `none`, `read` or `write`"
            )));
        }
    };
    Ok((name.to_owned(), access))
}

/// The faults that are asked for in a file.
fn rules(path: &Path) -> Result<Vec<Rule>, Error> {
    let bad = |why: String| {
        Error::input(format!(
            "the faults in {} can't be used: {why}. docs/emulator.md has an example",
            path.display()
        ))
    };
    let text = open::text(path, &Reach::Anywhere, LARGEST).map_err(|e| bad(e.to_string()))?;
    faults::parse(&text).map_err(bad)
}
