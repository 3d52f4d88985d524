//! `build`: bakes the images that are not in Artifact Registry yet, and prints every image by digest.

use futures::future::join_all;

use super::{Error, event, setup};
use crate::{
    cli::Common,
    config::Config,
    environment::Environment,
    pipeline::{Services, build, doctor::Gate, facts, failed::Failed, own_build::OwnBuild, survey},
    plan::target::Target,
    signal,
};

pub async fn run(common: &Common, environment: Environment) -> Result<u8, Error> {
    let progress = crate::ui::progress(&environment, common.json);
    let context = event::place(&environment);
    let config = setup::config(common)?;
    let services = setup::services(common, environment, progress).await?;
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
    let built = super::all(done)?;
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

/// The image of one target; `None` when the process was asked to stop, and the build that was started is cancelled.
async fn one(
    gate: &Gate<'_>,
    services: &Services,
    config: &Config,
    target: Target,
) -> Option<Result<String, Failed>> {
    let own = OwnBuild::default();
    let (service, facts) = (target.service.clone(), facts::of(services, &target));
    let done = signal::unless_stopped(image(gate, services, config, target, &own)).await;
    if done.is_none() {
        own.cancel_and_tell(services, &service).await;
    }
    let facts = facts.or(&facts::build(&config.build));
    done.map(|image| image.map_err(|failed| failed.explained(&facts)))
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
