//! Secret Manager: whether a secret is there, and a new one's first value. Values are read by Cloud Build and Cloud
//! Run, never by us.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::Client,
    error::Error,
    request::{Request, segment},
};
use crate::environment::Api;

/// Whether the version (a number, an alias or `latest`) exists and is enabled. Reads metadata only.
pub async fn version_enabled(c: &Client, project: &str, secret: &str, version: &str) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(default)]
        state: String,
    }
    let path = format!(
        "v1/projects/{}/secrets/{}/versions/{}",
        segment(project),
        segment(secret),
        segment(version)
    );
    let what = format!("look at version `{version}` of the secret `{secret}`");
    let found: Option<Version> = c.find(Request::get(Api::SecretManager, path, what)).await?;
    Ok(found.is_some_and(|v| v.state == "ENABLED"))
}

/// Whether the secret is there, with a value or without.
pub async fn exists(c: &Client, project: &str, secret: &str) -> Result<bool, Error> {
    let what = format!("look at the secret `{secret}`");
    let request = Request::get(Api::SecretManager, path(project, secret), what);
    let found: Option<Value> = c.find(request).await?;
    Ok(found.is_some())
}

/// Makes the secret, replicated by Google, without a value; one that is there stays as it is.
pub async fn create(c: &Client, project: &str, secret: &str) -> Result<(), Error> {
    let request = Request::new(
        Api::SecretManager,
        Method::POST,
        format!("v1/projects/{}/secrets", segment(project)),
        format!("create the secret `{secret}`"),
    )
    .query("secretId", secret)
    .json(&json!({ "replication": { "automatic": {} } }))?
    .repeatable();
    c.send(request, &[409]).await.map(drop)
}

/// Gives the secret a new newest version. Sent again only when Google certainly did nothing: each sending that has
/// its effect makes another version.
pub async fn add_version(c: &Client, project: &str, secret: &str, value: &SecretString) -> Result<(), Error> {
    let data = BASE64_STANDARD.encode(value.expose_secret());
    let request = Request::new(
        Api::SecretManager,
        Method::POST,
        format!("{}:addVersion", path(project, secret)),
        format!("add a version to the secret `{secret}`"),
    )
    .json(&json!({ "payload": { "data": data } }))?;
    c.send(request, &[]).await.map(drop)
}

pub(super) fn path(project: &str, secret: &str) -> String {
    format!("v1/projects/{}/secrets/{}", segment(project), segment(secret))
}
