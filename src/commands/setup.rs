//! Options and environment → configuration and services, the same for every command.

use std::{path::Path, sync::Arc};

use chrono::Utc;

use super::{Error, config_file};
use crate::{
    auth::{Credentials, WorkloadIdentity},
    cli::{Common, given},
    config::{self, Config, Origin, Outline, Source},
    environment::Environment,
    file::open,
    github::GitHub,
    google,
    pipeline::{Services, live::Board, optional::Optionals, places, sweep::ANY_MODEL},
    plan::target::short_hash,
    progress::Progress,
};

/// Stands in a new configuration where no model was chosen.
const EXAMPLE_MODEL: &str = "Qwen/Qwen3.5-4B";

/// Reads and resolves the configuration.
pub async fn config(common: &Common, environment: &Environment) -> Result<Config, Error> {
    let path = config_file::named(common);
    let is_named = given(common.config.as_deref()).is_some();
    let text = match read(common, environment).await {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => None,
        Err(error) => {
            return Err(Error::input(format!(
                "could not read the configuration {path}: {error}. {}",
                unreadable(&error)
            )));
        }
    };
    let (name, inputs) = (path.to_owned(), common.inputs());
    let resolved = open::away(move || {
        let source = text.as_deref().map(|text| Source { name: &name, text });
        config::resolve(source, &inputs)
    });
    let resolved = resolved.await.map_err(|e| Error::service(e.to_string()))?;
    resolved.map_err(|mistakes| Error {
        location: mistakes
            .0
            .iter()
            .find_map(|m| m.line)
            .map(|line| (path.to_owned(), line)),
        ..Error::input(mistakes.to_string())
    })
}

/// Stands for the file that the configuration came from, among those of its repository: previews of a model that left
/// the file are known by it. `None` when an input names the model: several jobs may share a file then, each with a
/// model of its own.
pub fn config_source(common: &Common, environment: &Environment, config: &Config) -> Option<String> {
    let given_as_input = |index: usize, key: &str| {
        let origin = config.origins.get(&format!("models[{index}].{key}"));
        matches!(origin, Some(Origin::Input(_)))
    };
    // Nor when an input says where: several jobs may deploy the same file to different places.
    let place = ["project", "region"].map(|key| config.origins.get(key));
    if place
        .iter()
        .any(|origin| matches!(origin, Some(Origin::Input(_))))
    {
        return None;
    }
    let mut models = 0..config.models.len();
    if models.any(|index| given_as_input(index, "id") || given_as_input(index, "name")) {
        return None;
    }
    let file = config_file::named(common);
    let path = match config_file::in_repository(environment, file) {
        Some(path) => path,
        None => std::path::absolute(file).ok()?.to_string_lossy().into_owned(),
    };
    Some(short_hash(&path))
}

/// As [`config`], for setting the project up: a model need not be chosen yet. True when an example stands for it.
pub async fn config_for_bootstrap(
    common: &Common,
    environment: &Environment,
) -> Result<(Config, bool), Error> {
    let file = outline(common, environment).await;
    if given(common.model.as_deref()).is_some() || file.names_models {
        return Ok((config(common, environment).await?, false));
    }
    let example = Common {
        model: Some(EXAMPLE_MODEL.to_owned()),
        ..common.clone()
    };
    Ok((config(&example, environment).await?, true))
}

/// A configuration that is good for deleting previews, which are found by their labels: a file with mistakes must
/// not keep one alive. What it doesn't tell of project and region is taken from GitHub's record of the last preview, of the
/// pull request `number` or of any. `None` when that is missing as well.
pub async fn config_for_cleanup(
    common: &Common,
    environment: &Environment,
    github: Option<&GitHub>,
    number: Option<u64>,
) -> Option<Config> {
    let (mut project, mut region) = place(common, environment).await;
    if (project.is_none() || region.is_none())
        && let Some(recorded) = places::latest(github?, number, Utc::now()).await
    {
        project = project.or(Some(recorded.project));
        region = region.or(Some(recorded.region));
    }
    let inputs = [
        ("project".to_owned(), project?),
        ("region".to_owned(), region?),
        ("model".to_owned(), ANY_MODEL.to_owned()),
    ];
    config::resolve(None, &inputs).ok()
}

/// Project and region, as far as inputs and a file with mistakes tell.
pub async fn place(common: &Common, environment: &Environment) -> (Option<String>, Option<String>) {
    let file = outline(common, environment).await;
    let setting =
        |input: &Option<String>, own: Option<String>| given(input.as_deref()).map(str::to_owned).or(own);
    (
        setting(&common.project, file.project),
        setting(&common.region, file.region),
    )
}

/// What can be known of a file that may have mistakes.
async fn outline(common: &Common, environment: &Environment) -> Outline {
    let text = read(common, environment).await.unwrap_or_default();
    open::away(move || Outline::of(&text)).await.unwrap_or_default()
}

fn unreadable(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::InvalidData => "Save it as UTF-8",
        _ => "Name a YAML file in `--config` (in a workflow, a file of the checkout in the input `config`)",
    }
}

async fn read(common: &Common, environment: &Environment) -> std::io::Result<String> {
    let path = Path::new(config_file::named(common));
    open::read_text(path, &config_file::reach(environment), config_file::LARGEST).await
}

/// Finds credentials and sets up the clients.
pub async fn services(
    common: &Common,
    environment: Environment,
    progress: Arc<dyn Progress>,
) -> Result<Services, Error> {
    let service_account = given(common.service_account.as_deref()).map(str::to_owned);
    let identity = given(common.workload_identity_provider.as_deref()).map(|provider| WorkloadIdentity {
        provider: provider.to_owned(),
        service_account: service_account.clone(),
    });
    let credentials = Credentials::discover(&environment, identity, service_account)
        .await
        .map_err(|e| Error {
            blame: crate::pipeline::failed::Blame::Input,
            ..Error::service(e.to_string())
        })?;
    let google =
        google::Client::new(&environment, credentials.access()).map_err(|e| Error::input(e.to_string()))?;
    let heard = Arc::clone(&progress);
    google.report_silence(move |text| heard.warn("google", text));
    let secret = |name: &str| environment.secret(name).cloned();
    Ok(Services {
        files: config_file::reach_of_repository(&environment, config_file::named(common)),
        board: Board::default(),
        optional: Optionals::default(),
        hugging_face_token: secret("HF_TOKEN"),
        api_key: secret("LLM_DEPLOY_API_KEY"),
        google,
        credentials,
        progress,
        environment,
    })
}

/// Says which credentials were taken, and what they can't do.
pub fn tell(services: &Services) {
    let credentials = &services.credentials;
    services.progress.note("credentials", credentials.description());
    if let Some(limits) = credentials.limits() {
        services.progress.warn("credentials", limits);
    }
}
