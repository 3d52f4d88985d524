//! `smoke`: tests the live production services as they are.

use super::{Error, event, run};
use crate::{cli::Common, environment::Environment, event::Trigger};

pub async fn run(common: &Common, environment: Environment) -> Result<u8, Error> {
    let context = event::place(&environment);
    run::by_hand(common, environment, Trigger::Smoke, context).await
}
