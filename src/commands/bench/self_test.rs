//! `bench self-test`: what this client adds to the times it measures.

use crate::{cli::SelfTestArgs, commands::Error, environment::Environment};

#[allow(clippy::unused_async, reason = "not there yet")]
pub async fn run(_args: &SelfTestArgs, _environment: Environment) -> Result<u8, Error> {
    Err(Error::input("this command is not there yet"))
}
