//! `bench known-timing`: the server that the self-test measures.

use crate::{cli::KnownTimingArgs, commands::Error};

#[allow(clippy::unused_async, reason = "not there yet")]
pub async fn run(_args: &KnownTimingArgs) -> Result<u8, Error> {
    Err(Error::input("this command is not there yet"))
}
