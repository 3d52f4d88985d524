//! `cleanup`: deletes previews, the expired ones or one pull request's.

use super::{Error, event, run};
use crate::{
    cli::CleanupArgs,
    environment::Environment,
    event::{PullRequest, Trigger},
};

pub async fn run(args: &CleanupArgs, environment: Environment) -> Result<u8, Error> {
    let context = event::place(&environment);
    let trigger = match args.pull_request {
        Some(number) => Trigger::Closed(PullRequest::of_number(number, &context.sha)),
        None => Trigger::Cleanup,
    };
    run::by_hand(&args.common, environment, trigger, context).await
}
