//! A log in Cloud Logging, one entry a line.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::Read;
use crate::google::{
    client::Client,
    cloud_build::Build,
    error::Error,
    logging::{self, quoted},
};

/// How much later than a newer one an entry may come and still be shown: entries are not stored in their order.
const LATE: TimeDelta = TimeDelta::seconds(60);

pub struct Entries {
    project: String,
    build: String,
    /// The build's creation, then what is not looked at again.
    from: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
    /// What was passed on, at or after `from`.
    shown: HashMap<String, DateTime<Utc>>,
    last_line: String,
}

impl Entries {
    pub fn new(project: &str, build: &Build) -> Self {
        Self {
            project: project.to_owned(),
            build: build.id.clone(),
            from: build.create_time.as_deref().and_then(|t| t.parse().ok()),
            newest: None,
            shown: HashMap::new(),
            last_line: String::new(),
        }
    }

    /// Reads every page of what is new. It is whole when the last line is one that ends a build's log.
    pub async fn read(&mut self, c: &Client, on_line: &(dyn Fn(&str) + Sync)) -> Result<Read, Error> {
        let filter = self.filter();
        let mut page = String::new();
        let mut new = false;
        loop {
            let what = format!("read the log of build `{}` in Cloud Logging", self.build);
            let query = logging::Query {
                project: &self.project,
                filter: &filter,
                newest_first: false,
                size: 1000,
            };
            let found = logging::page(c, &query, &page, what).await?;
            for entry in found.entries {
                new |= self.show(entry, on_line);
            }
            if found.next_page_token.is_empty() {
                break;
            }
            page = found.next_page_token;
        }
        self.forget();
        let whole = is_end(&self.last_line);
        Ok(Read { whole, new })
    }

    /// True when it was not shown before.
    fn show(&mut self, entry: logging::Entry, on_line: &(dyn Fn(&str) + Sync)) -> bool {
        let time = entry.timestamp.parse().unwrap_or_default();
        // Entries are the same when both are.
        let key = format!("{} {}", entry.timestamp, entry.insert_id);
        if self.shown.insert(key, time).is_some() {
            return false;
        }
        self.newest = self.newest.max(Some(time));
        for line in logging::text(entry).unwrap_or_default().lines() {
            on_line(line);
            line.clone_into(&mut self.last_line);
        }
        true
    }

    /// Moves the cursor on, behind it as far as entries may be late.
    fn forget(&mut self) {
        let Some(from) = self
            .newest
            .map(|newest| newest - LATE)
            .filter(|f| Some(*f) > self.from)
        else {
            return;
        };
        self.from = Some(from);
        self.shown.retain(|_, time| *time >= from);
    }

    /// As gcloud asks for it.
    fn filter(&self) -> String {
        let mut terms = vec![
            format!(
                "logName={}",
                quoted(&format!("projects/{}/logs/cloudbuild", self.project))
            ),
            "resource.type=\"build\"".to_owned(),
        ];
        if let Some(from) = self.from {
            let from = from.to_rfc3339_opts(SecondsFormat::Nanos, true);
            terms.push(format!("timestamp>={}", quoted(&from)));
        }
        terms.push(format!("resource.labels.build_id={}", quoted(&self.build)));
        terms.join(" AND ")
    }
}

/// Cloud Build's worker ends each log with one of these.
fn is_end(line: &str) -> bool {
    line == "DONE" || line.starts_with("ERROR: ")
}
