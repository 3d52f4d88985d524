//! Bakes the image in Cloud Build, or adopts the build that an earlier run started.

use super::{
    Services, facts,
    failed::{Blame, Failed},
    own_build::OwnBuild,
    survey::repository,
};
use crate::{
    config,
    explain::Source,
    google::{
        artifact_registry, build_log,
        cloud_build::{self, Build, Status},
        secret_manager, storage,
    },
    hugging_face::ModelFiles,
    image::{self, BuildRequest, Recipe, Sizing},
    plan::ModelPlan,
};

/// Builds of other runs that are followed one after the other, when each is cancelled by the run that started it.
const ADOPTIONS: u32 = 3;
/// Last lines of the build's log in which a failure's cause is looked for.
const LOG_LINES: usize = 400;

/// A finished build.
pub struct Built {
    pub digest: String,
}

/// Builds the image of `plan` and returns its digest. A build that this run starts is known to `own`.
pub async fn build(
    services: &Services,
    config: &config::Build,
    plan: &ModelPlan,
    files: &ModelFiles,
    own: &OwnBuild,
) -> Result<(Built, String), Failed> {
    check_token_secret(services, plan).await?;
    let mut adopted = 0;
    let finished = loop {
        let started = match running(services, config, plan).await? {
            Some(build) => build,
            None => match pushed(services, config, plan).await? {
                Some(digest) => {
                    return Ok((Built { digest }, "the image was there by now".to_owned()));
                }
                None => start(services, config, plan, files, own).await?,
            },
        };
        let theirs = !own.is(&started.id);
        if let Some(url) = &started.log_url {
            services
                .progress
                .note(&plan.target.service, &format!("log: {url}"));
            own.followed(url);
        }
        let finished = follow(services, config, plan, files, &started).await;
        own.forget();
        let (build, log) = finished?;
        match build.status {
            Status::Success => break build,
            // Its run was cancelled; the image is needed all the same.
            Status::Cancelled if theirs && adopted < ADOPTIONS => adopted += 1,
            _ => return Err(build_failed(&build, &log)),
        }
    };
    let digest = digest(services, config, plan, &finished).await?;
    let said = format!("image {}", digest.get(..19).unwrap_or(&digest));
    Ok((Built { digest }, said))
}

/// The build of this very image that some run has started.
async fn running(
    services: &Services,
    config: &config::Build,
    plan: &ModelPlan,
) -> Result<Option<Build>, Failed> {
    let tag = image::adoption_tag(&plan.target.model.name, &plan.facts.image_key);
    let running = cloud_build::find_active(&services.google, &plan.target.project, &config.location, &tag)
        .await
        .map_err(|e| Failed::google("look for a running build", &e))?;
    if let Some(build) = &running {
        services.progress.note(
            &plan.target.service,
            &format!("build {} is already running, following it", build.id),
        );
    }
    Ok(running)
}

/// A missing token is found now, not after twenty minutes of downloading.
async fn check_token_secret(services: &Services, plan: &ModelPlan) -> Result<(), Failed> {
    let Some(secret) = &plan.target.model.image.hf_token_secret else {
        return Ok(());
    };
    let what = format!("check the Hugging Face token's secret `{}`", secret.name);
    let enabled = secret_manager::version_enabled(
        &services.google,
        &plan.target.project,
        &secret.name,
        &secret.version,
    )
    .await;
    match enabled {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failed::new(
            Blame::Input,
            format!(
                "secret `{}` has no enabled version `{}`",
                secret.name, secret.version
            ),
            "the build reads the Hugging Face token from it",
        )
        .fix(format!(
            "Add one: `gcloud secrets versions add {} --data-file=-`",
            secret.name
        ))
        .setting("image.hf-token-secret")),
        // The build reads it as another account, which may well be allowed to.
        Err(error) if error.is_permission_denied() && error.disabled_api().is_none() => {
            let known = Failed::google(&what, &error).explained(&facts::of(services, &plan.target));
            let fix = known
                .failure
                .fix
                .map_or_else(String::new, |fix| format!(". {fix}"));
            let unchecked = format!("could not {what}, the build goes on: {error}{fix}");
            services.progress.warn(&plan.target.service, &unchecked);
            Ok(())
        }
        Err(error) => Err(Failed::google(&what, &error)),
    }
}

async fn start(
    services: &Services,
    config: &config::Build,
    plan: &ModelPlan,
    files: &ModelFiles,
    own: &OwnBuild,
) -> Result<Build, Failed> {
    let google = &services.google;
    let repository = repository(&plan.target, config);
    let (project, region) = (&plan.target.project, &plan.target.region);
    let (_, _) = tokio::try_join!(
        async {
            storage::ensure_bucket(google, project, &config.bucket, region)
                .await
                .map_err(|e| Failed::google(&format!("prepare the staging bucket {}", config.bucket), &e))
        },
        async {
            artifact_registry::ensure_repository(google, &repository, config.keep, config.delete_older_than)
                .await
                .map_err(|e| Failed::google(&format!("prepare the repository {}", config.repository), &e))
        },
    )?;
    let object = format!("source/{}-{}.tgz", plan.target.model.name, plan.facts.image_key);
    let wanted = files.wanted();
    let recipe = Recipe::of(&plan.target.model, files, &wanted);
    let context = image::context(&recipe).map_err(|e| {
        Failed::new(
            Blame::Input,
            "could not assemble the build's context",
            e.to_string(),
        )
    })?;
    let generation = storage::upload(google, &config.bucket, &object, "application/gzip", context)
        .await
        .map_err(|e| Failed::google("upload the build's context", &e))?;
    let sizing = sizing(config, files);
    let request = BuildRequest {
        project,
        recipe,
        service: &plan.target.model.name,
        mark: &own.mark,
        image: &tagged(plan),
        bucket: &config.bucket,
        logs: config.logs,
        object: &object,
        generation: &generation,
        hf_token: plan.target.model.image.hf_token_secret.as_ref(),
        service_account: config.service_account.as_deref(),
        sizing: &sizing,
    };
    let body = image::cloud_build(&request);
    let made = own
        .start(google, project, &config.location, body)
        .await
        .map_err(|e| Failed::google("start the build", &e))?;
    yield_to_an_earlier(services, config, plan, made, own).await
}

