//! Artifact Registry: the Docker repository, with the policy that deletes old images, and its tags.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::Client,
    error::Error,
    operation::{Operation, Waited, wait},
    request::{Request, segment},
};
use crate::environment::Api;

/// Label of what llm-deploy made.
const MANAGED_BY: (&str, &str) = ("managed-by", "llm-deploy");
const KEEP_RECENT: &str = "keep-recent";
const DELETE_OLD: &str = "delete-old";
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
        format!("{}/{package}", self.path_of_images())
    }

    /// What every image's path begins with.
    pub fn path_of_images(&self) -> String {
        format!(
            "{}-docker.pkg.dev/{}/{}",
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

    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.parent(), segment(self.repository))
    }

    pub(super) fn package(&self, package: &str) -> String {
        format!("{}/packages/{}", self.path(), segment(package))
    }

    pub(super) async fn finish(&self, c: &Client, operation: Operation, what: &str) -> Result<(), Error> {
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

/// A repository that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FoundRepository {
    pub format: String,
    labels: BTreeMap<String, String>,
    pub cleanup_policies: BTreeMap<String, CleanupPolicy>,
    /// The policies delete nothing, they only write what they would delete.
    pub cleanup_policy_dry_run: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CleanupPolicy {
    /// `DELETE` or `KEEP`.
    pub action: String,
    pub most_recent_versions: Option<MostRecent>,
    condition: Option<BTreeMap<String, Value>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MostRecent {
    /// Versions of each package.
    pub keep_count: u32,
    package_name_prefixes: Vec<String>,
}

impl FoundRepository {
    /// Whether llm-deploy made it, or made its cleanup policies.
    pub fn is_ours(&self) -> bool {
        let labelled = self.labels.get(MANAGED_BY.0).is_some_and(|v| v == MANAGED_BY.1);
        let keys = || self.cleanup_policies.keys().map(String::as_str);
        labelled || self.has_cleanup() && keys().all(|key| [KEEP_RECENT, DELETE_OLD].contains(&key))
    }

    pub fn has_cleanup(&self) -> bool {
        !self.cleanup_policies.is_empty()
    }

    /// Whether the cleanup policies are in effect, and just those that [`ensure_repository`] gives a new repository.
    pub fn cleans_up(&self, keep: u32, delete_older_than: Duration) -> bool {
        let wanted = serde_json::from_value(cleanup_policies(keep, delete_older_than));
        !self.cleanup_policy_dry_run
            && wanted.is_ok_and(|wanted: BTreeMap<_, _>| wanted == self.cleanup_policies)
    }

    /// The policies in words: `keep-recent: keep the newest 3`.
    pub fn cleanup_in_words(&self) -> Vec<String> {
        let mut words: Vec<String> = self
            .cleanup_policies
            .iter()
            .map(|(key, policy)| format!("{key}: {}", policy.in_words()))
            .collect();
        if self.cleanup_policy_dry_run {
            words.push("dry run only".to_owned());
        }
        words
    }
}

impl CleanupPolicy {
    fn in_words(&self) -> String {
        let action = self.action.to_lowercase();
        if let Some(recent) = &self.most_recent_versions {
            return format!("{action} the newest {}", recent.keep_count);
        }
        let condition = self.condition.iter().flatten();
        let parts: Vec<String> = condition
            .map(|(key, value)| match value.as_str() {
                Some(text) => format!("{key} {text}"),
                None => format!("{key} {value}"),
            })
            .collect();
        format!("{action} where {}", parts.join(", "))
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
    let name = repository.repository;
    if find_repository(c, repository).await?.is_some() {
        return Ok(false);
    }
    let what = format!("create the repository `{name}`");
    let body = json!({
        "format": "DOCKER",
        "mode": "STANDARD_REPOSITORY",
        "description": "vLLM images with their weights, made by llm-deploy",
        "labels": { MANAGED_BY.0: MANAGED_BY.1 },
        "cleanupPolicyDryRun": false,
        "cleanupPolicies": cleanup_policies(keep, delete_older_than),
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

fn cleanup_policies(keep: u32, delete_older_than: Duration) -> Value {
    json!({
        KEEP_RECENT: {
            "id": KEEP_RECENT,
            "action": "KEEP",
            "mostRecentVersions": { "keepCount": keep },
        },
        DELETE_OLD: {
            "id": DELETE_OLD,
            "action": "DELETE",
            "condition": {
                "tagState": "ANY",
                "olderThan": format!("{}s", delete_older_than.as_secs()),
            },
        },
    })
}

/// The Docker repository; `None` when it isn't there.
///
/// # Errors
/// Also when it holds packages of another format.
pub async fn find_repository(
    c: &Client,
    repository: &Repository<'_>,
) -> Result<Option<FoundRepository>, Error> {
    let name = repository.repository;
    match look(c, repository).await? {
        Some(found) if !found.format.is_empty() && found.format != "DOCKER" => Err(Error::BadName {
            what: format!(
                "use the repository `{name}`, which holds {} packages",
                found.format
            ),
            segment: name.to_owned(),
        }),
        found => Ok(found),
    }
}

/// The repository, whatever it holds; `None` when it isn't there.
pub async fn look(c: &Client, repository: &Repository<'_>) -> Result<Option<FoundRepository>, Error> {
    let what = format!("look at the repository `{}`", repository.repository);
    c.find(Request::get(Api::ArtifactRegistry, repository.path(), what))
        .await
}

/// Replaces the repository's cleanup policies by those that [`ensure_repository`] gives a new one.
pub async fn set_cleanup(
    c: &Client,
    repository: &Repository<'_>,
    keep: u32,
    delete_older_than: Duration,
) -> Result<(), Error> {
    let request = Request::new(
        Api::ArtifactRegistry,
        Method::PATCH,
        repository.path(),
        format!(
            "set the cleanup policy of the repository `{}`",
            repository.repository
        ),
    )
    .query("updateMask", "cleanupPolicies,cleanupPolicyDryRun")
    .json(&json!({
        "cleanupPolicies": cleanup_policies(keep, delete_older_than), "cleanupPolicyDryRun": false,
    }))?
    .repeatable();
    c.send(request, &[]).await.map(drop)
}
