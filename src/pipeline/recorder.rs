//! Times the stages of one model and writes them into its report.

use std::{future::Future, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};

use super::{
    failed::{Blame, End, Failed},
    history::{Baseline, Production},
    live::Board,
};
use crate::{
    bench::result::BenchResult,
    config::Places,
    explain::Facts,
    progress::Progress,
    report::{Failure, Link, ModelReport, Stage, Status},
    secrets::Masks,
};

/// One model's report in the making.
pub struct Recorder {
    pub report: ModelReport,
    pub blame: Option<Blame>,
    /// Values with which failures are explained.
    pub facts: Facts,
    /// Where the model's settings stand: a failure that one causes is shown there.
    pub places: Places,
    /// What the measurement is compared with where the configuration names nothing else.
    pub baseline: Option<Baseline>,
    /// The measurement, whole.
    pub measured: Option<BenchResult>,
    /// What was measured, once it has all of production's traffic.
    pub serves: Option<Production>,
    progress: Arc<dyn Progress>,
    masks: Masks,
    /// The stage that is running, and since when.
    running: Option<(String, Instant)>,
    /// Where it is told at which stage the model is.
    board: Option<Board>,
}

impl Recorder {
    pub fn new(service: &str, model: &str, private: bool, progress: Arc<dyn Progress>) -> Self {
        let report = ModelReport {
            service: service.to_owned(),
            model: model.to_owned(),
            model_revision: None,
            status: Status::Succeeded,
            url: None,
            private,
            api_key: false,
            image: None,
            revision: None,
            changes: Vec::new(),
            warnings: Vec::new(),
            stages: Vec::new(),
            checks: Vec::new(),
            cold_start: None,
            latency: Vec::new(),
            latency_seed: None,
            comparison: None,
            failure: None,
            links: Vec::new(),
            hourly_cost_usd: None,
            idle_cost_usd: None,
            expires_at: None,
            differences: None,
            trend: Vec::new(),
            requests: Vec::new(),
        };
        Self {
            report,
            blame: None,
            facts: Facts::default(),
            places: Places::default(),
            baseline: None,
            measured: None,
            serves: None,
            progress,
            masks: Masks::default(),
            running: None,
            board: None,
        }
    }

    /// The same, followed on the board.
    #[must_use]
    pub fn on(mut self, board: &Board) -> Self {
        self.board = Some(board.clone());
        self
    }

    /// The same; its failures are recorded without secrets, before they are packed into forms that can't be searched.
    #[must_use]
    pub fn hiding(mut self, masks: &Masks) -> Self {
        self.masks = masks.clone();
        self
    }

    /// Nothing more comes of this model.
    #[must_use]
    pub fn ended(self) -> Self {
        if let Some(board) = &self.board {
            board.publish(self.report.clone());
        }
        self
    }

    fn show_running(&self, name: &str) {
        let Some(board) = &self.board else { return };
        let mut shown = self.report.clone();
        shown.status = Status::Running;
        shown.stages.push(Stage {
            started_at: Some(Utc::now()),
            ..Stage::at_once(name, Status::Running)
        });
        board.publish(shown);
    }

    /// Runs one stage. `None` means that it failed, which the report then says, and that the model is done.
    pub async fn stage<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<(T, String), Failed>>,
    ) -> Option<T> {
        self.progress.stage(&self.report.service, name);
        let started = Instant::now();
        self.running = Some((name.to_owned(), started));
        self.show_running(name);
        let result = work.await;
        self.running = None;
        let (status, detail, value) = match result {
            Ok((value, detail)) => (Status::Succeeded, detail, Some(value)),
            Err(failed) if failed.end == End::Superseded => {
                (Status::Superseded, self.supersede(name, &failed), None)
            }
            Err(failed) => (Status::Failed, self.fail(name, failed), None),
        };
        let duration = started.elapsed();
        if value.is_some() {
            let took = crate::units::human_duration(duration);
            self.progress
                .note(&self.report.service, &format!("{name}: {detail} ({took})"));
        }
        self.report.stages.push(Stage {
            name: name.to_owned(),
            status,
            started_at: Some(began(started)),
            duration,
            detail,
        });
        value
    }

    /// The process was asked to stop, and the running stage was dropped.
    pub fn cancel(&mut self) {
        self.report.status = Status::Cancelled;
        if let Some((name, started)) = self.running.take() {
            self.progress
                .warn(&self.report.service, &format!("{name}: cancelled"));
            self.report.stages.push(Stage {
                name,
                status: Status::Cancelled,
                started_at: Some(began(started)),
                duration: started.elapsed(),
                detail: "stopped from outside".to_owned(),
            });
        }
    }

    /// A newer run has taken over; returns what there is to say of it.
    fn supersede(&mut self, stage: &str, newer: &Failed) -> String {
        self.report.status = Status::Superseded;
        let said = newer.failure.title.clone();
        self.progress
            .warn(&self.report.service, &format!("{stage}: {said}, this one stops"));
        said
    }

    /// A stage that there was no need for.
    pub fn skip(&mut self, name: &str, detail: &str) {
        self.progress
            .note(&self.report.service, &format!("{name}: {detail}"));
        self.report.stages.push(Stage {
            detail: detail.to_owned(),
            ..Stage::at_once(name, Status::Skipped)
        });
    }

    /// What the reader should know although nothing failed.
    pub fn warn(&mut self, text: String) {
        self.progress.warn(&self.report.service, &text);
        self.report.warnings.push(text);
    }

    pub fn link(&mut self, label: &str, url: impl Into<String>) {
        self.report.links.push(Link {
            label: label.to_owned(),
            url: url.into(),
        });
    }

    /// Writes a failure into the report; returns its title.
    pub fn fail(&mut self, stage: &str, failed: Failed) -> String {
        let mut failed = failed.explained(&self.facts).placed(&self.places);
        failed.failure.stage = stage.to_owned();
        failed.failure.redact(&self.masks);
        self.report.status = Status::Failed;
        self.blame = Some(failed.blame);
        let title = failed.failure.title.clone();
        let (told, place) = (told(stage, &failed.failure), failed.failure.place.as_ref());
        self.progress.fail(&self.report.service, &told, place);
        self.report.failure = Some(*failed.failure);
        title
    }
}

/// The time of day of a moment that has passed.
fn began(at: Instant) -> DateTime<Utc> {
    Utc::now() - at.elapsed()
}

/// What the run's annotation says of a failure; its first line is enough where the report follows.
fn told(stage: &str, failure: &Failure) -> String {
    let title = format!("{stage}: {}", failure.title);
    let parts = [Some(&title), Some(&failure.cause), failure.fix.as_ref()];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join("\n").trim_end().to_owned()
}
