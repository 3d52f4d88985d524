//! What production has measured, in the build bucket: a history of one line for each run, the latest ones only, and
//! the last good measurement whole. Only runs for production write here; previews read.
//!
//! It is an aid: when it can't be read or written, that is told once and the run goes on.

pub mod baseline;
mod keep;
mod lines;
#[cfg(test)]
mod testing;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use chrono::Utc;

use super::{
    Services,
    failed::{Blame, Failed},
};
use crate::{
    config::Config,
    explain::Facts,
    google::storage::document::{self, Document, Replaced},
    report::record::Record,
    units::human_bytes,
};

pub use baseline::{Baseline, Instance, Production};
pub use keep::{Kept, Run, deployed, found};

/// 1,000 lines have less than half of it.
const LONGEST_HISTORY: usize = 4 << 20;
/// A load's samples take 300 kB at most, and a sweep has some ten loads.
const LONGEST_BASELINE: usize = 16 << 20;
/// Times that a write is worked out anew because somebody else's came first.
const ROUNDS: u32 = 8;
/// Longest pause before that, so that those who write at the same time don't meet again.
const PAUSE: Duration = Duration::from_millis(800);

/// The place of it all: the build bucket, below `history/<region>/`.
pub struct Store<'a> {
    services: &'a Services,
    project: &'a str,
    region: &'a str,
    bucket: &'a str,
    /// Results of each service that stay.
    kept: usize,
    /// So that what is missing is told once, whatever the number of models.
    warned: AtomicBool,
}

impl<'a> Store<'a> {
    pub fn new(services: &'a Services, config: &'a Config) -> Self {
        Self {
            services,
            project: &config.project,
            region: &config.region,
            bucket: &config.build.bucket,
            kept: usize::try_from(config.schedule.history).unwrap_or(usize::MAX),
            warned: AtomicBool::new(false),
        }
    }

    pub async fn history(&self, service: &str) -> Result<Vec<Record>, Failed> {
        let found = self.read(&self.history_of(service), LONGEST_HISTORY).await?;
        Ok(lines::read(found.as_ref()))
    }

    /// Adds a result, and returns the history with it. A run that is in it already counts once; the latest `keep`
    /// results stay.
    pub async fn append(&self, record: &Record, keep: usize) -> Result<Vec<Record>, Failed> {
        let object = self.history_of(&record.service);
        for _ in 0..ROUNDS {
            let there = self.read(&object, LONGEST_HISTORY).await?;
            self.tell_of_replacement(&object, there.as_ref(), LONGEST_HISTORY);
            let mut all = lines::read(there.as_ref());
            lines::add(&mut all, record.clone(), keep, Utc::now());
            let text = lines::text(&all).map_err(|error| self.unwritable(&object, &error))?;
            if self
                .replace(&object, "application/x-ndjson", text, there.as_ref())
                .await?
            {
                return Ok(all);
            }
        }
        Err(self.busy(&object))
    }

    /// The last good measurement of a production service.
    pub async fn baseline(&self, service: &str) -> Result<Option<Baseline>, Failed> {
        let object = self.baseline_of(service);
        let Some(found) = self.read(&object, LONGEST_BASELINE).await? else {
            return Ok(None);
        };
        let read = match found.is_whole {
            true => Baseline::parse(&found.body),
            false => Err("is larger than any measurement".to_owned()),
        };
        read.map(Some).map_err(|why| {
            let title = format!("gs://{}/{object} can't be compared with", self.bucket);
            Failed::new(Blame::Deployment, title, format!("it {why}"))
        })
    }

    /// Keeps a good measurement, unless a later one is there.
    pub async fn keep_baseline(&self, service: &str, baseline: &Baseline) -> Result<(), Failed> {
        let object = self.baseline_of(service);
        let text = baseline
            .text()
            .map_err(|error| self.unwritable(&object, &error))?;
        if text.len() > LONGEST_BASELINE {
            return Err(self.unwritable(&object, &"the measurement is too large to be kept"));
        }
        for _ in 0..ROUNDS {
            let there = self.read(&object, LONGEST_BASELINE).await?;
            // One that can't be read is replaced, and so is one that is dated in the future.
            self.tell_of_replacement(&object, there.as_ref(), LONGEST_BASELINE);
            let other = there.as_ref().filter(|there| there.is_whole);
            let other = other.and_then(|there| Baseline::parse(&there.body).ok());
            let other = other.filter(|other| !other.is_dated_in_the_future(Utc::now()));
            if other.is_some_and(|other| other.is_later(baseline)) {
                return Ok(());
            }
            if self
                .replace(&object, "application/json", text.clone(), there.as_ref())
                .await?
            {
                return Ok(());
            }
        }
        Err(self.busy(&object))
    }

    fn tell_of_replacement(&self, object: &str, there: Option<&Document>, most: usize) {
        if there.is_some_and(|there| !there.is_whole) {
            let bucket = self.bucket;
            let said = format!(
                "gs://{bucket}/{object} is larger than {}, so it is not llm-deploy's: it is replaced",
                human_bytes(most as u64)
            );
            self.services.progress.warn("history", &said);
        }
    }

    /// Tells what could not be done. Once: several models lack the same thing.
    pub fn warn(&self, failed: Failed) {
        if self.warned.swap(true, Ordering::Relaxed) {
            return;
        }
        let deployer = self.services.environment.get("LLM_DEPLOY_SERVICE_ACCOUNT");
        let facts = Facts::default()
            .with("project", self.project)
            .with("bucket", self.bucket)
            .with("deployer", deployer.unwrap_or_default());
        let failure = failed.explained(&facts).failure;
        let parts = [Some(failure.title), Some(failure.cause), failure.fix];
        let said: Vec<String> = parts
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        self.services.progress.warn("history", &said.join(": "));
    }

    fn history_of(&self, service: &str) -> String {
        format!("history/{}/{service}.jsonl", self.region)
    }

    fn baseline_of(&self, service: &str) -> String {
        format!("history/{}/{service}.baseline.json", self.region)
    }

    async fn read(&self, object: &str, most: usize) -> Result<Option<Document>, Failed> {
        document::read(&self.services.google, self.bucket, object, most)
            .await
            .map_err(|error| Failed::google("read production's history", &error))
    }

    /// False, after a moment, when somebody else's write came first.
    async fn replace(
        &self,
        object: &str,
        content_type: &str,
        text: String,
        there: Option<&Document>,
    ) -> Result<bool, Failed> {
        let text = self
            .services
            .environment
            .masks()
            .redact_document(&text)
            .into_owned();
        if there.is_some_and(|there| there.body == text) {
            return Ok(true);
        }
        let google = &self.services.google;
        let over = there.map(|there| there.generation.as_str());
        let content = (content_type, Bytes::from(text));
        match document::replace(google, self.bucket, object, content, over).await {
            Ok(Replaced::Written) => Ok(true),
            Ok(Replaced::Overtaken) => {
                google.tempo().sleep(PAUSE.mul_f64(fastrand::f64())).await;
                Ok(false)
            }
            Err(error) => Err(Failed::google("write production's history", &error)),
        }
    }

    fn unwritable(&self, object: &str, why: &dyn std::fmt::Display) -> Failed {
        let title = format!("gs://{}/{object} was not written", self.bucket);
        Failed::new(Blame::Service, title, why.to_string())
    }

    fn busy(&self, object: &str) -> Failed {
        self.unwritable(object, &"others write it again and again")
    }
}

#[cfg(test)]
mod tests;
