//! Things as they are, for who only looks: the bucket, the repository, a secret's policy.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    artifact_registry::Repository,
    client::{Client, Request, segment},
    error::Error,
    policy::Policy,
};
use crate::environment::Api;

/// A bucket of whichever project.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Bucket {
    pub project_number: String,
    lifecycle: Lifecycle,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Lifecycle {
    rule: Vec<Value>,
}

impl Bucket {
    /// Whether objects are deleted by themselves after some days.
    pub fn deletes_old(&self) -> bool {
        let by_age = |rule: &Value| {
            rule.pointer("/action/type").and_then(Value::as_str) == Some("Delete")
                && rule.pointer("/condition/age").is_some_and(Value::is_number)
        };
        self.lifecycle.rule.iter().any(by_age)
    }
}

/// `None` when there is no bucket of this name anywhere.
pub async fn bucket(c: &Client, bucket: &str) -> Result<Option<Bucket>, Error> {
    let what = format!("look at the bucket `{bucket}`");
    let path = format!("storage/v1/b/{}", segment(bucket));
    c.find(Request::get(Api::Storage, path, what)).await
}

/// An Artifact Registry repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FoundRepository {
    pub format: String,
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
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MostRecent {
    /// Versions of each package.
    pub keep_count: u32,
}

/// `None` when it isn't there.
pub async fn repository(c: &Client, repository: &Repository<'_>) -> Result<Option<FoundRepository>, Error> {
    let what = format!("look at the repository `{}`", repository.repository);
    let path = format!(
        "v1/projects/{}/locations/{}/repositories/{}",
        segment(repository.project),
        segment(repository.location),
        segment(repository.repository)
    );
    c.find(Request::get(Api::ArtifactRegistry, path, what)).await
}

/// Who may do what with the secret, by its own policy.
pub async fn secret_policy(c: &Client, project: &str, secret: &str) -> Result<Policy, Error> {
    let what = format!("read the policy of the secret `{secret}`");
    let path = format!(
        "v1/projects/{}/secrets/{}:getIamPolicy",
        segment(project),
        segment(secret)
    );
    c.json(Request::get(Api::SecretManager, path, what)).await
}

/// Whether the project's own list of buckets has it.
pub async fn bucket_listed(c: &Client, project: &str, bucket: &str) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        items: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let what = format!("list the buckets of project `{project}`");
    let request = Request::get(Api::Storage, "storage/v1/b".to_owned(), what)
        .query("project", project)
        .query("prefix", bucket);
    let list: List = c.json(request).await?;
    Ok(list.items.iter().any(|b| b.name == bucket))
}
