//! `bench`: measures the endpoint at a URL.

use crate::{cli::MeasureArgs, commands::Error, environment::Environment};

#[allow(clippy::unused_async, reason = "not there yet")]
pub async fn run(_args: &MeasureArgs, _environment: Environment) -> Result<u8, Error> {
    Err(Error::input("this command is not there yet"))
}
