//! Config and live state → what will be done. Pure: nothing here reads a clock, the network or the environment.

pub mod against;
pub mod cost;
pub mod diff;
pub mod engine;
pub mod fit;
pub mod images;
pub mod limits;
pub mod owner;
pub mod preview_name;
pub mod probe;
pub mod service;
pub mod show;
pub mod target;
pub mod traffic;

use std::time::Duration;

use chrono::{DateTime, Utc};
use diff::Change;
use target::{Stage, Target};

use crate::google::run::types::{Service, TrafficTarget, short_name};

/// What is known before anything is done.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Hugging Face commit that the configured revision means.
    pub commit: String,
    pub weights_bytes: u64,
    /// The image's path in Artifact Registry without tag or digest.
    pub image_path: String,
    /// Content key, which is the image's tag.
    pub image_key: String,
    /// Digest behind that tag; `None` when the image has to be built.
    pub image_digest: Option<String>,
    /// What may go wrong with an image of these files: one sentence each.
    pub image_warnings: Vec<String>,
    pub live: Option<Service>,
}

/// What will be done for one model.
#[derive(Clone, Debug)]
pub struct ModelPlan {
    pub target: Target,
    pub facts: Facts,
    pub action: Action,
    /// Time that the container gets to answer its startup probe.
    pub startup_window: Duration,
    /// For the user: a tight fit, a flag that vLLM does not know …
    pub warnings: Vec<String>,
    pub hourly_cost_usd: Option<f64>,
    /// Of an hour in which nobody calls.
    pub idle_cost_usd: Option<f64>,
}

/// What happens to the service.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Create,
    /// Fields differ; with `new_revision` the template is among them.
    Update {
        changes: Vec<Change>,
        new_revision: bool,
    },
    /// A candidate with this very template is there and ready, but was never given the traffic.
    Resume {
        revision: String,
    },
    /// The newest revision has this very template and is still being brought up, by a run that was stopped or by
    /// one that runs beside this one.
    Wait {
        revision: String,
    },
    /// The newest revision is what the configuration asks for, but somebody moved production's traffic away from it
    /// (a rollback, say). That is theirs to undo: nothing is changed, and the run says so.
    Pinned {
        newest: String,
        /// `r0 gets 70 %, r1 gets 30 %`
        shares: String,
    },
    /// Everything is as it should be.
    Nothing,
}

/// Why a plan can't be carried out.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("{0}")]
    TooLarge(String),
    #[error(
        "Cloud Run service `{service}` belongs to {owner}. Choose another `name:` for this model, or delete that service first"
    )]
    NotOurs { service: String, owner: String },
}

/// Image placeholder in a plan whose image is yet to be built.
const UNBUILT: &str = "(to be built)";

/// Compares what should be with what is.
pub fn make(target: Target, facts: Facts) -> Result<ModelPlan, Refusal> {
    if let Some(live) = &facts.live {
        check_owner(&target, live)?;
    }
    let startup_window = probe::startup_window(&target.model, facts.weights_bytes);
    let mut warnings: Vec<String> = target.model.region_warning(&target.region).into_iter().collect();
    warnings.extend(engine::warnings(&target.model));
    warnings.extend(facts.image_warnings.iter().cloned());
    match fit::check(&target.model, facts.weights_bytes) {
        fit::Fit::TooLarge(why) => return Err(Refusal::TooLarge(why)),
        fit::Fit::Tight(why) => warnings.push(why),
        fit::Fit::Fits | fit::Fit::Unknown => {}
    }
    let hourly_cost_usd = cost::hourly_usd(&target.region, &target.model.service);
    let idle_cost_usd = cost::idle_usd(&target.region, &target.model.service);
    let image = match &facts.image_digest {
        Some(digest) => format!("{}@{digest}", facts.image_path),
        None => format!("{}:{} {UNBUILT}", facts.image_path, facts.image_key),
    };
    let action = action(
        &target,
        &facts,
        &service::desired(&target, &image, startup_window),
    );
    if let (
        Action::Update {
            new_revision: true, ..
        },
        Stage::Production,
        Some(live),
    ) = (&action, &target.stage, &facts.live)
    {
        warnings.extend(traffic::moved_by_hand(live).map(|shares| {
            format!("the traffic was moved by hand ({shares}); the new revision gets all of it once it passes its tests")
        }));
    }
    Ok(ModelPlan {
        target,
        facts,
        action,
        startup_window,
        warnings,
        hourly_cost_usd,
        idle_cost_usd,
    })
}

/// A service of that name which is not the target's own is never touched.
fn check_owner(target: &Target, live: &Service) -> Result<(), Refusal> {
    match owner::foreign(target, &live.labels) {
        Some(owner) => Err(Refusal::NotOurs {
            service: target.service.clone(),
            owner,
        }),
        None => Ok(()),
    }
}

