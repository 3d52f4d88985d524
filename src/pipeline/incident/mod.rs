//! After a scheduled test: the result goes into the history, and whoever is to know of it is told.
//!
//! The verdict is fixed before: what fails in here is a warning.

mod issue;

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{history, jobs::Job, recorder::Recorder, scheduled::Tested};
use crate::{
    github::GitHub,
    progress::Progress,
    report::{
        Failure, Status,
        incident::{self, Announce, Incident, Outcome, Page, State},
        record::Record,
    },
    signal,
    webhook::Webhook,
};
use issue::Issues;

/// Longest that telling may take, all services together.
const PATIENCE: Duration = Duration::from_secs(600);

/// Keeps the results, tells of them, and gives the recorders on.
pub async fn follow(job: &Job<'_>, mut tested: Vec<Tested>) -> Vec<Recorder> {
    let work = async {
        let (records, histories) = remember(job, &mut tested).await;
        tell(job, &mut tested, &records, &histories).await;
    };
    let limit = job.services.environment.tempo.of(PATIENCE);
    let told = signal::unless_stopped(tokio::time::timeout(limit, work)).await;
    if let Some(Err(_)) = told {
        let why = "nobody was told of this scheduled test: GitHub did not answer in time";
        job.services.progress.warn("schedule", why);
    }
    tested.into_iter().map(|one| one.recorder).collect()
}

/// Adds each result to its service's history.
async fn remember(job: &Job<'_>, tested: &mut [Tested]) -> (Vec<Record>, Vec<Vec<Record>>) {
    let tested = tested
        .iter_mut()
        .map(|one| (&mut one.recorder, one.judged))
        .collect();
    let kept = history::found(&job.store, job.run(), tested).await.into_iter();
    kept.map(|kept| (kept.record, kept.history)).unzip()
}

async fn tell(job: &Job<'_>, tested: &mut [Tested], records: &[Record], histories: &[Vec<Record>]) {
    let on_failure = job.config.schedule.on_failure;
    if !(on_failure.issue || on_failure.webhook) || records.iter().all(|r| r.status == Status::Cancelled) {
        return;
    }
    let progress = job.services.progress.as_ref();
    let github = job.github.filter(|_| on_failure.issue);
    let mut issues = match github {
        Some(github) => Issues::read(github, progress).await,
        None => None,
    };
    for ((one, record), history) in tested.iter_mut().zip(records).zip(histories) {
        if let Some(run) = Outcome::of(record) {
            let service = Service {
                one: &mut one.recorder,
                record,
                history,
            };
            service.tell(job, issues.as_mut(), &run).await;
        }
    }
    if let Some(issues) = &mut issues {
        let hindered: Vec<(String, &Failure)> = tested
            .iter()
            .zip(records)
            .filter(|(_, record)| record.status == Status::Skipped)
            .filter_map(|(one, record)| {
                let failure = one.recorder.report.failure.as_ref()?;
                Some((record.service.clone(), failure))
            })
            .collect();
        let run_url = job.context.run_url.as_deref();
        issues.hindered(&hindered, histories, job.now, run_url).await;
    }
}

/// One judged service.
struct Service<'a> {
    one: &'a mut Recorder,
    record: &'a Record,
    history: &'a [Record],
}

impl Service<'_> {
    async fn tell(self, job: &Job<'_>, mut issues: Option<&mut Issues<'_>>, run: &Outcome) {
        let config = job.config;
        let marker = incident::marker(&config.project, &config.region, &self.record.service);
        let known: Option<State> = issues.as_ref().and_then(|issues| issues.known(&marker));
        let known = known.filter(|known| !known.is_ahead_of(run.at));
        let before = known.unwrap_or_default().replay(self.history, run.at);
        let step = before.step(run);
        let page = Page {
            marker: &marker,
            model: &self.one.report,
            record: self.record,
        };
        if let Some(issues) = issues.as_mut() {
            // Nothing else remembers a good run.
            let alone = self.history.len() < 2;
            let kept = issues.keep(&page, &step, alone).await;
            // Without a history both runs take it for news: the one that keeps the issue tells.
            if !kept && self.history.is_empty() {
                return;
            }
        }
        // Of runs at the same time the one that came into the history first tells.
        let later = |other: &Record| other.at > run.at && Outcome::of(other).is_some() && !other.deployed;
        let told_by_another = self.history.iter().any(later);
        let webhook = config.schedule.on_failure.webhook && !told_by_another;
        if let Some(announce) = step.announce.filter(|_| webhook) {
            let told = post(job, &page, announce, &step.state, step.ended.as_ref()).await;
            if let Err(why) = told {
                self.one.warn(format!("no message was sent: {why}"));
            }
        }
    }
}

async fn post(
    job: &Job<'_>,
    page: &Page<'_>,
    announce: Announce,
    state: &State,
    ended: Option<&Incident>,
) -> Result<(), String> {
    let webhook = Webhook::from_environment(&job.services.environment).map_err(|e| e.to_string())?;
    let repository = &job.context.repository;
    let message = incident::message(announce, repository, page.model, page.record, state, ended);
    let body = serde_json::to_value(&message).map_err(|e| e.to_string())?;
    webhook.send(&body).await.map_err(|e| e.to_string())
}

/// A scheduled run that ended before any service was looked at.
pub async fn could_not_begin(
    github: &GitHub,
    progress: &dyn Progress,
    failure: &Failure,
    now: DateTime<Utc>,
    run_url: Option<&str>,
) {
    let work = async {
        if let Some(mut issues) = Issues::read(github, progress).await {
            let hindered = [(String::new(), failure)];
            issues.hindered(&hindered, &[], now, run_url).await;
        }
    };
    // A cancelled run says nothing.
    let _ = signal::unless_stopped(tokio::time::timeout(PATIENCE, work)).await;
}
