//! What a run's models are at, and who follows it while the run goes on: the pull request's comment, the deployment
//! at GitHub.
//!
//! Following costs the run nothing: it is done beside the work, one request at a time for each surface, and what
//! changes meanwhile is told together. What a surface says last is not its business but that of whoever ends the run.

use std::{future::Future, ops::ControlFlow, pin::pin, sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    report::{ModelReport, Stage, Status},
    signal,
    tempo::Tempo,
};

/// Time between two writes to one surface. A reader looks no oftener, and a repository has 1,000 requests an hour for
/// all of its jobs (docs.github.com, "Rate limits for the REST API").
pub const PAUSE: Duration = Duration::from_secs(5);
/// How long the run's end waits for a write that is under way. One that is dropped could still be carried out, after
/// what is written last.
const GRACE: Duration = Duration::from_secs(5);
/// The same when the process was asked to stop, and has seconds left.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Where every model of the run is, as far as it is known. Clones are of the same board.
#[derive(Clone)]
pub struct Board(Arc<watch::Sender<Vec<ModelReport>>>);

impl Default for Board {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Board {
    /// `models` have not begun.
    pub fn new(models: Vec<ModelReport>) -> Self {
        Self(Arc::new(watch::Sender::new(models)))
    }

    /// Puts the model in place of what was known of the same service.
    pub fn publish(&self, model: ModelReport) {
        self.0.send_modify(
            |models| match models.iter_mut().find(|known| known.service == model.service) {
                Some(known) => *known = model,
                None => models.push(model),
            },
        );
    }

    pub fn now(&self) -> Vec<ModelReport> {
        self.0.borrow().clone()
    }
}

/// The status of a run that has not ended.
pub fn status(models: &[ModelReport]) -> Status {
    match models.iter().all(|model| model.status == Status::Queued) {
        true => Status::Queued,
        false => Status::Running,
    }
}

/// The stages of a model, in their order. The last one only where there is traffic to move.
pub const STAGES: [&str; 6] = ["plan", "build", "deploy", "smoke", "latency", "traffic"];

/// The same with the stages that are still to come, for somebody who looks on.
pub fn with_stages_to_come(mut model: ModelReport) -> ModelReport {
    if !matches!(model.status, Status::Queued | Status::Running) {
        return model;
    }
    let begun = model.stages.last().map_or(0, |last| {
        place(&last.name).map_or(STAGES.len(), |place| place + 1)
    });
    // A preview has no traffic to move.
    let to_come = STAGES.iter().take(STAGES.len() - 1).skip(begun);
    let to_come = to_come.map(|name| Stage::at_once(name, Status::Queued));
    model.stages.extend(to_come);
    model
}

/// How far a stage is among all.
pub fn place(stage: &str) -> Option<usize> {
    STAGES.iter().position(|name| *name == stage)
}

/// The stage that a model is in; `None` before it has begun, and when it is done.
pub fn stage(model: &ModelReport) -> Option<&str> {
    let last = model.stages.last()?;
    (last.status == Status::Running).then_some(last.name.as_str())
}

/// Something that shows where the models are.
pub trait Surface: Send {
    /// What of it can be seen there: it is written when this changes.
    type Shown: PartialEq + Send;

    fn shown(&self, models: &[ModelReport]) -> Self::Shown;

    /// Writes it. `Break` when there is no use in going on.
    fn write(&mut self, models: Vec<ModelReport>) -> impl Future<Output = ControlFlow<()>> + Send;
}

/// Writes at once, and then when something has changed, never twice within `pause`, until `ended`. A write that has
/// begun is brought to its end.
pub async fn follow(board: &Board, ended: CancellationToken, pause: Duration, surface: &mut impl Surface) {
    let mut changes = board.0.subscribe();
    let mut told = None;
    while !ended.is_cancelled() {
        let models = changes.borrow_and_update().clone();
        let shown = surface.shown(&models);
        if told.as_ref() != Some(&shown) {
            if surface.write(models).await.is_break() {
                return;
            }
            told = Some(shown);
            tokio::select! {
                () = ended.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
        tokio::select! {
            () = ended.cancelled() => return,
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Does the work, and beside it what `follow` gives, which is told when the work has ended and then waited for a
/// moment.
pub async fn beside<T, F: Future<Output = ()>>(
    tempo: Tempo,
    work: impl Future<Output = T>,
    follow: impl FnOnce(CancellationToken) -> F,
) -> T {
    let ended = CancellationToken::new();
    let mut following = pin!(follow(ended.clone()));
    let mut work = pin!(work);
    let done = tokio::select! {
        // First what there is to tell, then who tells it.
        biased;
        done = &mut work => done,
        () = &mut following => return work.await,
    };
    ended.cancel();
    tokio::select! {
        () = &mut following => {}
        () = tempo.sleep(GRACE) => {}
        () = last_words() => {}
    }
    done
}

async fn last_words() {
    signal::stopped().await;
    tokio::time::sleep(LAST_WORDS).await;
}

#[cfg(test)]
mod tests;
