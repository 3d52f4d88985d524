//! `run`: what the GitHub event asks for, from the plan to the comment.

mod facts;
mod outcome;

use std::{path::PathBuf, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};

use super::{Error, admission, comment, config_file, event, setup};
use crate::{
    cli::{Common, given},
    config::{Config, OnFailure},
    environment::Environment,
    event::{Context, Trigger},
    github::{GitHub, actions},
    pipeline::{
        check_run::{self, Told},
        doctor::Gate,
        failed::{Blame, Failed},
        history::Store,
        incident,
        jobs::{Job, Recorded},
        live::Board,
        report::{Surfaces, deliver},
    },
    progress::Progress,
    report::{self, Report},
    secrets::Masks,
};

use outcome::broken;
pub use outcome::{exit_code, finish, meanwhile};

/// A run in the making: what every path needs.
#[derive(Clone)]
pub struct Run {
    pub context: Context,
    pub trigger: Trigger,
    pub started_at: DateTime<Utc>,
    pub clock: Instant,
    pub notices: Vec<String>,
}

/// The command as `main` calls it.
pub async fn run(common: &Common, environment: Environment) -> Result<u8, Error> {
    let progress = crate::ui::progress(&environment, common.json);
    let masks = environment.masks().clone();
    let run = Run::from_event(&environment, Vec::new()).await?;
    let github = github(&environment, progress.as_ref());
    let (report, blame) = execute(common, environment, progress, &run, github.as_ref()).await;
    show(common, &masks, &report);
    Ok(exit_code(&report, blame))
}

impl Run {
    /// The run that the GitHub event in the environment asks for.
    pub async fn from_event(environment: &Environment, notices: Vec<String>) -> Result<Self, Error> {
        let (trigger, context) = event::read(environment).await?;
        Ok(Self::new(trigger, context, notices))
    }

    pub fn new(trigger: Trigger, context: Context, notices: Vec<String>) -> Self {
        Self {
            context,
            trigger,
            started_at: Utc::now(),
            clock: Instant::now(),
            notices,
        }
    }
}

/// The whole job. The report has been delivered to every surface when this returns.
pub async fn execute(
    common: &Common,
    environment: Environment,
    progress: Arc<dyn Progress>,
    run: &Run,
    github: Option<&GitHub>,
) -> (Report, Option<Blame>) {
    let admission = Box::pin(admission::ask(common, &environment, &progress, run, github)).await;
    let run = admission.run(run);
    let mut facts = facts::of_run(&environment, &run.context);
    let config = config(common, &environment, run, github).await;
    let readable = config.as_ref().ok().map(|(config, _)| config);
    // A configuration that can't be read names nobody: the default holds.
    let on_failure = readable.map_or(OnFailure::ISSUE, |config| config.schedule.on_failure);
    let target = comment::target(common, &environment, readable).await;
    let surfaces = surfaces(common, &environment, target.key());
    let mut comment = comment::of_run(run, github, target, progress.as_ref());
    let mut told = Vec::new();
    let outcome = match config {
        Ok((mut config, notice)) => {
            name_places(common, &environment, &mut config);
            facts.extend(facts::of_config(&config));
            let refusals = admission.refusals(&config);
            let done = if refusals.is_empty() {
                told = admission.restrict(&mut config);
                let board = Board::new(comment::queued(run, &config));
                let to = (Arc::clone(&progress), board.clone());
                // A whole run is large, and would be moved about on the stack.
                let work = Box::pin(stages(common, &environment, run, &config, github, to));
                comment::beside(run, &environment, &board, comment.as_mut(), work).await
            } else {
                Ok(Box::pin(refused(&config, run, &environment, &progress, refusals)).await)
            };
            done.map(|recorded| (recorded, notice))
        }
        Err(error) => Err(in_repository(&environment, error)),
    };
    let (mut report, blame) = match outcome {
        Ok(((recorders, mut notices), notice)) => {
            notices.extend(notice);
            notices.extend(told);
            finish(run, recorders, notices)
        }
        Err(error) => {
            annotate(&environment, &error);
            let (report, blame) = broken(run, &error);
            if on_failure.issue {
                could_not_test(run, &report, github, progress.as_ref()).await;
            }
            (report, blame)
        }
    };
    report.environment = facts;
    for warning in deliver(&report, &surfaces, comment.as_mut()).await {
        progress.warn("report", &warning);
    }
    if let Some(github) = github {
        let file = config_file::other(common, &environment);
        let name = check_run::name(file.as_deref(), given(common.name.as_deref()));
        match check_run::tell(&report, &name, run.context.run, github).await {
            Told::Nothing => {}
            Told::NotPermitted => progress.note(
                "github",
                "no check run was made: the job has no `checks: write`, which is optional",
            ),
            Told::Failed(why) => progress.warn("github", &format!("no check run was made: {why}")),
        }
    }
    (report, blame)
}

