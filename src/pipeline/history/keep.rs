//! What a run for production leaves for later ones.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;

use super::{Baseline, KEPT, Store, lines};
use crate::{
    event::RunId,
    google::storage,
    pipeline::{
        failed::{Blame, Failed},
        recorder::Recorder,
    },
    report::{Status, record::Record},
    signal,
};

/// For all of it. What takes longer is not worth a runner's time.
const DEADLINE: Duration = Duration::from_secs(120);

/// The run whose results are kept.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    pub at: DateTime<Utc>,
    pub commit: &'a str,
    pub id: Option<RunId>,
    /// The run's page.
    pub url: Option<&'a str>,
}

/// Which results are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// A deployment's: those that were measured and have gone into production.
    Deployed,
    /// Those of production as it was found, bad ones among them.
    Found,
}

/// Keeps the results, and gives their reports the ones before. Whether that works or not, the verdict stays.
pub async fn keep(store: &Store<'_>, run: Run<'_>, which: Which, recorders: &mut [Recorder]) {
    let results: Vec<&mut Recorder> = recorders.iter_mut().filter(|r| which.has(r)).collect();
    if results.is_empty() {
        return;
    }
    let work = async {
        match check_bucket(store).await {
            Ok(()) => drop(join_all(results.into_iter().map(|one| keep_one(store, run, one))).await),
            Err(failed) => store.warn(failed),
        }
    };
    let limited = tokio::time::timeout(store.services.google.tempo().of(DEADLINE), work);
    // A run that is asked to stop leaves it: the next one has results of its own.
    if let Some(Err(_)) = signal::unless_stopped(limited).await {
        let title = "production's history was not kept";
        store.warn(Failed::new(Blame::Service, title, "Cloud Storage takes too long"));
    }
}

impl Which {
    fn has(self, recorder: &Recorder) -> bool {
        let measured = !recorder.report.latency.is_empty();
        match (self, recorder.report.status) {
            (Self::Deployed, Status::Succeeded) => measured,
            (Self::Found, Status::Succeeded | Status::Failed) => true,
            _ => false,
        }
    }
}

/// A bucket of somebody else's gets nothing to read.
async fn check_bucket(store: &Store<'_>) -> Result<(), Failed> {
    let found = storage::find_bucket(&store.services.google, store.project, store.bucket).await;
    let title = "production's history was not kept";
    match found {
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            let cause = format!("there is no bucket {}", store.bucket);
            let fix = "`llm-deploy bootstrap` makes it, and so does the next build";
            Err(Failed::new(Blame::Deployment, title, cause).fix(fix))
        }
        Err(error) => Err(Failed::google("keep production's history", &error)),
    }
}

async fn keep_one(store: &Store<'_>, run: Run<'_>, recorder: &mut Recorder) {
    let page = run.url.map(|url| page(url, run.id));
    let record = Record::in_run(run.at, run.commit, page.as_deref(), &recorder.report);
    let baseline = baseline(recorder);
    let service = recorder.report.service.as_str();
    let good = async {
        match &baseline {
            Some(baseline) => store.keep_baseline(service, baseline).await,
            None => Ok(()),
        }
    };
    let (history, good) = futures::join!(store.append(&record, KEPT), good);
    match history {
        Ok(mut all) => {
            all.retain(|other| !lines::is_same_run(other, &record));
            recorder.report.trend = all;
        }
        Err(failed) => store.warn(failed),
    }
    if let Err(failed) = good {
        store.warn(failed);
    }
}

/// What later measurements are compared with: a good one, of the revision that serves.
fn baseline(recorder: &mut Recorder) -> Option<Baseline> {
    if recorder.report.status != Status::Succeeded {
        return None;
    }
    let earlier = recorder.baseline.as_ref().map(|baseline| &baseline.production);
    Some(Baseline {
        production: recorder.serves.take()?.or(earlier),
        result: recorder.measured.take()?,
    })
}

/// The page of this attempt: one that somebody ran again is a result of its own.
fn page(url: &str, id: Option<RunId>) -> String {
    match id.map_or(1, |id| id.attempt) {
        0 | 1 => url.to_owned(),
        attempt => format!("{url}/attempts/{attempt}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_asked_for_again_has_a_page_of_its_own() {
        let of = |attempt| page("https://h/runs/42", Some(RunId { number: 42, attempt }));
        assert_eq!(of(1), "https://h/runs/42");
        assert_eq!(of(3), "https://h/runs/42/attempts/3");
        assert_eq!(page("p", None), "p");
    }
}
