//! Command-line definitions, nothing else.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures how accurate `llm-deploy bench` is, on a server of known timing in its own process.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 within the bounds · 1 beyond them · 2 the input is wrong · 3 the test could not run"
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub test: TestArguments,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves the server of known timing until it is stopped.
    Serve(ServeArguments),
}

#[derive(Clone, Debug, Args)]
pub struct TestArguments {
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
    pub timing: TimingArguments,
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
pub struct TimingArguments {
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
pub struct ServeArguments {
    /// File that gets the port once the server listens.
    #[arg(long, value_name = "FILE")]
    pub port_file: PathBuf,
    /// Port [default: any that is free].
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    #[command(flatten)]
    pub timing: TimingArguments,
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
