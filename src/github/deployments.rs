//! Deployments: the box in the pull request that leads to the environment.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{GitHub, Method, Purpose, Repeat, body};
use super::error::Error;
use crate::report::escape;

/// State of a deployment as GitHub names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Queued,
    Pending,
    InProgress,
    Success,
    Failure,
    Error,
    Inactive,
}

#[derive(Serialize)]
struct New<'a> {
    /// By which it is known again.
    payload: Value,
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

#[derive(Deserialize)]
struct Deployment {
    id: u64,
    /// An object or a string, as whoever made it gave it.
    #[serde(default)]
    payload: Value,
}

const PERMISSION: &str = "deployments: write";
/// Times that a deployment is asked for.
const TRIES: u32 = 3;
/// GitHub refuses a longer description.
const DESCRIPTION: usize = 140;

impl GitHub {
    /// Makes a deployment of `git_ref` (a commit, branch or tag) and gives its id.
    ///
    /// # Errors
    /// When GitHub refuses (with the permission that is missing) or can't be reached.
    pub async fn create_deployment(
        &self,
        git_ref: &str,
        environment: &str,
        production: bool,
        transient: bool,
    ) -> Result<u64, Error> {
        let action = format!("create the deployment to {environment}");
        let purpose = Purpose {
            action: &action,
            permission: PERMISSION,
        };
        let mark = uuid::Uuid::new_v4().to_string();
        let request = New {
            payload: json!({ "id": mark }),
            git_ref,
            environment,
            description: "Deployed by llm-deploy",
            auto_merge: false,
            required_contexts: [],
            transient_environment: transient,
            production_environment: production,
        };
        let request = body(&request, purpose)?;
        let route = self.route("deployments");
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self
                .send::<Deployment>(Method::Post(&request), &route, purpose, Repeat::Never)
                .await;
            let error = match outcome {
                Ok(made) => return Ok(made.id),
                Err(error) if !error.is_ambiguous() => return Err(error),
                Err(error) => error,
            };
            self.tempo.sleep(self.pause * tries).await;
            // It may have been made all the same: a second one would stay in progress for ever.
            match self.newest(environment, purpose).await? {
                Some(there) if there.payload["id"] == mark.as_str() => return Ok(there.id),
                _ if tries == TRIES => return Err(error),
                _ => {}
            }
        }
    }

    async fn newest(&self, environment: &str, purpose: Purpose<'_>) -> Result<Option<Deployment>, Error> {
        let name = percent_encoding::utf8_percent_encode(environment, percent_encoding::NON_ALPHANUMERIC);
        let route = self.route(&format!("deployments?environment={name}&per_page=1"));
        let (page, _) = self.page::<Deployment>(&route, purpose).await?;
        Ok(page.into_iter().next())
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
        self.send::<Value>(Method::Post(&request), &route, purpose, Repeat::Safe)
            .await
            .map(drop)
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
        let name = percent_encoding::utf8_percent_encode(environment, percent_encoding::NON_ALPHANUMERIC);
        let mut next = Some(self.route(&format!("deployments?environment={name}&per_page=100")));
        while let Some(route) = next {
            let (page, following) = self.page::<Deployment>(&route, purpose).await?;
            for deployment in page {
                let route = self.route(&format!("deployments/{}/statuses", deployment.id));
                let request = json!({ "state": DeploymentState::Inactive, "description": "Deleted" });
                let outcome = self
                    .send::<Value>(Method::Post(&request), &route, purpose, Repeat::Safe)
                    .await;
                match outcome {
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => {}
                }
            }
            next = following;
        }
        Ok(())
    }
}
