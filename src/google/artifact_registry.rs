//! Artifact Registry: the Docker repository, with the policy that deletes old images, and its tags.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    client::{Client, Request, segment},
    error::Error,
    operation::{Operation, Waited, wait},
};
use crate::environment::Api;

/// Making a repository takes seconds.
const DEADLINE: Duration = Duration::from_secs(180);

/// A Docker repository; an image in it is `{location}-docker.pkg.dev/{project}/{repository}/{package}`.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    pub project: &'a str,
    pub location: &'a str,
    pub repository: &'a str,
}

impl Repository<'_> {
    /// Image path without tag or digest.
    pub fn image(&self, package: &str) -> String {
        format!(
            "{}-docker.pkg.dev/{}/{}/{package}",
            self.location, self.project, self.repository
        )
    }

    fn parent(&self) -> String {
        format!(
            "v1/projects/{}/locations/{}/repositories",
            segment(self.project),
            segment(self.location)
        )
    }

    fn path(&self) -> String {
        format!("{}/{}", self.parent(), segment(self.repository))
    }

    fn package(&self, package: &str) -> String {
        format!("{}/packages/{}", self.path(), segment(package))
    }

    async fn finish(&self, c: &Client, operation: Operation, what: &str) -> Result<(), Error> {
        let waited = Waited {
            api: Api::ArtifactRegistry,
            version: "v1/",
            can_wait: false,
            what,
            until: c.deadline(DEADLINE),
        };
        wait(c, &waited, operation).await.map(drop)
    }
}

/// The digest (`sha256:…`) that `tag` points at; `None` when tag, package or repository isn't there.
pub async fn tag_digest(
    c: &Client,
    repository: &Repository<'_>,
    package: &str,
    tag: &str,
) -> Result<Option<String>, Error> {
    #[derive(Deserialize)]
    struct Tag {
        version: String,
    }
    let what = format!("look up the image `{}:{tag}`", repository.image(package));
    let path = format!("{}/tags/{}", repository.package(package), segment(tag));
    let tag: Option<Tag> = c
        .find(Request::get(Api::ArtifactRegistry, path, what.clone()))
        .await?;
    let Some(tag) = tag else { return Ok(None) };
    match tag.version.rsplit_once("/versions/") {
        Some((_, digest)) if digest.starts_with("sha256:") => Ok(Some(digest.to_owned())),
        _ => Err(Error::Decode {
            what,
            host: Api::ArtifactRegistry.host().to_owned(),
            reason: format!("`{}` names no digest", crate::http::shorten(&tag.version)),
        }),
    }
}

/// Makes the repository unless it is there: the newest `keep` images of each package stay, others go when
/// they are older than `delete_older_than`. True when it was made; an existing one is left as it is.
pub async fn ensure_repository(
    c: &Client,
    repository: &Repository<'_>,
    keep: u32,
    delete_older_than: Duration,
) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(default)]
        format: String,
    }
    let name = repository.repository;
    let look = Request::get(
        Api::ArtifactRegistry,
        repository.path(),
        format!("look at the repository `{name}`"),
    );
    match c.find::<Found>(look).await? {
        Some(found) if found.format.is_empty() || found.format == "DOCKER" => return Ok(false),
        Some(found) => {
            return Err(Error::BadName {
                what: format!(
                    "use the repository `{name}`, which holds {} packages",
                    found.format
                ),
                segment: name.to_owned(),
            });
        }
        None => {}
    }
    let what = format!("create the repository `{name}`");
    let body = json!({
        "format": "DOCKER",
        "mode": "STANDARD_REPOSITORY",
        "description": "vLLM images with their weights, made by llm-deploy",
        "labels": { "managed-by": "llm-deploy" },
        "cleanupPolicyDryRun": false,
        "cleanupPolicies": {
            "keep-recent": {
                "id": "keep-recent",
                "action": "KEEP",
                "mostRecentVersions": { "keepCount": keep },
            },
            "delete-old": {
                "id": "delete-old",
                "action": "DELETE",
                "condition": {
                    "tagState": "ANY",
                    "olderThan": format!("{}s", delete_older_than.as_secs()),
                },
            },
        },
    });
    let create = Request::new(
        Api::ArtifactRegistry,
        Method::POST,
        repository.parent(),
        what.clone(),
    )
    .query("repositoryId", name)
    .json(&body)?
    .repeatable();
    match c.json::<Operation>(create).await {
        Ok(operation) => repository.finish(c, operation, &what).await.map(|()| true),
        // Made by a run at the same time, or by our own first try.
        Err(error) if error.http_status() == Some(409) => Ok(false),
        Err(error) => Err(error),
    }
}
