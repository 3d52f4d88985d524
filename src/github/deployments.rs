//! Deployments: the box in the pull request that leads to the environment.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{GitHub, Method, Purpose, Repeat, body, encoded};
use super::{error::Error, identity::User};
use crate::report::escape;

/// State of a deployment as GitHub names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Queued,
    Pending,
    InProgress,
    Success,
    Failure,
    Error,
    Inactive,
    /// Any other that GitHub may have.
    #[serde(other)]
    Unknown,
}

impl DeploymentState {
    /// Something is still to come.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::Pending | Self::InProgress | Self::Unknown
        )
    }
}

/// A deployment as GitHub lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployment {
    pub id: u64,
    /// Commit, 40 hex digits.
    #[serde(default)]
    pub sha: String,
    /// What its creator wrote into it, text or JSON. Anyone with write access can create one.
    #[serde(default)]
    pub payload: Value,
    #[serde(default)]
    pub environment: String,
    /// By GitHub's clock.
    pub created_at: Option<DateTime<Utc>>,
    pub creator: Option<User>,
}

/// A status that was made.
#[derive(Deserialize)]
struct Made {
    creator: Option<User>,
}

#[derive(Serialize)]
struct New<'a> {
    #[serde(rename = "ref")]
    git_ref: &'a str,
    environment: &'a str,
    description: &'static str,
    /// GitHub would otherwise merge the default branch into the ref first.
    auto_merge: bool,
    /// Empty: this run is itself one of the checks, waiting for all of them would never end.
    required_contexts: [&'static str; 0],
    transient_environment: bool,
    production_environment: bool,
    payload: &'a Value,
}

#[derive(Serialize)]
struct NewStatus<'a> {
    state: DeploymentState,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_url: Option<&'a str>,
    description: &'a str,
    /// Whether a success sets the environment's earlier deployments inactive.
    auto_inactive: bool,
}

const PERMISSION: &str = "deployments: write";
/// Latest deployments that are looked at; runs at the same time are among them.
const LATEST: u32 = 30;
/// GitHub refuses a longer description.
const DESCRIPTION: usize = 140;

impl GitHub {
    /// Creates a deployment of `git_ref` (a commit, branch or tag). `payload` is stored with it, and is how it is found
    /// again: it has to hold something random.
    ///
    /// # Errors
    /// When GitHub refuses (with the permission that is missing) or can't be reached.
    pub async fn create_deployment(
        &self,
        git_ref: &str,
        environment: &str,
        production: bool,
        transient: bool,
        payload: &Value,
    ) -> Result<Deployment, Error> {
        // As it is sent: it is compared with what is there.
        let mut payload = payload.clone();
        self.masks.redact_json(&mut payload);
        let action = format!("create the deployment to {environment}");
        let purpose = Purpose {
            action: &action,
            permission: PERMISSION,
        };
        let request = New {
            git_ref,
            environment,
            description: "Deployed by llm-deploy",
            auto_merge: false,
            required_contexts: [],
            transient_environment: transient,
            production_environment: production,
            payload: &payload,
        };
        let request = body(&request, purpose)?;
        let route = self.route("deployments");
        self.post_once::<Deployment, _, _>(&request, &route, purpose, || async {
            // A second one would stay in progress for ever. Of two that are the same, the later one is a copy.
            let there = self.deployments(environment).await?;
            let same = there.into_iter().filter(|one| one.payload == payload);
            Ok(same.min_by_key(|one| one.id))
        })
        .await
        .inspect(|made| self.made_by(made.creator.as_ref()))
    }

    /// Adds a status to a deployment. URLs that aren't https (or http on loopback) are left out, the
    /// description is cut to GitHub's 140 characters.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn deployment_status(
        &self,
        id: u64,
        state: DeploymentState,
        environment_url: Option<&str>,
        log_url: Option<&str>,
        description: &str,
    ) -> Result<(), Error> {
        let purpose = Purpose {
            action: "set the deployment's status",
            permission: PERMISSION,
        };
        let safe = |url: Option<&str>| url.filter(|u| escape::safe_url(u).is_some()).map(str::to_owned);
        let (environment_url, log_url) = (safe(environment_url), safe(log_url));
        let description = escape::clip(&escape::line(description), DESCRIPTION);
        let request = NewStatus {
            state,
            environment_url: environment_url.as_deref(),
            log_url: log_url.as_deref(),
            description: &description,
            auto_inactive: true,
        };
        let request = body(&request, purpose)?;
        let route = self.route(&format!("deployments/{id}/statuses"));
        let made: Made = self
            .send(Method::Post(&request), &route, purpose, Repeat::Safe)
            .await?;
        self.made_by(made.creator.as_ref());
        Ok(())
    }

    /// The latest deployments of an environment, newest first.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn deployments(&self, environment: &str) -> Result<Vec<Deployment>, Error> {
        let purpose = Purpose {
            action: "look at the deployments",
            permission: PERMISSION,
        };
        let name = encoded(environment);
        self.get(
            &self.route(&format!("deployments?environment={name}&per_page={LATEST}")),
            purpose,
        )
        .await
    }

    /// The deployments since `since`, newest first: of one environment, or of all. A hundred pages at most.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn deployments_since(
        &self,
        environment: Option<&str>,
        since: DateTime<Utc>,
    ) -> Result<Vec<Deployment>, Error> {
        let purpose = Purpose {
            action: "list the deployments",
            permission: PERMISSION,
        };
        let filter = environment.map(|name| format!("environment={}&", encoded(name)));
        let first = self.route(&format!("deployments?{}per_page=100", filter.unwrap_or_default()));
        let mut all = Vec::new();
        self.pages(first, purpose, |page: Vec<Deployment>| {
            let is_old = |one: &Deployment| one.created_at.is_some_and(|made| made < since);
            let ended = page.iter().any(is_old);
            all.extend(page.into_iter().filter(|one| !is_old(one)));
            match ended {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
        .await?;
        Ok(all)
    }

    /// The state of a deployment; `None` before its first status.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn deployment_state(&self, id: u64) -> Result<Option<DeploymentState>, Error> {
        #[derive(Deserialize)]
        struct Status {
            state: DeploymentState,
        }
        let purpose = Purpose {
            action: "read a deployment's status",
            permission: PERMISSION,
        };
        let route = self.route(&format!("deployments/{id}/statuses?per_page=1"));
        // Newest first.
        let statuses: Vec<Status> = self.get(&route, purpose).await?;
        Ok(statuses.first().map(|status| status.state))
    }

    /// Sets every deployment of an environment inactive.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn deactivate(&self, environment: &str) -> Result<(), Error> {
        let purpose = Purpose {
            action: "set old deployments inactive",
            permission: PERMISSION,
        };
        let name = encoded(environment);
        let first = self.route(&format!("deployments?environment={name}&per_page=100"));
        let mut all = Vec::new();
        self.pages(first, purpose, |page: Vec<Deployment>| {
            all.extend(page.into_iter().map(|one| one.id));
            ControlFlow::Continue(())
        })
        .await?;
        for id in all {
            let route = self.route(&format!("deployments/{id}/statuses"));
            let request = json!({ "state": DeploymentState::Inactive, "description": "Deleted" });
            let outcome = self
                .send::<Made>(Method::Post(&request), &route, purpose, Repeat::Safe)
                .await;
            match outcome {
                Ok(made) => self.made_by(made.creator.as_ref()),
                Err(error) if !error.is_not_found() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(())
    }
}
