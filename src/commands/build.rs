//! `build`: bakes the images that are not in Artifact Registry yet, and prints every image by digest.

use std::path::Path;

use futures::future::join_all;
use serde_json::json;

use super::{Error, event, setup};
use crate::{
    cli::Common,
    config::Config,
    environment::Environment,
    github::actions,
    pipeline::{Services, build, doctor::Gate, facts, failed::Failed, own_build::OwnBuild, survey},
    plan::target::Target,
    signal,
};

pub async fn run(common: &Common, environment: Environment) -> Result<u8, Error> {
    let progress = crate::ui::progress(&environment, common.json);
    let context = event::place(&environment);
    let mut config = setup::config(common, &environment).await?;
    super::run::name_places(common, &environment, &mut config);
    let services = setup::services(common, environment.clone(), progress).await?;
    let gate = Gate::new(&services, &config);
    let builds = config.models.iter().map(|model| {
        let target = Target::production(&config, model, &context.repository, &context.sha);
        one(&gate, &services, &config, target)
    });
    let done = join_all(builds).await;
    let Some(done) = done.into_iter().collect::<Option<Vec<_>>>() else {
        return Ok(super::INTERRUPTED);
    };
    let mut images = serde_json::Map::new();
    let built = super::all(done).inspect_err(|_| outputs(&environment, "failed", &config, &[]))?;
    outputs(&environment, "succeeded", &config, &built);
    for (model, image) in config.models.iter().zip(built) {
        images.insert(model.name.clone(), image.into());
    }
    if common.json {
        super::print_json(environment.masks(), &serde_json::Value::from(images).to_string());
    } else {
        images
            .values()
            .filter_map(|image| image.as_str())
            .for_each(|image| super::print(environment.masks(), image));
    }
    Ok(0)
}

/// For the steps after this one, those of the action's outputs that a build knows.
fn outputs(environment: &Environment, status: &str, config: &Config, images: &[String]) {
    let Some(path) = environment.get("GITHUB_OUTPUT") else {
        return;
    };
    let models: Vec<_> = config
        .models
        .iter()
        .zip(images)
        .map(|(model, image)| json!({"service": model.name, "model": model.id, "image": image}))
        .collect();
    let pairs = [
        ("status", status.to_owned()),
        ("image", images.first().cloned().unwrap_or_default()),
        ("models", serde_json::Value::from(models).to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), environment.masks().redact(&value).into_owned()));
    if let Err(why) = actions::write_outputs(Path::new(path), &pairs) {
        super::tell(
            environment.masks(),
            &format!("the outputs were not written to {path}: {why}"),
        );
    }
}

/// The image of one target; `None` when the process was asked to stop, and the build that was started is cancelled.
async fn one(
    gate: &Gate<'_>,
    services: &Services,
    config: &Config,
    target: Target,
) -> Option<Result<String, Failed>> {
    let own = OwnBuild::default();
    let (service, facts) = (target.service.clone(), facts::of(services, &target));
    let places = target.model.places.clone();
    let done = signal::unless_stopped(image(gate, services, config, target, &own)).await;
    if done.is_none() {
        own.cancel_and_tell(services, &service).await;
    }
    let facts = facts.or(&facts::build(&config.build));
    done.map(|image| image.map_err(|failed| failed.explained(&facts).placed(&places)))
}

async fn image(
    gate: &Gate<'_>,
    services: &Services,
    config: &Config,
    target: Target,
    own: &OwnBuild,
) -> Result<String, Failed> {
    let surveyed = gate
        .beside(survey::survey(services, &config.build, target))
        .await?;
    let facts = &surveyed.plan.facts;
    let digest = match &facts.image_digest {
        Some(digest) => {
            services
                .progress
                .note(&surveyed.plan.target.service, "the image was there");
            digest.clone()
        }
        None => {
            let (built, _) =
                build::build(services, &config.build, &surveyed.plan, &surveyed.files, own).await?;
            built.digest
        }
    };
    Ok(format!("{}@{digest}", facts.image_path))
}
