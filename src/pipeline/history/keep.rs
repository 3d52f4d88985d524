//! What a run for production leaves for later ones.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;

use super::{Baseline, Store};
use crate::{
    event::RunId,
    google::storage,
    pipeline::{
        failed::{Blame, Failed},
        recorder::Recorder,
    },
    report::{Status, charts::trend, record::Record},
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

/// What is kept of a test of production as it was found.
pub struct Kept {
    pub record: Record,
    /// With this one at its end; empty when it could not be read or written.
    pub history: Vec<Record>,
}

/// Keeps a deployment's results: those that were measured and have gone into production. Whether that works or not,
/// the verdict stays.
pub async fn deployed(store: &Store<'_>, run: Run<'_>, recorders: &mut [Recorder]) {
    let measured =
        |one: &&mut Recorder| one.report.status == Status::Succeeded && !one.report.latency.is_empty();
    let results = recorders.iter_mut().filter(measured);
    let mut results: Vec<(&mut Recorder, Record)> = results
        .map(|one| {
            let mut record = record(run, one);
            record.deployed = true;
            (one, record)
        })
        .collect();
    keep(store, &mut results).await;
}

/// Keeps what tests of production as it was found came to; true beside one that says something of the service. One
/// that doesn't is in the history as skipped, one that was cancelled isn't.
pub async fn found(store: &Store<'_>, run: Run<'_>, tested: Vec<(&mut Recorder, bool)>) -> Vec<Kept> {
    let mut results: Vec<(&mut Recorder, Record)> = Vec::new();
    for (one, judged) in tested {
        let mut record = record(run, one);
        if !judged && record.status != Status::Cancelled {
            record.status = Status::Skipped;
        }
        results.push((one, record));
    }
    let histories = keep(store, &mut results).await;
    let records = results.into_iter().map(|(_, record)| record);
    records
        .zip(histories)
        .map(|(record, history)| Kept { record, history })
        .collect()
}

fn record(run: Run<'_>, recorder: &Recorder) -> Record {
    let page = run.url.map(|url| page(url, run.id));
    Record::in_run(run.at, run.commit, page.as_deref(), &recorder.report)
}

/// The histories with these results, as far as they could be kept.
async fn keep(store: &Store<'_>, results: &mut [(&mut Recorder, Record)]) -> Vec<Vec<Record>> {
    let nothing = vec![Vec::new(); results.len()];
    if results
        .iter()
        .all(|(_, record)| record.status == Status::Cancelled)
    {
        return nothing;
    }
    let work = async {
        if let Err(failed) = check_bucket(store).await {
            store.warn(failed);
            return None;
        }
        let all = results
            .iter_mut()
            .map(|(recorder, record)| keep_one(store, recorder, record));
        Some(join_all(all).await)
    };
    let limited = tokio::time::timeout(store.services.google.tempo().of(DEADLINE), work);
    match signal::unless_stopped(limited).await {
        Some(Ok(kept)) => kept.unwrap_or(nothing),
        Some(Err(_)) => {
            let title = "production's history was not kept";
            store.warn(Failed::new(Blame::Service, title, "Cloud Storage takes too long"));
            nothing
        }
        // A run that is asked to stop leaves it: the next one has results of its own.
        None => nothing,
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

async fn keep_one(store: &Store<'_>, recorder: &mut Recorder, record: &Record) -> Vec<Record> {
    if record.status == Status::Cancelled {
        return Vec::new();
    }
    let baseline = baseline(recorder);
    let service = record.service.as_str();
    let good = async {
        match &baseline {
            Some(baseline) => store.keep_baseline(service, baseline).await,
            None => Ok(()),
        }
    };
    let (history, good) = futures::join!(store.append(record, store.kept), good);
    if let Err(failed) = good {
        store.warn(failed);
    }
    match history {
        Ok(all) => {
            recorder.report.trend = trend::latest(&all).to_vec();
            all
        }
        Err(failed) => {
            store.warn(failed);
            Vec::new()
        }
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
