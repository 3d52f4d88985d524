//! `plan`: what would be done, with every setting's origin. Reads, never writes.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;

use super::{Error, event, run::Run, setup};
use crate::{
    cli::Common,
    config::Config,
    environment::Environment,
    event::{Context, Trigger},
    hugging_face, image,
    pipeline::{Services, history::Store, production, recorder::Recorder, survey},
    plan::{
        ModelPlan, cost, show,
        target::{Stage, Target},
    },
    progress::{Progress, Silent},
    report::{Difference, Status},
    secrets::Masks,
    units::human_bytes,
};

pub async fn run(common: &Common, environment: Environment) -> Result<u8, Error> {
    let (trigger, context) = match environment.get("GITHUB_EVENT_NAME") {
        Some(_) => event::read(&environment).await?,
        None => (Trigger::Production, event::place(&environment)),
    };
    let config = setup::config(common, &environment).await?;
    let masks = environment.masks().clone();
    let services = setup::services(common, environment, Arc::new(Silent)).await?;
    let surveys = targets(&config, &trigger, &context)
        .into_iter()
        .map(|target| survey::survey(&services, &config.build, target));
    let surveyed = super::all(join_all(surveys).await)?;
    let plans: Vec<ModelPlan> = surveyed.into_iter().map(|s| s.plan).collect();
    let store = Store::new(&services, &config);
    let mut shown = Vec::new();
    for plan in plans {
        let differences = against_production(&services, &store, &plan).await;
        shown.push((plan, differences));
    }
    print(common, &masks, &config, &shown)
}

/// How a preview differs from production; a plan is one without it, too.
async fn against_production(
    services: &Services,
    store: &Store<'_>,
    plan: &ModelPlan,
) -> Option<Vec<Difference>> {
    if plan.target.stage == Stage::Production {
        return None;
    }
    let baseline = store.baseline(&plan.target.model.name).await.ok().flatten();
    let found = production::differences(services, plan, baseline.as_ref()).await;
    found.ok().flatten()
}

pub fn targets(config: &Config, trigger: &Trigger, context: &Context) -> Vec<Target> {
    let (repository, commit) = (&context.repository, &context.sha);
    let aim = |model| match trigger {
        Trigger::Preview(pr)
        | Trigger::PlanOnly {
            pull_request: Some(pr),
            ..
        } => Target::preview(
            config,
            model,
            repository,
            &pr.head_sha,
            pr.number,
            chrono::Utc::now(),
        ),
        _ => Target::production(config, model, repository, commit),
    };
    config.models.iter().map(aim).collect()
}

fn print(
    common: &Common,
    masks: &Masks,
    config: &Config,
    plans: &[(ModelPlan, Option<Vec<Difference>>)],
) -> Result<u8, Error> {
    let value = serde_json::to_value(config).map_err(|e| Error::service(e.to_string()))?;
    let settings = show::settings(&value, &config.origins);
    if common.json {
        let shown = |(plan, differences): &(ModelPlan, Option<Vec<Difference>>)| show::Shown {
            differences: differences.clone(),
            ..show::Shown::from(plan)
        };
        let models: Vec<show::Shown> = plans.iter().map(shown).collect();
        let settings: Vec<_> = settings
            .iter()
            .map(|(path, value, origin)| json!({"setting": path, "value": value, "origin": origin}))
            .collect();
        super::print_json(
            masks,
            &format!("{:#}", json!({"models": models, "settings": settings})),
        );
        return Ok(0);
    }
    for (plan, differences) in plans {
        let differences = show::differences(differences.as_deref().unwrap_or_default());
        super::print_page(masks, &(show::text(plan) + &differences));
    }
    let width = settings.iter().map(|(path, ..)| path.len()).max().unwrap_or(0);
    super::print(masks, "settings");
    for (path, value, origin) in &settings {
        super::print_page(masks, &format!("  {path:<width$}  {value}  ({origin})"));
    }
    Ok(0)
}

/// A plan without credentials, for a fork's pull request: what the configuration and Hugging Face alone tell.
pub async fn outline(
    config: &Config,
    run: &Run,
    environment: &Environment,
    progress: &Arc<dyn Progress>,
) -> Vec<Recorder> {
    let targets = targets(config, &run.trigger, &run.context);
    join_all(
        targets
            .iter()
            .map(|target| outline_one(target, environment, progress)),
    )
    .await
}

async fn outline_one(target: &Target, environment: &Environment, progress: &Arc<dyn Progress>) -> Recorder {
    let model = &target.model;
    let private = model.service.access == crate::config::Access::Private;
    let mut recorder = Recorder::new(&target.service, &model.id, private, Arc::clone(progress));
    recorder.report.status = Status::Skipped;
    recorder.report.hourly_cost_usd = cost::hourly_usd(&target.region, &model.service);
    recorder.report.idle_cost_usd = cost::idle_usd(&target.region, &model.service);
    // Nothing here may turn a stranger's run red: a private model, say, can't be looked up without a token.
    let found = hugging_face::resolve(environment, &model.id, &model.revision, None).await;
    match found {
        Ok(files) => {
            recorder.report.model_revision = Some(files.commit.clone());
            recorder.skip("plan", &would_serve(target, &files));
        }
        Err(why) => recorder.skip(
            "plan",
            &format!("the model could not be looked up from here: {why}"),
        ),
    }
    recorder
}

fn would_serve(target: &Target, files: &hugging_face::ModelFiles) -> String {
    let model = &target.model;
    let wanted = files.wanted();
    format!(
        "would serve {} of weights on {} with {} CPU and {}, image key {}",
        human_bytes(files.weights_bytes()),
        model.service.gpu,
        model.service.cpu,
        model.service.memory,
        image::key(&image::Recipe::of(model, files, &wanted)),
    )
}
