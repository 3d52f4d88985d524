//! The other runs of an environment, as far as their GitHub deployments tell. Looks are counted: a repository has
//! 1,000 requests an hour for all of its jobs.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::Instant};

use super::optional::Optional;
use crate::{
    github::{Deployment, DeploymentState, Error, GitHub},
    plan::rank::Rank,
    progress::Progress,
};

/// What a run writes into its GitHub deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Claim {
    #[serde(rename = "llm-deploy-run")]
    pub run: String,
    /// Image key by model (`project/region/name`).
    pub images: BTreeMap<String, String>,
}

impl Claim {
    /// `None` when it is not one of ours.
    pub fn of(deployment: &Deployment) -> Option<Self> {
        Self::deserialize(&deployment.payload).ok()
    }

    pub fn rank(&self) -> Option<Rank> {
        self.run.parse().ok()
    }
}

/// A run that has taken a target over.
#[derive(Debug, PartialEq, Eq)]
pub struct Newer {
    pub commit: String,
    /// Key of the image that it needs, as far as it is known.
    pub image_key: Option<String>,
}

/// The deployments of one environment. Without a GitHub token there are none to be seen.
pub struct Others<'a> {
    pub github: Option<&'a GitHub>,
    environment: &'a str,
    progress: &'a dyn Progress,
    /// So that a permission that is missing is told once.
    optional: &'a Optional,
    /// Held while looking, so that all models of a run look once.
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    deployments: Vec<Deployment>,
    at: Option<Instant>,
    /// Failed or given up, which they stay.
    over: HashSet<u64>,
    /// The token may not look, now or later.
    refused: bool,
}

impl<'a> Others<'a> {
    pub fn new(
        github: Option<&'a GitHub>,
        environment: &'a str,
        progress: &'a dyn Progress,
        optional: &'a Optional,
    ) -> Self {
        Self {
            github,
            environment,
            progress,
            optional,
            seen: Mutex::default(),
        }
    }

    /// A run of a higher rank that has deployed to `place`, or is at it. A look that another model took less than
    /// `age` ago will do.
    pub async fn newer(&self, rank: Rank, place: &str, age: Duration) -> Option<Newer> {
        let mut seen = self.seen.lock().await;
        self.look(&mut seen, age).await;
        let Seen {
            deployments, over, ..
        } = &mut *seen;
        for deployment in deployments.iter() {
            let claim = Claim::of(deployment).filter(|claim| claim.rank() > Some(rank));
            let Some(image_key) = claim.and_then(|claim| claim.images.get(place).cloned()) else {
                continue;
            };
            if over.contains(&deployment.id) {
                continue;
            }
            match self.state(deployment.id).await {
                // One that failed or was given up leaves the target to this run.
                Ok(Some(DeploymentState::Failure | DeploymentState::Error | DeploymentState::Inactive)) => {
                    over.insert(deployment.id);
                }
                Ok(_) => {
                    return Some(Newer {
                        commit: deployment.sha.clone(),
                        image_key: Some(image_key),
                    });
                }
                // Unknown: should it be at work, it puts its own over this run's in the end.
                Err(()) => {}
            }
        }
        None
    }

    /// The latest deployments, as they are now.
    pub async fn all(&self) -> Vec<Deployment> {
        let mut seen = self.seen.lock().await;
        self.look(&mut seen, Duration::ZERO).await;
        seen.deployments.clone()
    }

    async fn look(&self, seen: &mut Seen, age: Duration) {
        let Some(github) = self.github.filter(|_| !seen.refused) else {
            return;
        };
        if seen.at.is_some_and(|at| at.elapsed() < age) {
            return;
        }
        seen.deployments = match github.deployments(self.environment).await {
            Ok(found) => found,
            Err(error) => {
                seen.refused = matches!(error.http_status(), Some(401 | 403 | 404));
                self.warn("other runs can't be seen", &error);
                Vec::new()
            }
        };
        seen.at = Some(Instant::now());
    }

    /// `Ok(None)` before the first one. The error has been told.
    pub async fn state(&self, id: u64) -> Result<Option<DeploymentState>, ()> {
        let Some(github) = self.github else {
            return Ok(None);
        };
        let state = github.deployment_state(id).await;
        state.map_err(|error| self.warn("other runs can't be seen", &error))
    }

    pub fn warn(&self, what: &str, error: &Error) {
        self.optional.tell(self.progress, &format!("{what}: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        environment::Environment,
        google::testing::{Asked, Scripted, Server, answer},
        progress::Silent,
    };

    const PLACE: &str = "p/r/qwen";
    const MINUTE: Duration = Duration::from_secs(60);

    fn rank(text: &str) -> Rank {
        text.parse().unwrap()
    }

    fn github(server: &Server) -> GitHub {
        let environment: Environment = [
            ("GITHUB_API_URL", server.base.as_str()),
            ("GITHUB_REPOSITORY", "octo/app"),
        ]
        .into_iter()
        .collect();
        GitHub::new(&environment, &"token".into()).unwrap()
    }

    /// Runs 43 and 44, newest first, whose states are asked for below `/44/` and `/43/`.
    async fn server(state: impl Fn(&str) -> Scripted + Send + Sync + 'static) -> Server {
        let deployment = |run: u64| -> Value {
            let claim = json!({"llm-deploy-run": format!("{run}-0"), "images": {PLACE: "key"}});
            json!({"id": run, "sha": format!("sha-{run}"), "payload": claim})
        };
        let list = json!([deployment(44), deployment(43)]);
        Server::start(move |asked: &Asked| match asked.line.contains("/statuses") {
            true => state(&asked.line),
            false => answer(200, list.clone()),
        })
        .await
    }

    fn is(state: &str) -> Scripted {
        answer(200, json!([{"state": state}]))
    }

    #[tokio::test]
    async fn models_that_look_at_the_same_time_look_once() {
        let server = server(|_| is("failure")).await;
        let (github, optional) = (github(&server), Optional::new("left out", "deployments: write"));
        let others = Others::new(Some(&github), "production", &Silent, &optional);
        for _ in 0..10 {
            assert_eq!(others.newer(rank("42-0"), PLACE, MINUTE).await, None);
        }
        assert_eq!(server.lines().len(), 3, "{:?}", server.lines());
        others.newer(rank("42-0"), PLACE, Duration::ZERO).await;
        assert_eq!(server.lines().len(), 4, "what has failed was asked for again");
    }

    #[tokio::test]
    async fn a_token_that_may_not_look_is_not_used_again_and_again() {
        let refused = json!({"message": "Resource not accessible by integration"});
        let server = Server::start(move |_| answer(403, refused.clone())).await;
        let (github, optional) = (github(&server), Optional::new("left out", "deployments: write"));
        let others = Others::new(Some(&github), "production", &Silent, &optional);
        for _ in 0..10 {
            assert_eq!(others.newer(rank("42-0"), PLACE, Duration::ZERO).await, None);
        }
        assert_eq!(server.lines().len(), 1);
    }

    #[tokio::test]
    async fn a_newer_run_of_unknown_state_ends_no_older_one() {
        let server = server(|line| match line.contains("/44/") {
            true => answer(403, json!({"message": "No."})),
            false => is("in_progress"),
        })
        .await;
        let (github, optional) = (github(&server), Optional::new("left out", "deployments: write"));
        let others = Others::new(Some(&github), "production", &Silent, &optional);
        assert_eq!(others.newer(rank("43-0"), PLACE, MINUTE).await, None);
        let newer = others.newer(rank("42-0"), PLACE, MINUTE).await.unwrap();
        assert_eq!(newer.commit, "sha-43");
    }
}
