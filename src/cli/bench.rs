//! `bench` and its commands.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use super::{Common, MeasureArgs};
use crate::units::parse_duration;

/// Options of `bench`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
    #[command(flatten)]
    pub measure: MeasureArgs,
}

#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// Measures scale-from-zero of the configured service: container start, model load, first token.
    ColdStart(Box<ColdStartArgs>),
    /// Measures this client itself against a server of known timing.
    SelfTest(SelfTestArgs),
    /// Serves the self-test's server of known timing until it is stopped.
    #[command(hide = true)]
    KnownTiming(KnownTimingArgs),
}

#[derive(Clone, Debug, Args)]
// Here `--json` names a file, as it does in `bench` itself.
#[command(mut_arg("json", |arg| arg.long("json-on-stdout").hide(true)))]
pub struct ColdStartArgs {
    #[command(flatten)]
    pub common: Common,
    /// Which of several models: its service name in the configuration.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Measures the preview of this pull request instead of production.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub pull_request: Option<u64>,
    /// Cold starts to measure.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub rounds: u32,
    /// Longest wait, before each round, until no instance is there: Cloud Run keeps a GPU instance for about ten
    /// minutes, and Cloud Monitoring tells some minutes late.
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = parse_duration)]
    pub wait: Duration,
    /// Deadline of a round's request.
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// File that gets the result as JSON (docs/cold-start.md describes it).
    #[arg(id = "json_file", long = "json", value_name = "FILE")]
    pub json: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct SelfTestArgs {
    /// Streams at once, each number measured on its own.
    #[arg(long, value_name = "N,N…", value_delimiter = ',', default_value = "1,16,64,256,1000",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub streams: Vec<u32>,
    /// Tokens of each answer.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub tokens: u32,
    /// Answers of each stream.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,
    #[command(flatten)]
    pub timing: TimingArgs,
    /// File that gets the figures as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Sends so many short requests as fast as it can instead, to a server in this process, and holds the memory of
    /// both against 64 MiB [default: 1000000].
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1000000",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub soak: Option<u32>,
}

/// What the server of known timing does.
#[derive(Clone, Debug, Args)]
pub struct TimingArgs {
    /// Milliseconds to the first token.
    #[arg(long, value_name = "MS", default_value_t = 50.0, value_parser = fraction_of_milliseconds)]
    pub ttft_ms: f64,
    /// Milliseconds between tokens.
    #[arg(long, value_name = "MS", default_value_t = 10.0, value_parser = fraction_of_milliseconds)]
    pub gap_ms: f64,
    /// Each answer as a whole, and each of its tokens, is delayed by up to so many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5.0, value_parser = fraction_of_milliseconds)]
    pub spread_ms: f64,
    /// Decides those delays.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

#[derive(Clone, Debug, Args)]
pub struct KnownTimingArgs {
    /// File that gets the port once the server listens.
    #[arg(long, value_name = "FILE")]
    pub port_file: PathBuf,
    /// Port [default: any that is free].
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    #[command(flatten)]
    pub timing: TimingArgs,
    /// Keeps what was sent for each request, for `GET /timings`.
    #[arg(long)]
    pub record: bool,
}

/// A stated speed, down to the nanosecond: at most a minute for each token.
fn fraction_of_milliseconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|ms| (0.0..=60_000.0).contains(ms))
        .ok_or_else(|| "give a number of milliseconds from 0 to 60000".to_owned())
}
