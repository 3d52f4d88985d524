//! `bench cold-start`: how long a service takes from no instance to the first token.

use crate::{cli::ColdStartArgs, commands::Error, environment::Environment};

#[allow(clippy::unused_async, reason = "not there yet")]
pub async fn run(_args: &ColdStartArgs, _environment: Environment) -> Result<u8, Error> {
    Err(Error::input("this command is not there yet"))
}