/// Settings are shown at their place in the repository, wherever the run was started.
pub fn name_places(common: &Common, environment: &Environment, config: &mut Config) {
    let file = config_file::shown(environment, config_file::named(common));
    for model in &mut config.models {
        model.places = model.places.clone().named(&file);
    }
}

fn in_repository(environment: &Environment, error: Error) -> Error {
    let named = |(file, line): (String, usize)| (config_file::shown(environment, &file), line);
    Error {
        location: error.location.map(named),
        ..error
    }
}

/// The configuration, with what the reader must know of it.
async fn config(
    common: &Common,
    environment: &Environment,
    run: &Run,
    github: Option<&GitHub>,
) -> Result<(Config, Option<String>), Error> {
    let error = match setup::config(common, environment).await {
        Ok(config) => return Ok((config, None)),
        Err(error) => error,
    };
    // These only delete.
    let number = match &run.trigger {
        Trigger::Closed(pull_request) | Trigger::Unlabelled(pull_request) => Some(pull_request.number),
        Trigger::Cleanup => None,
        _ => return Err(error),
    };
    let config = setup::config_for_cleanup(common, environment, github, number).await;
    let notice = "The configuration can't be used; previews were found by their labels all the same.";
    config
        .map(|config| (config, Some(notice.to_owned())))
        .ok_or(error)
}

/// A plan, and why nothing more is done.
async fn refused(
    config: &Config,
    run: &Run,
    environment: &Environment,
    progress: &Arc<dyn Progress>,
    refusals: Vec<Option<Failed>>,
) -> Recorded {
    let mut recorders = super::plan::outline(config, run, environment, progress).await;
    for (recorder, refusal) in recorders.iter_mut().zip(refusals) {
        match refusal {
            Some(failed) => drop(recorder.stage::<()>("limits", async { Err(failed) }).await),
            None => recorder.skip(
                "limits",
                "within them, but another model of this pull request is not",
            ),
        }
    }
    (recorders, Vec::new())
}

async fn stages(
    common: &Common,
    environment: &Environment,
    run: &Run,
    config: &Config,
    github: Option<&GitHub>,
    (progress, board): (Arc<dyn Progress>, Board),
) -> Result<Recorded, Error> {
    if let Trigger::PlanOnly { reason, .. } = &run.trigger {
        return Ok((
            super::plan::outline(config, run, environment, &progress).await,
            vec![reason.clone()],
        ));
    }
    let mut services = setup::services(common, environment.clone(), progress).await?;
    services.board = board;
    setup::tell(&services);
    let job = Job {
        services: &services,
        config,
        context: &run.context,
        github,
        source: setup::config_source(common, environment, config),
        gate: Gate::new(&services, config),
        store: Store::new(&services, config),
        now: run.started_at,
    };
    let (recorders, mut notices) = match &run.trigger {
        Trigger::Production => (Box::pin(job.production()).await, Vec::new()),
        Trigger::Preview(pull_request) => {
            Box::pin(job.preview(pull_request.number, &pull_request.head_sha)).await
        }
        // By hand there is no event that says how it was closed.
        Trigger::Closed(pull_request) if run.context.event.is_empty() => {
            job.closed(pull_request.number).await
        }
        Trigger::Closed(pull_request) => (job.ended(pull_request).await, Vec::new()),
        Trigger::Unlabelled(pull_request) => (job.unlabelled(pull_request.number).await, Vec::new()),
        Trigger::Schedule => Box::pin(job.schedule()).await,
        Trigger::Smoke => (job.smoke().await, Vec::new()),
        Trigger::Cleanup => (job.sweep().await, Vec::new()),
        Trigger::PlanOnly { .. } => Recorded::default(),
    };
    notices.extend(job.gate.notices());
    Ok((recorders, notices))
}

