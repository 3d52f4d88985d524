//! `bench`: measures an endpoint.

mod cold_start;
mod measure;

use super::Error;
use crate::{
    cli::{BenchArgs, BenchCommand},
    environment::Environment,
};

pub async fn run(args: BenchArgs, environment: Environment) -> Result<u8, Error> {
    match args.command {
        None => measure::run(&args.measure, environment).await,
        Some(BenchCommand::ColdStart(args)) => cold_start::run(&args, environment).await,
    }
}
