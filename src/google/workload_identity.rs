//! IAM: workload identity pools and their OIDC providers. Both are kept for 30 days after they were deleted, in
//! the state `DELETED`, and their names can't be taken in that time.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    client::Client,
    error::Error,
    operation::{Operation, Waited, wait},
    request::{Request, segment},
};
use crate::environment::Api;

/// Making a pool or a provider takes seconds.
const DEADLINE: Duration = Duration::from_secs(180);

/// A pool that is there, or was deleted within the last 30 days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Pool {
    pub state: State,
    pub disabled: bool,
}

/// Whether a pool or a provider is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    #[default]
    Active,
    Deleted,
    #[serde(other)]
    Unknown,
}

/// An OIDC provider: whose tokens are taken, what is read from them, and which of them are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Provider {
    #[serde(skip_serializing)]
    pub state: State,
    pub disabled: bool,
    pub display_name: String,
    pub description: String,
    pub attribute_mapping: BTreeMap<String, String>,
    pub attribute_condition: String,
    pub oidc: Oidc,
}

/// The issuer of the tokens. Without audiences of its own a provider takes its own full name as the audience.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Oidc {
    pub issuer_uri: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_audiences: Vec<String>,
}

/// A provider by the ids of project, pool and provider.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    pub project: &'a str,
    pub pool: &'a str,
    pub provider: &'a str,
}

impl Name<'_> {
    fn pools(&self) -> String {
        format!(
            "v1/projects/{}/locations/global/workloadIdentityPools",
            segment(self.project)
        )
    }

    fn pool(&self) -> String {
        format!("{}/{}", self.pools(), segment(self.pool))
    }

    fn provider(&self) -> String {
        format!("{}/providers/{}", self.pool(), segment(self.provider))
    }

    fn of_pool(&self, verb: &str) -> String {
        format!("{verb} the workload identity pool `{}`", self.pool)
    }

    fn of_provider(&self, verb: &str) -> String {
        format!("{verb} the workload identity provider `{}`", self.provider)
    }
}

/// `None` when there never was one, or it is gone for good.
pub async fn find_pool(c: &Client, name: &Name<'_>) -> Result<Option<Pool>, Error> {
    c.find(Request::get(Api::Iam, name.pool(), name.of_pool("look at")))
        .await
}

/// `None` when there never was one, or it is gone for good.
pub async fn find_provider(c: &Client, name: &Name<'_>) -> Result<Option<Provider>, Error> {
    c.find(Request::get(
        Api::Iam,
        name.provider(),
        name.of_provider("look at"),
    ))
    .await
}

/// Makes the pool; one that is there stays as it is.
pub async fn create_pool(c: &Client, name: &Name<'_>, description: &str) -> Result<(), Error> {
    let body = json!({"displayName": "llm-deploy", "description": description});
    let request = Request::new(Api::Iam, Method::POST, name.pools(), name.of_pool("create"))
        .query("workloadIdentityPoolId", name.pool)
        .json(&body)?;
    change(c, request).await
}

/// Brings a pool back that was deleted within the last 30 days.
pub async fn undelete_pool(c: &Client, name: &Name<'_>) -> Result<(), Error> {
    let path = format!("{}:undelete", name.pool());
    let request = Request::new(Api::Iam, Method::POST, path, name.of_pool("restore")).json(&json!({}))?;
    match change(c, request).await {
        // Our own first try had its effect, or somebody else was quicker.
        Err(error) if error.is_user_fixable() => match find_pool(c, name).await? {
            Some(pool) if pool.state == State::Active => Ok(()),
            _ => Err(error),
        },
        done => done,
    }
}

/// Lets a disabled pool be used again.
pub async fn enable_pool(c: &Client, name: &Name<'_>) -> Result<(), Error> {
    let request = Request::new(Api::Iam, Method::PATCH, name.pool(), name.of_pool("enable"))
        .query("updateMask", "disabled")
        .json(&json!({"disabled": false}))?;
    change(c, request).await
}

/// Makes the provider; one that is there stays as it is.
pub async fn create_provider(c: &Client, name: &Name<'_>, provider: &Provider) -> Result<(), Error> {
    let path = format!("{}/providers", name.pool());
    let request = Request::new(Api::Iam, Method::POST, path, name.of_provider("create"))
        .query("workloadIdentityPoolProviderId", name.provider)
        .json(provider)?;
    change(c, request).await
}

/// Brings a provider back that was deleted within the last 30 days.
pub async fn undelete_provider(c: &Client, name: &Name<'_>) -> Result<(), Error> {
    let path = format!("{}:undelete", name.provider());
    let request = Request::new(Api::Iam, Method::POST, path, name.of_provider("restore")).json(&json!({}))?;
    match change(c, request).await {
        Err(error) if error.is_user_fixable() => match find_provider(c, name).await? {
            Some(provider) if provider.state == State::Active => Ok(()),
            _ => Err(error),
        },
        done => done,
    }
}

/// Gives the provider this issuer, mapping and condition, and enables it.
pub async fn patch_provider(c: &Client, name: &Name<'_>, provider: &Provider) -> Result<(), Error> {
    let request = Request::new(
        Api::Iam,
        Method::PATCH,
        name.provider(),
        name.of_provider("change"),
    )
    .query("updateMask", "disabled,attributeMapping,attributeCondition,oidc")
    .json(provider)?;
    change(c, request).await
}

/// Sends a request that ends in the same state however often it is sent: what is there already (409) is fine.
async fn change(c: &Client, request: Request<'_>) -> Result<(), Error> {
    let what = request.what.clone();
    let operation: Operation = match c.json(request.repeatable()).await {
        Ok(operation) => operation,
        Err(error) if error.http_status() == Some(409) && !error.is_aborted() => return Ok(()),
        Err(error) => return Err(error),
    };
    let waited = Waited {
        api: Api::Iam,
        version: "v1/",
        can_wait: false,
        what: &what,
        until: c.deadline(DEADLINE),
    };
    wait(c, &waited, operation).await.map(drop)
}