/// Another run may have found no build just as we did, and started one: everybody follows the oldest.
async fn yield_to_an_earlier(
    services: &Services,
    config: &config::Build,
    plan: &ModelPlan,
    made: Build,
    own: &OwnBuild,
) -> Result<Build, Failed> {
    let tag = image::adoption_tag(&plan.target.model.name, &plan.facts.image_key);
    let google = &services.google;
    // The build is started by now, so a failure in here is none of the run's.
    let oldest = cloud_build::find_active(google, &plan.target.project, &config.location, &tag).await;
    let Ok(Some(earlier)) = oldest else {
        return Ok(made);
    };
    if earlier.id != made.id && own.cancel(google).await.is_ok() {
        services.progress.note(
            &plan.target.service,
            &format!("build {} was started a moment before, following it", earlier.id),
        );
        return Ok(earlier);
    }
    Ok(made)
}

fn tagged(plan: &ModelPlan) -> String {
    format!("{}:{}", plan.facts.image_path, plan.facts.image_key)
}

/// The user's own figures where given, else by the model's size.
fn sizing(config: &config::Build, files: &ModelFiles) -> Sizing {
    let sized = image::sizing(files.weights_bytes());
    Sizing {
        machine: config.machine.clone().unwrap_or(sized.machine),
        disk_gb: config.disk_gb.unwrap_or(sized.disk_gb),
        timeout: config.timeout.unwrap_or(sized.timeout),
    }
}

/// The build's end, and the last lines of its log.
async fn follow(
    services: &Services,
    config: &config::Build,
    plan: &ModelPlan,
    files: &ModelFiles,
    started: &Build,
) -> Result<(Build, Vec<String>), Failed> {
    let service = plan.target.service.as_str();
    let tail = std::sync::Mutex::new(std::collections::VecDeque::new());
    let on_line = |line: &str| {
        services.progress.log(service, line);
        if let Ok(mut tail) = tail.lock() {
            if tail.len() == LOG_LINES {
                tail.pop_front();
            }
            tail.push_back(line.to_owned());
        }
    };
    let on_status = |status: Status| {
        services
            .progress
            .status(service, &format!("Cloud Build: {status:?}"));
    };
    let finished = build_log::follow(
        &services.google,
        &plan.target.project,
        &config.location,
        started,
        sizing(config, files).deadline(),
        &on_line,
        &on_status,
    )
    .await
    .map_err(|e| Failed::google(&format!("follow build {}", started.id), &e))?;
    Ok((finished, tail.into_inner().unwrap_or_default().into()))
}

fn build_failed(build: &Build, log: &[String]) -> Failed {
    let reason = build
        .reason()
        .unwrap_or_else(|| "Cloud Build gives no reason of its own".to_owned());
    let how = match build.status {
        Status::Cancelled => "was cancelled",
        Status::Timeout => "ran out of time",
        _ => "failed",
    };
    Failed::new(
        Blame::Deployment,
        format!("build {} {how}", build.id),
        reason.clone(),
    )
    .said(Source::Build, format!("{}: {reason}", build.status.name()))
    .log(Source::BuildLog, log)
}

/// The digest from the build's result; Artifact Registry is asked when an adopted build names none.
async fn digest(
    services: &Services,
    config: &config::Build,
    plan: &ModelPlan,
    build: &Build,
) -> Result<String, Failed> {
    if let Some(digest) = build.digest_of(&tagged(plan)) {
        return Ok(digest.to_owned());
    }
    let found = pushed(services, config, plan).await?;
    found.ok_or_else(|| {
        Failed::new(
            Blame::Service,
            format!(
                "build {} succeeded, but its image is not in Artifact Registry",
                build.id
            ),
            format!("{}:{} was not found", plan.facts.image_path, plan.facts.image_key),
        )
        .fix("Run again: the image is built anew")
    })
}

/// The digest in Artifact Registry: an earlier run's build may just have ended.
async fn pushed(
    services: &Services,
    config: &config::Build,
    plan: &ModelPlan,
) -> Result<Option<String>, Failed> {
    let repository = repository(&plan.target, config);
    let (model, key) = (&plan.target.model.name, &plan.facts.image_key);
    artifact_registry::tag_digest(&services.google, &repository, model, key)
        .await
        .map_err(|e| Failed::google("read the built image's digest", &e))
}
