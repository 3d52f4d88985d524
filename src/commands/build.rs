//! `build`: bakes the images that are not in Artifact Registry yet, and prints every image by digest.

use futures::future::join_all;

use super::{Error, event, setup};
use crate::{
    cli::Common,
    config::Config,
    environment::Environment,
    pipeline::{Services, build, facts, failed::Failed, survey},
    plan::target::Target,
};

pub async fn run(common: &Common, environment: Environment) -> Result<u8, Error> {
    let progress = crate::ui::progress(&environment, common.json);
    let context = event::place(&environment);
    let config = setup::config(common)?;
    let services = setup::services(common, environment, progress).await?;
    let builds = config.models.iter().map(|model| {
        let target = Target::production(&config, model, &context.repository, &context.sha);
        one(&services, &config, target)
    });
    let mut images = serde_json::Map::new();
    let built = super::all(join_all(builds).await)?;
    for (model, image) in config.models.iter().zip(built) {
        images.insert(model.name.clone(), image.into());
    }
    if common.json {
        super::print(&serde_json::Value::from(images).to_string());
    } else {
        images
            .values()
            .filter_map(|image| image.as_str())
            .for_each(super::print);
    }
    Ok(0)
}

async fn one(services: &Services, config: &Config, target: Target) -> Result<String, Failed> {
    let facts = facts::of(services, &target).or(&facts::build(&config.build));
    let image = image(services, config, target).await;
    image.map_err(|failed| failed.explained(&facts))
}

async fn image(services: &Services, config: &Config, target: Target) -> Result<String, Failed> {
    let surveyed = survey::survey(services, &config.build, target).await?;
    let facts = &surveyed.plan.facts;
    let digest = match &facts.image_digest {
        Some(digest) => {
            services
                .progress
                .note(&surveyed.plan.target.service, "the image was there");
            digest.clone()
        }
        None => {
            let (built, _) = build::build(services, &config.build, &surveyed.plan, &surveyed.files).await?;
            built.digest
        }
    };
    Ok(format!("{}@{digest}", facts.image_path))
}
