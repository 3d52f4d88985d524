//! `testIamPermissions`: what the caller may do with a resource. Everyone may ask, and nothing is changed.

use std::{collections::BTreeSet, fmt};

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    client::{Client, Request, segment},
    error::Error,
};
use crate::environment::Api;

/// What permissions are asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// By id.
    Project(String),
    /// By name.
    Bucket(String),
    Repository {
        project: String,
        location: String,
        repository: String,
    },
    Secret {
        project: String,
        secret: String,
    },
    /// By address.
    ServiceAccount(String),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(id) => write!(f, "project {id}"),
            Self::Bucket(name) => write!(f, "bucket {name}"),
            Self::Repository { repository, .. } => write!(f, "repository {repository}"),
            Self::Secret { secret, .. } => write!(f, "secret {secret}"),
            Self::ServiceAccount(email) => write!(f, "service account {email}"),
        }
    }
}

/// Those of the permissions that the caller holds on the resource, its own policy and those above it together.
pub async fn held(c: &Client, resource: &Resource, asked: &[&str]) -> Result<BTreeSet<String>, Error> {
    #[derive(Deserialize)]
    struct Held {
        #[serde(default)]
        permissions: BTreeSet<String>,
    }
    let what = format!("ask for the permissions on {resource}");
    let (api, path) = resource.path();
    let request = if let Resource::Bucket(_) = resource {
        let request = Request::get(api, format!("{path}/iam/testPermissions"), what);
        asked.iter().fold(request, |r, p| r.query("permissions", *p))
    } else {
        Request::new(api, Method::POST, format!("{path}:testIamPermissions"), what)
            .json(&json!({ "permissions": asked }))?
            .repeatable()
    };
    c.json::<Held>(request).await.map(|held| held.permissions)
}

impl Resource {
    fn path(&self) -> (Api, String) {
        match self {
            Self::Project(id) => (Api::ResourceManager, format!("v3/projects/{}", segment(id))),
            Self::Bucket(name) => (Api::Storage, format!("storage/v1/b/{}", segment(name))),
            Self::Repository {
                project,
                location,
                repository,
            } => {
                let path = format!(
                    "v1/projects/{}/locations/{}/repositories/{}",
                    segment(project),
                    segment(location),
                    segment(repository)
                );
                (Api::ArtifactRegistry, path)
            }
            Self::Secret { project, secret } => {
                let path = format!("v1/projects/{}/secrets/{}", segment(project), segment(secret));
                (Api::SecretManager, path)
            }
            // The account's own project: its address says which.
            Self::ServiceAccount(email) => (
                Api::Iam,
                format!("v1/projects/-/serviceAccounts/{}", segment(email)),
            ),
        }
    }
}
