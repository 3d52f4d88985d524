//! IAM: service accounts.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    client::Client,
    error::Error,
    request::{Request, segment},
};
use crate::environment::Api;

/// A service account that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServiceAccount {
    /// Nobody can act as it.
    pub disabled: bool,
}

/// `None` when there is no such account.
pub async fn find(c: &Client, project: &str, email: &str) -> Result<Option<ServiceAccount>, Error> {
    let what = format!("look at the service account `{email}`");
    c.find(Request::get(Api::Iam, path(project, email), what)).await
}

/// Makes the account; one that is there stays as it is. `id` is the part of its address before the `@`.
pub async fn create(c: &Client, project: &str, id: &str, display_name: &str) -> Result<(), Error> {
    let request = Request::new(
        Api::Iam,
        Method::POST,
        format!("v1/projects/{}/serviceAccounts", segment(project)),
        format!("create the service account `{id}`"),
    )
    .json(&json!({"accountId": id, "serviceAccount": {"displayName": display_name}}))?
    .repeatable();
    c.send(request, &[409]).await.map(drop)
}

/// Lets a disabled account be used again.
pub async fn enable(c: &Client, project: &str, email: &str) -> Result<(), Error> {
    let request = Request::new(
        Api::Iam,
        Method::POST,
        format!("{}:enable", path(project, email)),
        format!("enable the service account `{email}`"),
    )
    .json(&json!({}))?
    .repeatable();
    c.send(request, &[]).await.map(drop)
}

pub(super) fn path(project: &str, email: &str) -> String {
    format!(
        "v1/projects/{}/serviceAccounts/{}",
        segment(project),
        segment(email)
    )
}
