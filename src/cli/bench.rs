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