fn action(target: &Target, facts: &Facts, desired: &Service) -> Action {
    let Some(live) = &facts.live else {
        return Action::Create;
    };
    let changes = diff::changes(desired, live);
    let short = |name: &Option<String>| name.as_deref().map(short_name).unwrap_or_default().to_owned();
    if live.reconciling && changes.is_empty() {
        return Action::Wait {
            revision: short(&live.latest_created_revision),
        };
    }
    let newest = short(&live.latest_ready_revision);
    let newest_failed = live.latest_created_revision != live.latest_ready_revision;
    // A preview's newest revision has all of its traffic; what was moved by hand moves back.
    let moved = target.stage != Stage::Production && !traffic::serves_all(live, &newest);
    let new_revision = newest_failed || moved || diff::update_mask(&changes).contains(&"template");
    if new_revision || !changes.is_empty() || expires_soon(target, live) {
        return Action::Update {
            changes,
            new_revision,
        };
    }
    if traffic::serves_all(live, &newest) {
        return Action::Nothing;
    }
    match traffic::moved_by_hand(live) {
        Some(shares) => Action::Pinned { newest, shares },
        None => Action::Resume { revision: newest },
    }
}

/// A preview in use gets its life prolonged once less than half of it is left.
fn expires_soon(target: &Target, live: &Service) -> bool {
    let Stage::Preview {
        expires_at, lifetime, ..
    } = &target.stage
    else {
        return false;
    };
    // A label may hold any time: subtracting never overflows, adding might.
    let gained = |expires: DateTime<Utc>| (*expires_at - expires).to_std().unwrap_or_default();
    target::expiry(&live.labels).is_none_or(|expires| gained(expires) > *lifetime / 2)
}

impl ModelPlan {
    pub fn needs_build(&self) -> bool {
        self.facts.image_digest.is_none()
    }

    /// When the preview will be deleted: one that isn't changed keeps the time that it has.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        let Stage::Preview { expires_at, .. } = self.target.stage else {
            return None;
        };
        let kept = match &self.action {
            Action::Create | Action::Update { .. } => None,
            Action::Resume { .. } | Action::Wait { .. } | Action::Pinned { .. } | Action::Nothing => {
                self.facts.live.as_ref()
            }
        };
        kept.and_then(|live| target::expiry(&live.labels))
            .or(Some(expires_at))
    }

    /// The service as it should be, with the built image. Labels that others put on it stay.
    pub fn desired(&self, digest: &str) -> Service {
        let image = format!("{}@{digest}", self.facts.image_path);
        let mut desired = service::desired(&self.target, &image, self.startup_window);
        if let Some(live) = &self.facts.live {
            let ours = std::mem::replace(&mut desired.labels, live.labels.clone());
            desired.labels.extend(ours);
        }
        desired
    }

    /// Name of the next revision: unique by the service's generation, and the same when a killed run is repeated.
    /// `None` on a first create, where Cloud Run chooses.
    pub fn next_revision(&self, desired: &Service) -> Option<String> {
        let live = self.facts.live.as_ref()?;
        let generation: u64 = live
            .generation
            .as_deref()
            .and_then(|g| g.parse().ok())
            .unwrap_or(0);
        let template = serde_json::to_string(&desired.template).unwrap_or_default();
        let hash = target::short_hash(&template);
        Some(format!(
            "{}-{:05}-{}",
            self.target.service,
            generation + 1,
            &hash[..4]
        ))
    }

    /// Traffic to send with a new revision: production keeps what it has and adds the candidate.
    pub fn traffic(&self, revision: &str) -> Vec<TrafficTarget> {
        match (&self.target.stage, &self.facts.live) {
            (Stage::Production, Some(live)) if !traffic::serving(live).is_empty() => {
                traffic::with_candidate(live, revision)
            }
            (Stage::Production, _) => traffic::all_on(revision),
            (Stage::Preview { .. }, _) => service::desired(&self.target, "", self.startup_window).traffic,
        }
    }

    /// One phrase for each thing that will be done.
    pub fn steps(&self) -> Vec<String> {
        let mut steps = Vec::new();
        if self.needs_build() {
            steps.push("build the image".to_owned());
        }
        let service = &self.target.service;
        match &self.action {
            Action::Create => steps.push(format!("create service {service}")),
            Action::Update {
                new_revision: true, ..
            } => steps.push(format!("make a new revision of {service}")),
            Action::Update { .. } => steps.push(format!("update settings of {service}, same revision")),
            Action::Resume { revision } => {
                steps.push(format!("test revision {revision}, which has no traffic yet"));
            }
            Action::Wait { revision } => {
                steps.push(format!("wait for revision {revision}, which is on its way"));
            }
            Action::Pinned { newest, shares } => {
                steps.push(format!(
                    "stop: the traffic was moved away from {newest} by hand ({shares})"
                ));
            }
            Action::Nothing => {}
        }
        steps
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
