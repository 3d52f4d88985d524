//! `bootstrap`: shows the steps that set a project up for a repository, asks, does them, and says what to paste.

mod ask;
mod github;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use secrecy::SecretString;

use super::{Error, config_file, event, setup};
use crate::{
    auth::Credentials,
    bootstrap::{Action, Found, State, Step, Wanted, apply, explain, files, plan, show, survey, wanted},
    cli::{BootstrapArgs, given},
    config::{self, Config, Source},
    environment::Environment,
    google::Client,
    progress::Progress,
};

/// Before an API was turned on, nothing that was made a moment ago has to be waited for.
const AT_ONCE: std::time::Duration = std::time::Duration::ZERO;

/// What a second account does not do.
const ONE_PROJECT: &str = "note: pull requests can't sign in as production's account now. Cloud Run's roles reach every service of a project, \
                           so that what they sign in as can still change production's service, to a pull request that changes the workflow. \
                           To rule that out keep previews in a project of their own: docs/previews.md shows how";

/// Rounds of looking and doing: APIs, a pool and a provider that come back, and the rest.
const ROUNDS: usize = 5;

pub async fn run(args: &BootstrapArgs, environment: Environment) -> Result<u8, Error> {
    let common = &args.common;
    let (config, example) = setup::config_for_bootstrap(common, &environment).await?;
    let repository = github::repository(args, &environment).await?;
    let deployer = given(common.service_account.as_deref());
    let provider = given(common.workload_identity_provider.as_deref());
    let mut wanted = Wanted::new(&config, deployer, provider, repository).map_err(Error::input)?;
    if args.protect_production {
        wanted.protect_production();
    }
    // The service account and the provider among the options are what is to be made, not who makes it.
    let credentials = Credentials::discover(&environment, None, None)
        .await
        .map_err(|e| Error::input(e.to_string()))?;
    let client = Client::new(&environment, credentials.access()).map_err(|e| Error::input(e.to_string()))?;
    let progress = crate::ui::progress(&environment, common.json);
    let place = place(args, example);
    let mut run = Run {
        args,
        environment: &environment,
        client,
        progress,
        wanted,
        config,
        place,
        found: Found::default(),
        approved: BTreeSet::new(),
        told: BTreeSet::new(),
        done: Vec::new(),
        token: None,
    };
    run.all().await
}

/// Where the files go: the workflow into the checkout's top folder, where GitHub looks for it.
fn place(args: &BootstrapArgs, example: bool) -> files::Place {
    let common = &args.common;
    let named = given(common.config.as_deref());
    let config = PathBuf::from(named.unwrap_or(config_file::DEFAULT));
    let there = config.exists();
    let mut inputs: Vec<(String, String)> = named
        .filter(|path| *path != config_file::DEFAULT)
        .map(|path| ("config".to_owned(), path.to_owned()))
        .into_iter()
        .collect();
    let mut given_inputs = common.inputs();
    if example && there {
        given_inputs.push(("model".to_owned(), "Qwen/Qwen3.5-4B".to_owned()));
    }
    // A new configuration file says these.
    let written = ["project", "region", "model", "hf-token-secret", "access"];
    let said = |name: &str| {
        if there {
            file_says(&config, &given_inputs, name)
        } else {
            written.contains(&name)
        }
    };
    inputs.extend(given_inputs.iter().filter(|(name, _)| !said(name)).cloned());
    let top = event::top_folder().unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let top = if top == here { PathBuf::new() } else { top };
    files::Place {
        workflow: top.join(".github/workflows/llm.yml"),
        config,
        inputs,
    }
}

/// Whether the file alone comes to the same as with this input: then the workflow needs not repeat it, and a second
/// run with the same options finds the workflow that the first one wrote.
fn file_says(file: &Path, inputs: &[(String, String)], name: &str) -> bool {
    let text = files::read(file).unwrap_or_default();
    let resolved = |inputs: &[(String, String)]| {
        let source = Source {
            name: config_file::DEFAULT,
            text: &text,
        };
        let config = config::resolve(Some(source), inputs).ok()?;
        serde_json::to_value(config).ok()
    };
    let others: Vec<(String, String)> = inputs.iter().filter(|(n, _)| n != name).cloned().collect();
    resolved(&others).is_some_and(|without| Some(without) == resolved(inputs))
}

struct Run<'a> {
    args: &'a BootstrapArgs,
    environment: &'a Environment,
    client: Client,
    progress: Arc<dyn Progress>,
    wanted: Wanted,
    config: Config,
    place: files::Place,
    found: Found,
    /// Steps that were shown and agreed to.
    approved: BTreeSet<String>,
    /// Steps of which was told why they are left.
    told: BTreeSet<String>,
    /// Ids of the steps that were done.
    done: Vec<String>,
    token: Option<SecretString>,
}

