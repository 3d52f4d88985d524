//! Secret Manager: whether a secret is there. Its value is read by Cloud Build and Cloud Run, never by us.

use serde::Deserialize;

use super::{
    client::{Client, Request, segment},
    error::Error,
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
