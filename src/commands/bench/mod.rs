//! `bench`: measures an endpoint.

mod child;
mod cold_start;
mod known_timing;
mod measure;
mod self_test;
mod soak;
mod usage;

use super::Error;
use crate::{
    cli::{BenchArgs, BenchCommand},
    environment::Environment,
};

pub async fn run(args: BenchArgs, environment: Environment) -> Result<u8, Error> {
    match args.command {
        None => measure::run(&args.measure, environment).await,
        Some(BenchCommand::ColdStart(args)) => cold_start::run(&args, environment).await,
        Some(BenchCommand::SelfTest(args)) => self_test::run(&args, environment).await,
        Some(BenchCommand::KnownTiming(args)) => known_timing::run(&args).await,
    }
}