impl Run<'_> {
    async fn all(&mut self) -> Result<u8, Error> {
        let mut steps = self.look(AT_ONCE).await?;
        if self.args.dry_run {
            self.show(&steps, true);
            return Ok(self.end(&steps));
        }
        for _ in 0..ROUNDS {
            if refused(&steps) {
                self.show(&steps, false);
                return Ok(self.end(&steps));
            }
            if self.approved.is_empty() || steps.iter().any(|step| self.is_news(step)) {
                self.show(&steps, false);
                if !self.agreed(&steps).await? {
                    return Ok(1);
                }
            }
            if self.carry_out(&mut steps).await? {
                break;
            }
            steps = self.look(self.client.patience()).await?;
        }
        Ok(self.end(&steps))
    }

    /// Whether the step was not shown as it is now: it could not be seen before an API was on.
    fn is_news(&self, step: &Step) -> bool {
        match step.state {
            State::ToDo(_) => !self.approved.contains(&step.id),
            State::Left(_) => !self.told.contains(&step.id),
            State::Exists | State::Done | State::Refused(_) => false,
        }
    }

    async fn look(&mut self, patience: std::time::Duration) -> Result<Vec<Step>, Error> {
        self.found = self.survey(patience).await?;
        if self.wanted.preview_deployer.is_none() && self.found.protects_production(&self.wanted) {
            self.wanted.protect_production();
            self.found = self.survey(patience).await?;
        }
        let number = self.found.number.as_deref();
        let files = if self.args.write {
            files::steps(&self.place, &self.wanted, number, &self.config)
        } else {
            Vec::new()
        };
        let mut steps = plan(&self.wanted, &self.found, files);
        for step in &mut steps {
            if self.done.contains(&step.id) && step.state == State::Exists {
                step.state = State::Done;
            }
        }
        Ok(steps)
    }

    async fn survey(&self, patience: std::time::Duration) -> Result<Found, Error> {
        let found = survey(&self.client, &self.wanted, patience).await;
        found.map_err(|e| Error::from(explain::survey(&self.wanted.project, &e)))
    }

    fn show(&self, steps: &[Step], commands: bool) {
        if !self.args.common.json {
            super::print_page(
                self.environment.masks(),
                show::page(&self.wanted, steps, commands).trim_end(),
            );
        }
    }

    /// Asks, unless `--yes` did away with that or there is nothing to do; then asks for the token if it is needed.
    async fn agreed(&mut self, steps: &[Step]) -> Result<bool, Error> {
        let to_do: Vec<&Step> = steps
            .iter()
            .filter(|s| matches!(s.state, State::ToDo(_)) && self.is_news(s))
            .collect();
        if !to_do.is_empty()
            && !self.args.yes
            && !ask::agree(self.environment.masks(), self.wanted.project.clone(), to_do.len()).await?
        {
            return Ok(false);
        }
        let adds_token = |step: &&&Step| matches!(step.state, State::ToDo(Action::AddToken { .. }));
        if self.token.is_none() && to_do.iter().any(|step| adds_token(&step)) {
            self.token = Some(ask::token(self.environment).await?);
        }
        let left = steps.iter().filter(|s| matches!(s.state, State::Left(_)));
        self.told.extend(left.map(|step| step.id.clone()));
        self.approved
            .extend(to_do.into_iter().map(|step| step.id.clone()));
        Ok(true)
    }

    /// Does the steps in turn. False when what is there must be looked at again before going on.
    async fn carry_out(&mut self, steps: &mut [Step]) -> Result<bool, Error> {
        for step in steps {
            let State::ToDo(action) = &step.state else {
                continue;
            };
            let title = format!("{}: {}", step.title, show::verb(action));
            self.progress.stage("bootstrap", &title);
            let progress = Arc::clone(&self.progress);
            let waiting = move |error: &crate::google::Error| {
                progress.status("bootstrap", &format!("not yet: {error}"));
            };
            let outcome =
                apply::apply(&self.client, &self.wanted, action, self.token.as_ref(), &waiting).await;
            outcome.map_err(|failure| {
                Error::from(explain::step(&self.wanted.project, &title, action, &failure))
            })?;
            let reveals = action.reveals();
            step.state = State::Done;
            self.done.push(step.id.clone());
            self.progress.note("bootstrap", &step.title);
            if reveals {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The result, and the exit code that follows from it.
    fn end(&self, steps: &[Step]) -> u8 {
        let number = self.found.number.as_deref();
        if self.args.common.json {
            super::print_json(
                self.environment.masks(),
                &format!("{:#}", show::json(&self.wanted, number, steps)),
            );
        } else if !refused(steps) {
            self.what_next(steps, number);
        }
        u8::from(refused(steps))
    }

    /// What to paste, or what was written.
    fn what_next(&self, steps: &[Step], number: Option<&str>) {
        let shown = |path: &Path| format!("# {}", path.display());
        let written = |path: &Path| {
            let id = format!("file {}", path.display());
            let fine = |state: &State| matches!(state, State::Exists | State::Done);
            steps.iter().any(|step| step.id == id && fine(&step.state))
        };
        if !written(&self.place.workflow) {
            let number = number.unwrap_or(wanted::NUMBER);
            let text = files::workflow(&self.wanted, number, &self.place.inputs);
            super::print(
                self.environment.masks(),
                &format!("\n{}\n{text}", shown(&self.place.workflow)),
            );
        }
        if !written(&self.place.config) {
            let text = if self.place.config.exists() {
                files::missing_lines(&self.wanted, &self.config)
            } else {
                files::configuration(&self.wanted, &self.config)
            };
            if !text.is_empty() {
                super::print(
                    self.environment.masks(),
                    &format!("{}\n{text}", shown(&self.place.config)),
                );
            }
        }
        if self.wanted.preview_deployer.is_some() {
            super::tell(self.environment.masks(), ONE_PROJECT);
        }
    }
}

fn refused(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step.state, State::Refused(_)))
}