/// A scheduled test that could not even begin leaves production unwatched.
async fn could_not_test(run: &Run, report: &Report, github: Option<&GitHub>, progress: &dyn Progress) {
    let (Trigger::Schedule, Some(github), Some(failure)) = (&run.trigger, github, &report.failure) else {
        return;
    };
    let page = report.run_url.as_deref();
    incident::could_not_begin(github, progress, failure, run.started_at, page).await;
}

/// The GitHub client, when there is a token.
pub fn github(environment: &Environment, progress: &dyn Progress) -> Option<GitHub> {
    let Some(token) = environment
        .secret("LLM_DEPLOY_GITHUB_TOKEN")
        .or_else(|| environment.secret("GITHUB_TOKEN"))
    else {
        progress.warn(
            "github",
            "no comment and no deployment will be written: there is no GITHUB_TOKEN",
        );
        return None;
    };
    match GitHub::new(environment, token) {
        Ok(github) => Some(github),
        Err(error) => {
            progress.warn(
                "github",
                &format!("no comment and no deployment will be written: {error}"),
            );
            None
        }
    }
}

fn surfaces(common: &Common, environment: &Environment, target: String) -> Surfaces {
    let path = |name: &str| environment.get(name).map(PathBuf::from);
    Surfaces {
        directory: report_directory(common, environment),
        summary: path("GITHUB_STEP_SUMMARY"),
        outputs: path("GITHUB_OUTPUT"),
        target,
        masks: environment.masks().clone(),
    }
}

/// The folder asked for; in Actions `llm-deploy-report`, so that a workflow can upload it.
fn report_directory(common: &Common, environment: &Environment) -> Option<PathBuf> {
    let named = given(common.report_dir.as_deref()).map(PathBuf::from);
    named.or_else(|| {
        environment
            .in_actions()
            .then(|| PathBuf::from("llm-deploy-report"))
    })
}

/// Puts the error on the line of the configuration that causes it. On standard error, where the runner looks for
/// commands as well: standard output may be JSON for a program.
pub fn annotate(environment: &Environment, error: &Error) {
    if environment.in_actions() {
        let place = error.location.as_ref().map(|(file, line)| (file.as_str(), *line));
        let annotation = actions::error("llm-deploy", &error.message, place);
        super::tell(environment.masks(), &annotation);
    }
}

/// The result on standard output.
pub fn show(common: &Common, masks: &Masks, report: &Report) {
    if common.json {
        super::print_json(masks, &report::json::render(report));
        return;
    }
    let width = usize::from(console::Term::stdout().size().1).clamp(60, 140);
    super::print_page(
        masks,
        &report::terminal::render(report, width, console::colors_enabled()),
    );
}

/// A job that a person asked for: no comment, no GitHub deployment, the report on the terminal and where asked.
pub async fn by_hand(
    common: &Common,
    environment: Environment,
    trigger: Trigger,
    context: Context,
) -> Result<u8, Error> {
    let progress = crate::ui::progress(&environment, common.json);
    let masks = environment.masks().clone();
    let run = Run::new(trigger, context, Vec::new());
    let (report, blame) = execute(common, environment, progress, &run, None).await;
    show(common, &masks, &report);
    Ok(exit_code(&report, blame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[tokio::test]
    async fn only_the_jobs_own_token_is_taken() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let with = |variable: &str| -> Environment {
            [(variable, "ghs_x"), ("GITHUB_REPOSITORY", "acme/models")]
                .into_iter()
                .collect()
        };
        for (variable, taken) in [
            ("GITHUB_TOKEN", true),
            ("LLM_DEPLOY_GITHUB_TOKEN", true),
            ("GH_TOKEN", false),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", false),
            ("HF_TOKEN", false),
        ] {
            assert_eq!(github(&with(variable), &Silent).is_some(), taken, "{variable}");
        }
    }
}
