//! What a run writes into its GitHub deployment: that it deploys these models. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    event::{Context, LONGEST_JOB, RunId},
    github::Deployment,
};

/// The payload of a deployment of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Claim {
    /// [`RunId`] as text; empty for a command outside of GitHub Actions.
    #[serde(rename = "llm-deploy-run")]
    pub run: String,
    /// GitHub's own address: run numbers of another server say nothing.
    #[serde(default)]
    pub server: String,
    #[serde(default)]
    pub repository_id: Option<u64>,
    /// Random, so that a deployment is found again whose creation was not answered.
    #[serde(default)]
    pub nonce: String,
    /// Image key by model (`project/region/name`).
    pub images: BTreeMap<String, String>,
}

impl Claim {
    pub fn new(context: &Context, images: BTreeMap<String, String>) -> Self {
        Self {
            run: context.run.map(|run| run.to_string()).unwrap_or_default(),
            server: context.server_url.clone(),
            repository_id: context.repository_id,
            nonce: uuid::Uuid::new_v4().simple().to_string(),
            images,
        }
    }

    /// Reads a deployment's payload; `None` when it is not one of ours.
    pub fn of(deployment: &Deployment) -> Option<Self> {
        Self::deserialize(&deployment.payload).ok()
    }

    pub fn run(&self) -> Option<RunId> {
        self.run.parse().ok()
    }
}

/// The run that a deployment names, and the image key of the model at `place`, when the deployment can be that of
/// another run of ours: `own` is this run's. Whether the run exists is another question.
pub fn named(
    other: &Deployment,
    own: &Deployment,
    context: &Context,
    place: &str,
) -> Option<(RunId, String)> {
    let author = own.creator.as_ref()?.id;
    if other.id == own.id || other.creator.as_ref()?.id != author {
        return None;
    }
    let (made, now) = (other.created_at?, own.created_at?);
    let claim = Claim::of(other)?;
    let run = claim.run()?;
    let believable = now - made <= LONGEST_JOB
        && claim.server == context.server_url
        && claim.repository_id == context.repository_id
        && context.run.is_some_and(|own| own.can_meet(run));
    let image_key = claim.images.get(place)?;
    believable.then(|| (run, image_key.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const PLACE: &str = "p/r/qwen";

    fn context() -> Context {
        Context {
            repository_id: Some(7),
            run: "42-0".parse().ok(),
            server_url: "https://github.com".to_owned(),
            ..Context::default()
        }
    }

    fn deployment(id: u64, run: &str) -> Value {
        json!({
            "id": id, "sha": "c0ffee", "created_at": "2026-11-30T12:00:00Z", "creator": {"id": 1, "login": "bot"},
            "payload": {
                "llm-deploy-run": run, "server": "https://github.com", "repository-id": 7, "nonce": "n",
                "images": {PLACE: "key"},
            },
        })
    }

    fn is_believed(other: Value) -> bool {
        let own = serde_json::from_value(deployment(2, "42-0")).unwrap();
        let other = serde_json::from_value(other).unwrap();
        named(&other, &own, &context(), PLACE).is_some()
    }

    #[test]
    fn a_claim_of_another_author_server_repository_place_or_time_is_not_believed() {
        assert!(is_believed(deployment(3, "43-0")));
        assert!(!is_believed(deployment(2, "43-0")), "this run's own");
        for (pointer, value) in [
            ("/creator", json!({"id": 2, "login": "mallory"})),
            ("/creator", Value::Null),
            ("/created_at", json!("2026-11-25T11:59:59Z")),
            ("/created_at", Value::Null),
            ("/payload", json!("{}")),
            ("/payload/server", json!("https://ghe.example.com")),
            ("/payload/server", json!("")),
            ("/payload/repository-id", json!(8)),
            ("/payload/repository-id", Value::Null),
            ("/payload/images", json!({"p/r/other": "key"})),
            ("/payload/llm-deploy-run", json!("99999999999-0")),
            ("/payload/llm-deploy-run", json!("0-0")),
            ("/payload/llm-deploy-run", json!("soon")),
            ("/payload/llm-deploy-run", json!(43)),
        ] {
            let mut other = deployment(3, "43-0");
            *other.pointer_mut(pointer).unwrap() = value.clone();
            assert!(!is_believed(other), "{pointer}: {value}");
        }
    }
}
