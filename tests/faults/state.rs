//! What is there after a run, without what differs from run to run.

use std::collections::BTreeMap;

use llm_deploy_emulator::github;
use serde_json::{Value, json};

use crate::{
    others,
    world::{OTHER_REGION, PROJECT, REGION, World},
};

#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// By region and name.
    pub services: BTreeMap<String, Service>,
    pub buckets: Vec<String>,
    pub repositories: Vec<String>,
    pub builds: Builds,
    /// First lines of the comments on the pull request.
    pub comments: Vec<String>,
    /// Environment and last state of each deployment at GitHub.
    pub deployments: Vec<(String, Option<String>)>,
    /// What belongs to others.
    pub others: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub labels: Value,
    /// The template without the revision's name.
    pub template: Value,
    pub scaling: Value,
    pub revisions: usize,
    /// Share in percent of the newest revision, and of all others.
    pub traffic: (i64, i64),
    /// Whether the newest revision is the one that is ready.
    pub ready: bool,
    /// Revisions without traffic that keep an instance running.
    pub billed_for_nothing: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Builds {
    pub succeeded: usize,
    pub under_way: usize,
    pub ended_otherwise: usize,
}

impl Builds {
    pub fn all(self) -> usize {
        self.succeeded + self.under_way + self.ended_otherwise
    }
}

impl State {
    pub async fn of(world: &World) -> Self {
        let emulator = &world.emulator.emulator;
        let parent = format!("projects/{PROJECT}/locations/{REGION}");
        let names = |list: &Value| -> Vec<String> {
            let items = list.as_array().into_iter().flatten();
            items
                .map(|item| item["name"].as_str().unwrap().to_owned())
                .collect()
        };
        let buckets = world
            .get(&format!("/storage/storage/v1/b?project={PROJECT}"))
            .await;
        let repositories = world
            .get(&format!("/artifactregistry/v1/{parent}/repositories"))
            .await;
        let mut services = BTreeMap::new();
        for region in [REGION, OTHER_REGION] {
            let path = format!("/run/v2/projects/{PROJECT}/locations/{region}/services");
            let list = world.get(&path).await;
            for service in list["services"].as_array().into_iter().flatten() {
                let name = service["name"].as_str().unwrap();
                let revisions = world.get(&format!("/run/v2/{name}/revisions")).await;
                let revisions = revisions["revisions"].as_array().cloned().unwrap_or_default();
                let key = format!("{region}/{}", short(&service["name"]));
                if !others::SERVICES.iter().any(|(name, _)| key.ends_with(name)) {
                    services.insert(key, Service::of(service, &revisions));
                }
            }
        }
        let mut comments = emulator.github.comments(github::REPOSITORY, github::PULL_REQUEST);
        comments.retain(|comment| comment.user == "github-actions[bot]");
        let deployments = emulator.github.deployments(github::REPOSITORY);
        Self {
            services,
            buckets: names(&buckets["items"]),
            repositories: names(&repositories["repositories"]),
            builds: builds(&emulator.builds.all()),
            comments: comments.iter().map(|c| heading(&c.body)).collect(),
            deployments: deployments
                .into_iter()
                .map(|d| (d.environment, d.states.last().cloned()))
                .collect(),
            others: others::now(world).await,
        }
    }

    /// The same without what belongs to others, which no two worlds have alike.
    pub fn own(&self) -> Self {
        Self {
            others: Vec::new(),
            ..self.clone()
        }
    }

    /// The same, as far as Google knows.
    pub fn google(&self) -> Self {
        Self {
            comments: Vec::new(),
            deployments: Vec::new(),
            others: Vec::new(),
            ..self.clone()
        }
    }

    pub fn revisions(&self) -> usize {
        self.services.values().map(|s| s.revisions).sum()
    }

    /// Deployments that look as if something were still going on.
    pub fn unfinished(&self) -> usize {
        let busy = |state: &Option<String>| {
            !matches!(
                state.as_deref(),
                Some("success" | "failure" | "error" | "inactive")
            )
        };
        self.deployments.iter().filter(|(_, state)| busy(state)).count()
    }
}

impl Service {
    fn of(service: &Value, revisions: &[Value]) -> Self {
        let mut template = service["template"].clone();
        template.as_object_mut().unwrap().remove("revision");
        template["labels"] = lasting(template["labels"].take());
        let newest = short(&service["latestCreatedRevision"]);
        let mut traffic = (0, 0);
        let mut shares = BTreeMap::new();
        for status in service["trafficStatuses"].as_array().into_iter().flatten() {
            let percent = status["percent"].as_i64().unwrap_or(0);
            let revision = match short(&status["revision"]) {
                none if none.is_empty() => short(&service["latestReadyRevision"]),
                named => named,
            };
            if revision == newest {
                traffic.0 += percent;
            } else {
                traffic.1 += percent;
            }
            *shares.entry(revision).or_insert(0) += percent;
        }
        let idle = |r: &&Value| {
            let min = r["scaling"]["minInstanceCount"].as_i64().unwrap_or(0);
            min > 0 && shares.get(&short(&r["name"])).is_none_or(|percent| *percent == 0)
        };
        Self {
            labels: lasting(service["labels"].clone()),
            template,
            scaling: service["scaling"].clone(),
            revisions: revisions.len(),
            traffic,
            ready: service["latestReadyRevision"] == service["latestCreatedRevision"],
            billed_for_nothing: revisions.iter().filter(idle).count(),
        }
    }
}

fn builds(all: &[Value]) -> Builds {
    let mut counted = Builds::default();
    for build in all {
        match build["status"].as_str() {
            Some("SUCCESS") => counted.succeeded += 1,
            Some("PENDING" | "QUEUED" | "WORKING") => counted.under_way += 1,
            _ => counted.ended_otherwise += 1,
        }
    }
    counted
}

/// Labels without the time at which a preview ends, and without the run: which of the two runs it was is not the same
/// in every case.
fn lasting(mut labels: Value) -> Value {
    if let Some(labels) = labels.as_object_mut() {
        labels.retain(|name, _| !name.contains("expires") && name != "llm-deploy-run");
    }
    labels
}

fn short(name: &Value) -> String {
    let name = name.as_str().unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

/// What the comment says of the outcome, without figures and addresses.
fn heading(body: &str) -> String {
    let line = body.lines().find(|l| l.starts_with('#')).unwrap_or_default();
    // The others say it of a preview that the run before has deleted.
    let gone = ["Preview deleted", "Nothing to delete", "Plan only"];
    if gone.iter().any(|words| line.contains(words)) {
        return "the preview is gone".to_owned();
    }
    line.to_owned()
}

pub fn brief(state: &State) -> Value {
    let services: BTreeMap<_, _> = state
        .services
        .iter()
        .map(|(name, s)| (name, json!([s.revisions, s.traffic, s.ready])))
        .collect();
    json!({
        "services": services, "builds": format!("{:?}", state.builds), "buckets": state.buckets.len(),
        "repositories": state.repositories.len(), "comments": state.comments, "deployments": state.deployments,
    })
}
