//! The run's comment on its pull request: which one it is, and how it follows the run.

use std::sync::Arc;

use super::{
    config_file, plan,
    run::{self, Run},
    setup,
};
use crate::{
    cli::{Common, given},
    config::{Access, Config},
    environment::Environment,
    event::Trigger,
    github::GitHub,
    pipeline::{
        comment::{Follower, Place, Sticky, Target},
        live::{self, Board},
        recorder::Recorder,
        workflow_runs::WorkflowRuns,
    },
    plan::target as aim,
    progress::{Progress, Silent},
    report::{ModelReport, Status},
};

/// The comment that this run writes, when it is about a pull request and there is a token.
pub fn of_run<'a>(
    run: &'a Run,
    github: Option<&'a GitHub>,
    target: Target,
    progress: &'a dyn Progress,
) -> Option<Sticky<'a>> {
    let (Trigger::Preview(pull_request)
    | Trigger::Closed(pull_request)
    | Trigger::Unlabelled(pull_request)
    | Trigger::PlanOnly {
        pull_request: Some(pull_request),
        no_preview: true,
        ..
    }) = &run.trigger
    else {
        return None;
    };
    Some(Sticky::new(Place {
        runs: WorkflowRuns::new(github, &run.context, progress),
        github: github?,
        pull_request: pull_request.number,
        target,
        run: run.context.run,
        // A pull request that never had a preview needs no word about its removal.
        may_create: matches!(run.trigger, Trigger::Preview(_)),
        progress,
    }))
}

/// What the comment is about. A configuration with mistakes may still tell where it deploys to.
pub async fn target(common: &Common, environment: &Environment, config: Option<&Config>) -> Target {
    let (project, region) = match config {
        Some(config) => (Some(config.project.clone()), Some(config.region.clone())),
        None => setup::place(common, environment).await,
    };
    Target::new(
        project.as_deref(),
        region.as_deref(),
        config_file::other(common, environment).as_deref(),
        given(common.name.as_deref()),
    )
}

/// The models as they are before anything has begun.
pub fn queued(run: &Run, config: &Config) -> Vec<ModelReport> {
    if !matches!(run.trigger, Trigger::Production | Trigger::Preview(_)) {
        return Vec::new();
    }
    let targets = plan::targets(config, &run.trigger, &run.context);
    let report = |target: aim::Target| {
        let model = &target.model;
        let private = model.service.access == Access::Private;
        let recorder = Recorder::new(&target.service, &model.id, private, Arc::new(Silent));
        ModelReport {
            status: Status::Queued,
            ..recorder.report
        }
    };
    targets.into_iter().map(report).collect()
}

/// Does the work, and tells the pull request how far it is meanwhile.
pub async fn beside<T>(
    run: &Run,
    environment: &Environment,
    board: &Board,
    comment: Option<&mut Sticky<'_>>,
    work: impl Future<Output = T>,
) -> T {
    // There is nothing to see of a removal before it is done.
    let comment = comment.filter(|_| matches!(run.trigger, Trigger::Preview(_)));
    let draft = |models| run::meanwhile(run, models);
    live::beside(environment.tempo, work, |ended| async {
        if let Some(comment) = comment {
            let pause = environment.tempo.of(live::PAUSE);
            let draft = &draft;
            live::follow(board, ended, pause, &mut Follower { comment, draft }).await;
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_input_name_tells_comments_apart_and_the_model_does_not() {
        let nothing = Environment::default();
        let target = async |common: &Common| target(common, &nothing, None).await.key();
        let text = |value: &str| Some(value.to_owned());
        let common = Common {
            project: text("p"),
            region: text("r"),
            config: text("/nowhere/llm.yaml"),
            ..Common::default()
        };
        let plain = target(&common).await;
        assert_eq!(plain, "preview/p/r/file//nowhere/llm.yaml");
        let model = Common {
            model: text("Qwen/Qwen3-4B"),
            ..common.clone()
        };
        assert_eq!(target(&model).await, plain);
        let name = Common {
            name: text("qwen"),
            ..common
        };
        assert_eq!(target(&name).await, format!("{plain}/name/qwen"));
    }
}
