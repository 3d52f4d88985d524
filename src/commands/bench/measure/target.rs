//! Which endpoint is measured, which model, and how to get in.

use std::{path::Path, sync::Arc, time::Duration};

use url::Url;

use crate::{
    auth::{Anonymous, Bearer, Credentials, WorkloadIdentity},
    cli::{Auth, Common, MeasureArgs, TargetArgs, given},
    commands::{Error, config_file, setup},
    config::{Config, Latency, Model},
    endpoint::{self, Endpoint, Models, error::shorten},
    environment::Environment,
    google::run::{self as cloud_run, Location},
    pipeline::{
        failed::{Blame, Failed},
        verify,
    },
    progress::Progress,
};

/// Hosts of Cloud Run: a refusal there is answered with an ID token.
const CLOUD_RUN: &str = ".run.app";
/// Longest name of a model that a message repeats, and how many names.
const NAME: usize = 100;
const NAMES: usize = 10;

pub struct Target {
    pub endpoint: Endpoint,
    /// As the server calls it.
    pub model: String,
    /// What the options go over.
    pub latency: Latency,
}

pub async fn find(
    args: &MeasureArgs,
    environment: &Environment,
    progress: &Arc<dyn Progress>,
) -> Result<Target, Error> {
    let wanted = &args.target;
    match &wanted.url {
        Some(url) => {
            let latency = Latency::default();
            let deadline = args.load.timeout.unwrap_or(latency.timeout);
            let (endpoint, models) = at_url(wanted, url, environment, deadline).await?;
            let model = model(wanted.model.as_deref(), models, progress)?;
            Ok(Target {
                endpoint,
                model,
                latency,
            })
        }
        None => configured(wanted, environment, progress).await,
    }
}

/// The live production service that llm-deploy.yaml names.
async fn configured(
    wanted: &TargetArgs,
    environment: &Environment,
    progress: &Arc<dyn Progress>,
) -> Result<Target, Error> {
    if given(wanted.config.as_deref()).is_none() && !Path::new(config_file::DEFAULT).exists() {
        return Err(Error::input(
            "no endpoint to measure: give --url URL, or run it where llm-deploy.yaml names the service",
        ));
    }
    let common = Common {
        config: wanted.config.clone(),
        project: wanted.project.clone(),
        region: wanted.region.clone(),
        workload_identity_provider: wanted.workload_identity_provider.clone(),
        service_account: wanted.service_account.clone(),
        ..Common::default()
    };
    let config = setup::config(&common, environment).await?;
    let model = choose(&config, wanted.model.as_deref())?;
    let services = setup::services(&common, environment.clone(), Arc::clone(progress)).await?;
    let location = Location {
        project: &config.project,
        region: &config.region,
    };
    let live = cloud_run::get(&services.google, &location, &model.name)
        .await
        .map_err(|e| Failed::google(&format!("read Cloud Run service {}", model.name), &e))?;
    let url = live.and_then(|service| service.uri).ok_or_else(|| {
        Error::input(format!(
            "service {} doesn't exist in {}, or has no URL. Deploy it first (`llm-deploy deploy`), or give --url URL",
            model.name, config.region
        ))
    })?;
    let mut reached = model.clone();
    if let Some(auth) = wanted.auth {
        reached.service.access = match auth {
            Auth::None => crate::config::Access::Public,
            Auth::Google => crate::config::Access::Private,
        };
    }
    let endpoint = verify::endpoint(&services, &reached, &url, &url)?;
    // What it lists is of no matter: the name is known.
    let _ = probe(&endpoint, model.latency.timeout).await?;
    Ok(Target {
        endpoint,
        model: model.id.clone(),
        latency: model.latency.clone(),
    })
}

fn choose<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Model, Error> {
    let names = || {
        let all: Vec<&str> = config.models.iter().map(|m| m.name.as_str()).collect();
        all.join(", ")
    };
    match (name, config.models.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Error::input(format!(
            "llm-deploy.yaml has several models: choose one of {} with --model",
            names()
        ))),
        (Some(name), models) => models
            .iter()
            .find(|model| model.name == name || model.id == name)
            .ok_or_else(|| {
                Error::input(format!(
                    "llm-deploy.yaml has no model `{}`: it has {}",
                    shorten(name, NAME),
                    names()
                ))
            }),
    }
}

/// The endpoint at a URL, and what it lists.
async fn at_url(
    wanted: &TargetArgs,
    url: &str,
    environment: &Environment,
    deadline: Duration,
) -> Result<(Endpoint, Result<Models, endpoint::Error>), Error> {
    let url = base(url)?;
    let api_key = environment.secret("LLM_DEPLOY_API_KEY").cloned();
    let endpoint = |bearer: Arc<dyn Bearer>| {
        let endpoint = Endpoint::new(url.clone(), bearer, api_key.clone());
        endpoint.map_err(|e| Error::input(e.to_string()))
    };
    if wanted.auth == Some(Auth::Google) {
        let endpoint = endpoint(id_token(wanted, environment, &url).await?)?;
        let models = probe(&endpoint, deadline).await?;
        return Ok((endpoint, models));
    }
    let open = match &api_key {
        Some(_) => endpoint(Arc::new(Anonymous))?,
        None => Endpoint::open_to_all(url.clone()).map_err(|e| Error::input(e.to_string()))?,
    };
    match (probe(&open, deadline).await, wanted.auth) {
        (Err(refused), None) if refused.blame == Blame::Input && is_cloud_run(&url) => {
            let Ok(bearer) = id_token(wanted, environment, &url).await else {
                return Err(refused);
            };
            let endpoint = endpoint(bearer)?;
            let models = probe(&endpoint, deadline).await?;
            Ok((endpoint, models))
        }
        (models, _) => Ok((open, models?)),
    }
}

