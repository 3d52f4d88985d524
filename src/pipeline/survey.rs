//! Looks at what is there: the model at Hugging Face, its image, the live service. Changes nothing.

use super::{
    Services,
    failed::{Blame, Failed},
};
use crate::{
    config::Build,
    google::{artifact_registry, run},
    hugging_face::{self, ModelFiles},
    image,
    plan::{self, Facts, ModelPlan, owner, target::Target},
};

/// A plan together with the files that a build would need.
pub struct Surveyed {
    pub plan: ModelPlan,
    pub files: ModelFiles,
}

/// Gathers the facts on one target and makes its plan. A preview's target may get another name.
pub async fn survey(services: &Services, build: &Build, target: Target) -> Result<Surveyed, Failed> {
    let (image, (target, live)) = tokio::try_join!(
        look_for_image(services, build, &target),
        find(services, target.clone())
    )?;
    let facts = Facts {
        commit: image.files.commit.clone(),
        weights_bytes: image.files.weights_bytes(),
        image_path: image.path,
        image_key: image.key,
        image_digest: image.digest,
        image_warnings: image::warnings(&image.files.wanted()),
        live,
    };
    let plan = plan::make(target, facts).map_err(|refusal| refused(&refusal))?;
    Ok(Surveyed {
        plan,
        files: image.files,
    })
}

/// The plan with its image, against the service as it is now: a build takes long enough for others to change, create
/// or delete it.
pub async fn again(services: &Services, plan: &ModelPlan, digest: &str) -> Result<ModelPlan, Failed> {
    let (target, live) = find(services, plan.target.clone()).await?;
    let facts = Facts {
        live,
        image_digest: Some(digest.to_owned()),
        ..plan.facts.clone()
    };
    plan::make(target, facts).map_err(|refusal| refused(&refusal))
}

fn refused(refusal: &plan::Refusal) -> Failed {
    let failed = Failed::new(Blame::Input, "the plan can't be carried out", refusal.to_string());
    match refusal {
        plan::Refusal::TooLarge(_) => failed.setting("engine.max-model-len").setting("service.gpu"),
        plan::Refusal::NotOurs { .. } => failed.setting("name").setting("id"),
    }
}

struct Image {
    files: ModelFiles,
    path: String,
    key: String,
    digest: Option<String>,
}

async fn look_for_image(services: &Services, build: &Build, target: &Target) -> Result<Image, Failed> {
    let model = &target.model;
    let files = hugging_face::resolve(
        &services.environment,
        &model.id,
        &model.revision,
        services.hugging_face_token.as_ref(),
    )
    .await
    .map_err(|e| super::explain::hugging_face(&model.id, &e))?;
    let wanted = files.wanted();
    let key = image::key(&image::Recipe::of(model, &files, &wanted));
    let repository = repository(target, build);
    // The package is named after production's service, so that a merged preview's image is there already.
    let digest = artifact_registry::tag_digest(&services.google, &repository, &model.name, &key)
        .await
        .map_err(|e| Failed::google("look for the image in Artifact Registry", &e))?;
    let path = repository.image(&model.name);
    if digest.is_none() && files.gated && model.image.hf_token_secret.is_none() {
        return Err(gated(&model.id));
    }
    Ok(Image {
        path,
        key,
        digest,
        files,
    })
}

/// Told before a build is paid for that can only fail.
fn gated(model: &str) -> Failed {
    Failed::new(
        Blame::Input,
        format!("{model} is gated, and no Hugging Face token is configured"),
        "its weights are only given to accounts that have accepted its terms",
    )
    .fix(format!(
        "Accept the terms at https://huggingface.co/{model}, put a token of that account into Secret Manager, and name the secret in `image.hf-token-secret`"
    ))
    .setting("image.hf-token-secret")
}

/// The target with the name that its service has or will get, and the service as it is now.
///
/// A preview has the plain name where that is free or its own already; where it is somebody else's, the repository's
/// own name. One that has that name keeps it when the plain one becomes free. Production has no choice.
pub async fn find(
    services: &Services,
    target: Target,
) -> Result<(Target, Option<run::types::Service>), Failed> {
    let live = live_service(services, &target).await?;
    let owner = live.as_ref().map(|live| owner::foreign(&target, &live.labels));
    let is_own = owner == Some(None);
    let Some(other) = target.under_own_name().filter(|_| !is_own) else {
        return Ok((target, live));
    };
    let there = live_service(services, &other).await?;
    let has_moved = there
        .as_ref()
        .is_some_and(|there| owner::foreign(&other, &there.labels).is_none());
    match owner.flatten() {
        None if !has_moved => Ok((target, None)),
        whose => {
            if let Some(whose) = whose {
                let said = format!("the name `{}` is taken by {whose}", target.service);
                services.progress.note(&other.service, &said);
            }
            Ok((other, there))
        }
    }
}

/// The target's service as it is now.
pub async fn live_service(
    services: &Services,
    target: &Target,
) -> Result<Option<run::types::Service>, Failed> {
    let location = run::Location {
        project: &target.project,
        region: &target.region,
    };
    run::get(&services.google, &location, &target.service)
        .await
        .map_err(|e| Failed::google(&format!("read Cloud Run service {}", target.service), &e))
}

/// The repository that holds a target's image.
pub fn repository<'a>(target: &'a Target, build: &'a Build) -> artifact_registry::Repository<'a> {
    artifact_registry::Repository {
        project: &target.project,
        location: &target.region,
        repository: &build.repository,
    }
}
