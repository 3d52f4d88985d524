//! `deploy`: the whole way to a tested service, asked for by hand instead of by an event.

use super::{Error, event, run};
use crate::{
    cli::DeployArgs,
    environment::Environment,
    event::{PullRequest, Trigger},
};

pub async fn run(args: &DeployArgs, environment: Environment) -> Result<u8, Error> {
    let context = event::place(&environment);
    let trigger = match args.pull_request {
        Some(number) => Trigger::Preview(PullRequest::of_number(number, &context.sha)),
        None => Trigger::Production,
    };
    run::by_hand(&args.common, environment, trigger, context).await
}
