//! The comment while the run goes on.

use std::ops::ControlFlow;

use super::Sticky;
use crate::{
    pipeline::live::{self, Surface},
    report::{ModelReport, Report, Status},
};

/// Writes the comment when a model comes to another stage.
pub struct Follower<'a, 'b> {
    pub comment: &'a mut Sticky<'b>,
    /// The run's report, as far as the models are.
    pub draft: &'a (dyn Fn(Vec<ModelReport>) -> Report + Sync),
}

impl Surface for Follower<'_, '_> {
    /// Where each model is.
    type Shown = Vec<(Status, Option<String>)>;

    fn shown(&self, models: &[ModelReport]) -> Self::Shown {
        let where_it_is = |model| live::stage(model).map(str::to_owned);
        models
            .iter()
            .map(|model| (model.status, where_it_is(model)))
            .collect()
    }

    async fn write(&mut self, models: Vec<ModelReport>) -> ControlFlow<()> {
        let report = (self.draft)(models);
        let outcome = self.comment.write(&report).await;
        let comment = &self.comment;
        // What else goes wrong is told at the end, if it goes wrong there as well.
        comment
            .permission
            .quietly(comment.place.progress, async { outcome })
            .await;
        if comment.permission.is_refused() || comment.gave_way {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