/// As it is given, without the `/v1` that other clients want at its end.
fn base(url: &str) -> Result<Url, Error> {
    let wrong = |why: String| {
        Error::input(format!(
            "--url {}: {why}. Give the endpoint's base URL, such as http://127.0.0.1:8000",
            // What stands before an @ may be a password.
            shorten(url.rsplit('@').next().unwrap_or(""), 200)
        ))
    };
    let mut base = Url::parse(url).map_err(|e| wrong(e.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(wrong("it is no http or https URL".to_owned()));
    }
    let path = base.path().trim_end_matches('/');
    let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
    base.set_path(&path);
    Ok(base)
}

fn is_cloud_run(url: &Url) -> bool {
    url.scheme() == "https" && url.host_str().is_some_and(|host| host.ends_with(CLOUD_RUN))
}

/// Valid for the service alone: its audience is the URL without a path.
async fn id_token(
    wanted: &TargetArgs,
    environment: &Environment,
    url: &Url,
) -> Result<Arc<dyn Bearer>, Error> {
    let service_account = given(wanted.service_account.as_deref()).map(str::to_owned);
    let identity = given(wanted.workload_identity_provider.as_deref()).map(|provider| WorkloadIdentity {
        provider: provider.to_owned(),
        service_account: service_account.clone(),
    });
    let credentials = Credentials::discover(environment, identity, service_account)
        .await
        .map_err(|e| Error::input(e.to_string()))?;
    Ok(credentials.id_token(&url.origin().ascii_serialization()))
}

/// Asks for the models: whether somebody is there and lets us in. The inner error is that of a server which answers
/// something else, as one without `/v1/models` does.
async fn probe(endpoint: &Endpoint, deadline: Duration) -> Result<Result<Models, endpoint::Error>, Error> {
    use endpoint::Error as Why;
    match endpoint.models(deadline).await {
        Err(why @ (Why::Unreachable { .. } | Why::Timeout { .. } | Why::Client(_))) => {
            Err(Error::service(format!(
                "{why}. Is the server running, and is {} its URL?",
                endpoint.base()
            )))
        }
        Err(why @ (Why::BadUrl(_) | Why::Credentials { .. })) => Err(Error::input(why.to_string())),
        Err(
            why @ Why::Refused {
                status: 401 | 403, ..
            },
        ) => Err(Error::input(format!(
            "{why}. A private Cloud Run service needs `--auth google` and an account with roles/run.invoker; \
             a server with a key of its own needs it in the variable LLM_DEPLOY_API_KEY"
        ))),
        other => Ok(other),
    }
}

/// The model that was asked for, or the only one that is listed.
fn model(
    wanted: Option<&str>,
    listed: Result<Models, endpoint::Error>,
    progress: &Arc<dyn Progress>,
) -> Result<String, Error> {
    let (listed, why) = match listed {
        Ok(models) => (models.data.into_iter().map(|m| m.id).collect(), None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let shown = || {
        let names = listed.iter().take(NAMES).map(|id: &String| shorten(id, NAME));
        names.collect::<Vec<_>>().join(", ")
    };
    match (wanted, listed.as_slice()) {
        (Some(name), []) => Ok(name.to_owned()),
        (Some(name), ids) => {
            // Not every server lists every name that it answers to: the measurement will tell.
            if !ids.iter().any(|id| id == name) {
                let name = shorten(name, NAME);
                let text = format!("the server doesn't list {name}; it lists {}", shown());
                progress.warn("model", &text);
            }
            Ok(name.to_owned())
        }
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Error::input(match why {
            Some(why) => format!("{why}. Name the model with --model"),
            None => "the server lists no model: name it with --model".to_owned(),
        })),
        (None, _) => Err(Error::input(format!(
            "the server has several models: choose one of {} with --model",
            shown()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn the_base_url_is_what_stands_before_v1() {
        for (given, expected) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/"),
            ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/"),
            ("https://host/some/path/v1", "https://host/some/path"),
        ] {
            assert_eq!(base(given).unwrap().as_str(), expected);
        }
        for wrong in ["127.0.0.1:8000", "localhost:8000", "", "ftp://host/"] {
            let error = base(wrong).unwrap_err();
            assert_eq!(error.blame.exit_code(), 2);
            assert!(error.message.contains("--url"), "{}", error.message);
        }
        for secret in ["ftp://me:pass@host/", "me:pass@host"] {
            let error = base(secret).unwrap_err();
            assert!(!error.message.contains("pass"), "{}", error.message);
        }
    }

    #[test]
    fn an_id_token_is_tried_at_cloud_run_only() {
        let is = |url: &str| is_cloud_run(&Url::parse(url).unwrap());
        assert!(is("https://qwen-123.europe-west4.run.app"));
        for other in [
            "http://qwen.run.app",
            "https://run.app.example.com",
            "https://evilrun.app",
        ] {
            assert!(!is(other), "{other}");
        }
    }

    fn chosen(wanted: Option<&str>, ids: &[&str]) -> Result<String, String> {
        let listed = serde_json::json!({"data": ids.iter().map(|id| serde_json::json!({"id": id})).collect::<Vec<_>>()});
        let listed = Ok(serde_json::from_value(listed).unwrap());
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        model(wanted, listed, &progress).map_err(|e| e.message)
    }

    #[test]
    fn the_only_model_needs_no_name() {
        assert_eq!(chosen(None, &["a"]).unwrap(), "a");
        assert_eq!(chosen(Some("b"), &["a"]).unwrap(), "b");
        assert_eq!(chosen(Some("b"), &[]).unwrap(), "b");
        assert!(chosen(None, &["a", "b"]).unwrap_err().contains("a, b"));
        assert!(chosen(None, &[]).unwrap_err().contains("--model"));
    }
}
