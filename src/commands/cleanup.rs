//! `cleanup`: deletes previews, the expired ones and closed pull requests', or one pull request's.

use super::{Error, event, run};
use crate::{
    cli::CleanupArgs,
    environment::Environment,
    event::{PullRequest, Trigger},
    github::GitHub,
};

pub async fn run(args: &CleanupArgs, mut environment: Environment) -> Result<u8, Error> {
    let progress = crate::ui::progress(&environment, args.common.json);
    let context = event::place(&environment);
    environment.set("GITHUB_REPOSITORY", context.repository.as_str());
    let (github, notice) = match github(&environment) {
        Ok(github) => (Some(github), None),
        Err(why) => (None, Some(unseen(args, &why))),
    };
    let trigger = match args.pull_request {
        Some(number) => Trigger::Closed(PullRequest::of_number(number, &context.sha)),
        None => Trigger::Cleanup,
    };
    let run = run::Run::new(trigger, context, notice.into_iter().collect());
    let masks = environment.masks().clone();
    let (report, blame) = run::execute(&args.common, environment, progress, &run, github.as_ref()).await;
    run::show(&args.common, &masks, &report);
    Ok(run::exit_code(&report, blame))
}

fn github(environment: &Environment) -> Result<GitHub, String> {
    let token = environment
        .secret("LLM_DEPLOY_GITHUB_TOKEN")
        .or_else(|| environment.secret("GITHUB_TOKEN"));
    let token = token.ok_or("there is no GITHUB_TOKEN")?;
    GitHub::new(environment, token).map_err(|e| e.to_string())
}

/// What is left undone without GitHub.
fn unseen(args: &CleanupArgs, why: &str) -> String {
    let undone = match args.pull_request {
        Some(_) => "so images are kept, and its deployments stay active",
        None => "so only previews that have expired are deleted, and no deployment is set inactive",
    };
    format!("GitHub was not asked which pull requests are closed ({why}), {undone}.")
}
