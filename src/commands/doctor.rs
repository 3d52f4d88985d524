//! `doctor`: looks at everything that a run needs, and says what to do about what is missing.

use std::path::Path;

use super::{Error, setup};
use crate::{
    cli::Common,
    doctor::{Check, Verdict, json, overall, table, webhook},
    environment::Environment,
    file::open,
    github::actions,
    pipeline::doctor,
};

pub async fn run(common: &Common, environment: Environment) -> Result<u8, Error> {
    let progress = crate::ui::progress(&environment, common.json);
    let config = setup::config(common, &environment).await?;
    progress.stage("doctor", "asking Google Cloud, GitHub and Hugging Face");
    let services = setup::services(common, environment.clone(), progress).await;
    let mut checks = match &services {
        Ok(services) => doctor::examine(services, &config).await,
        // What does not need them is looked at all the same.
        Err(error) => doctor::without_credentials(&environment, &config, &error.message).await,
    };
    // Ends its line on the terminal.
    drop(services);
    let here = environment.clone();
    let read = open::away(move || doctor::workflow_checks(&here, Path::new("."))).await;
    checks.extend(read.map_err(|e| Error::service(e.to_string()))?);
    checks.extend(webhook::checks(&config, &environment));
    show(common, &environment, &config, &checks);
    Ok(u8::from(overall(&checks) == Verdict::Fail))
}

fn show(common: &Common, environment: &Environment, config: &crate::config::Config, checks: &[Check]) {
    if environment.in_actions() {
        checks
            .iter()
            .filter_map(annotation)
            .for_each(|line| super::tell(environment.masks(), &line));
    }
    if common.json {
        super::print_json(
            environment.masks(),
            &json::render(&config.project, &config.region, checks),
        );
        return;
    }
    let width = usize::from(console::Term::stdout().size().1).clamp(60, 140);
    super::print_page(
        environment.masks(),
        &table::render(checks, width, console::colors_enabled()),
    );
}

/// On standard error, where the runner looks for commands as well: standard output may be JSON for a program.
fn annotation(check: &Check) -> Option<String> {
    let title = format!("{}: {}", check.group.name(), check.subject);
    let fix = check.fix.as_ref().map(|fix| format!("\n{}", fix.text()));
    let message = format!("{}{}", check.detail, fix.unwrap_or_default());
    let place = check
        .place
        .as_ref()
        .map(|place| (place.file.as_str(), place.line));
    match check.verdict {
        Verdict::Fail => Some(actions::error(&title, &message, place)),
        Verdict::Warn => Some(actions::warning(&title, &message)),
        Verdict::Pass | Verdict::Skipped => None,
    }
}
