//! What is held of a service and its revisions, and how it is shown.

use std::{collections::BTreeMap, sync::Arc};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    backend::Backend,
    conditions::{self, RECONCILING},
    front::{Front, TagFront},
    traffic::{self, Share},
};

/// Which service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub project: String,
    pub region: String,
    pub service: String,
}

impl Id {
    pub fn parent(&self) -> String {
        format!("projects/{}/locations/{}", self.project, self.region)
    }

    pub fn name(&self) -> String {
        format!("{}/services/{}", self.parent(), self.service)
    }
}

/// A revision; its template never changes.
pub struct Revision {
    pub name: String,
    pub template: Value,
    pub conditions: Vec<Value>,
    pub reconciling: bool,
    pub ready: bool,
    pub uid: String,
    pub created: String,
    pub updated: String,
    pub backend: Arc<Backend>,
}

/// A service.
pub struct Service {
    pub id: Id,
    /// What callers set, with the defaults.
    pub spec: Value,
    pub uid: String,
    pub creator: String,
    pub created: String,
    pub updated: String,
    pub generation: u64,
    pub observed: u64,
    pub etag: String,
    pub reconciling: bool,
    pub terminal: Vec<Value>,
    pub conditions: Vec<Value>,
    pub revisions: IndexMap<String, Revision>,
    pub latest_created: String,
    pub latest_ready: Option<String>,
    /// How many revisions were ever made; part of their names.
    pub made: u64,
    /// What is served now.
    pub shares: Vec<Share>,
    pub front: Arc<Front>,
    pub tags: BTreeMap<String, TagFront>,
    pub policy: Value,
    /// One rollout at a time.
    pub rollout: Arc<tokio::sync::Mutex<()>>,
    pub stop: CancellationToken,
}

/// A new etag, in quotes as Cloud Run's are.
pub fn etag() -> String {
    format!("\"{}\"", uuid::Uuid::new_v4().simple())
}

impl Service {
    /// `GoogleCloudRunV2Service`, as a read answers it.
    pub fn view(&self) -> Value {
        let full = |revision: &str| format!("{}/revisions/{revision}", self.id.name());
        let mut view = Map::new();
        view.insert("name".to_owned(), json!(self.id.name()));
        view.insert("uid".to_owned(), json!(self.uid));
        view.insert("generation".to_owned(), json!(self.generation.to_string()));
        view.extend(self.spec.as_object().cloned().unwrap_or_default());
        let output = json!({
            "createTime": self.created, "updateTime": self.updated,
            "creator": self.creator, "lastModifier": self.creator,
            "observedGeneration": self.observed.to_string(),
            "terminalCondition": self.terminal.first(),
            "conditions": self.conditions,
            "latestCreatedRevision": full(&self.latest_created),
            "uri": self.front.url, "urls": [self.front.url], "etag": self.etag,
        });
        view.extend(output.as_object().cloned().unwrap_or_default());
        if let Some(ready) = &self.latest_ready {
            view.insert("latestReadyRevision".to_owned(), json!(full(ready)));
        }
        if self.reconciling {
            view.insert("reconciling".to_owned(), json!(true));
        }
        let url = |tag: &str| self.tags.get(tag).map(|t| t.url.clone());
        view.insert(
            "trafficStatuses".to_owned(),
            json!(traffic::statuses(&self.shares, &url)),
        );
        Value::Object(view)
    }

    /// `GoogleCloudRunV2Revision`.
    pub fn revision_view(&self, revision: &Revision) -> Value {
        let mut view = revision.template.clone();
        for template_only in ["revision", "healthCheckDisabled"] {
            if let Some(map) = view.as_object_mut() {
                map.shift_remove(template_only);
            }
        }
        let log = format!(
            "https://console.cloud.google.com/logs/viewer?project={}&resource=cloud_run_revision/service_name/{}\
             /revision_name/{}",
            self.id.project, self.id.service, revision.name
        );
        view["name"] = json!(format!("{}/revisions/{}", self.id.name(), revision.name));
        view["service"] = json!(self.id.service);
        view["uid"] = json!(revision.uid);
        view["generation"] = json!("1");
        view["observedGeneration"] = json!("1");
        view["createTime"] = json!(revision.created);
        view["updateTime"] = json!(revision.updated);
        view["launchStage"] = self.spec["launchStage"].clone();
        view["creator"] = json!(self.creator);
        view["conditions"] = json!(revision.conditions);
        view["logUri"] = json!(log);
        if revision.reconciling {
            view["reconciling"] = json!(true);
        }
        view
    }

    /// Starts a change: a new generation that is not yet observed.
    pub fn begin(&mut self) {
        self.generation += 1;
        self.etag = etag();
        self.updated = conditions::now();
        self.reconciling = true;
        for kind in ["RoutesReady", "ConfigurationsReady"] {
            conditions::set(&mut self.conditions, kind, RECONCILING, "");
        }
        conditions::set(&mut self.terminal, "Ready", RECONCILING, "");
    }

    /// Whether a revision gets traffic or has a tag, in what is served or asked for.
    pub fn is_referenced(&self, revision: &str) -> bool {
        let asked = self.spec["traffic"].as_array().into_iter().flatten();
        self.shares.iter().any(|s| s.revision == revision)
            || asked.into_iter().any(|t| t["revision"] == revision)
    }

    /// A name for the next revision, as Cloud Run makes them: `svc-00001-abc`.
    pub fn next_name(&self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz";
        let tail: String = (0..3)
            .map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())]))
            .collect();
        format!("{}-{:05}-{tail}", self.id.service, self.made + 1)
    }
}
