//! The policy of a resource: read, and granted to by read-modify-write. Each API has its own way of it.

use std::fmt;

use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::{
    artifact_registry::Repository,
    client::{Client, Request, segment},
    error::Error,
    policy::Policy,
    secret_manager, service_accounts,
};
use crate::environment::Api;

/// Conditions are only seen, and kept, by who asks for this version.
/// <https://docs.cloud.google.com/iam/docs/policies#versions>
const VERSION: i64 = 3;

/// Something that has a policy of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// By id.
    Project(String),
    /// By address.
    ServiceAccount {
        project: String,
        email: String,
    },
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
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(id) => write!(f, "project {id}"),
            Self::ServiceAccount { email, .. } => write!(f, "service account {email}"),
            Self::Bucket(name) => write!(f, "bucket {name}"),
            Self::Repository { repository, .. } => write!(f, "repository {repository}"),
            Self::Secret { secret, .. } => write!(f, "secret {secret}"),
        }
    }
}

/// The policy as it is now.
pub async fn read(c: &Client, resource: &Resource) -> Result<Policy, Error> {
    let what = format!("read the policy of {resource}");
    let (api, path) = resource.path();
    let version = VERSION.to_string();
    let request = match resource {
        Resource::Project(_) => Request::new(api, Method::POST, format!("{path}:getIamPolicy"), what)
            .json(&json!({ "options": { "requestedPolicyVersion": VERSION } }))?
            .repeatable(),
        Resource::ServiceAccount { .. } => {
            Request::new(api, Method::POST, format!("{path}:getIamPolicy"), what)
                .query("options.requestedPolicyVersion", version)
                .repeatable()
        }
        Resource::Bucket(_) => {
            Request::get(api, format!("{path}/iam"), what).query("optionsRequestedPolicyVersion", version)
        }
        Resource::Repository { .. } | Resource::Secret { .. } => {
            Request::get(api, format!("{path}:getIamPolicy"), what)
                .query("options.requestedPolicyVersion", version)
        }
    };
    c.json(request).await
}

/// Gives each member its role, and leaves everything else as it is. False when nothing was missing. Two writers at
/// once don't lose each other's grants: the etag has the later one refused (409 ABORTED or 412), and it is for the
/// caller to begin again.
pub async fn grant(c: &Client, resource: &Resource, grants: &[(String, String)]) -> Result<bool, Error> {
    let mut policy = read(c, resource).await?;
    let mut changed = false;
    for (role, member) in grants {
        changed |= policy.grant(role, member);
    }
    if changed {
        write(c, resource, policy).await?;
    }
    Ok(changed)
}

async fn write(c: &Client, resource: &Resource, mut policy: Policy) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Set {
        policy: Policy,
    }
    policy.version = Some(VERSION);
    let what = format!("change the policy of {resource}");
    let (api, path) = resource.path();
    let request = match resource {
        Resource::Bucket(_) => Request::new(api, Method::PUT, format!("{path}/iam"), what).json(&policy)?,
        _ => Request::new(api, Method::POST, format!("{path}:setIamPolicy"), what).json(&Set { policy })?,
    };
    // With the etag, a second sending after the first had its effect is refused.
    c.send(request.repeatable(), &[]).await.map(drop)
}

impl Resource {
    fn path(&self) -> (Api, String) {
        match self {
            Self::Project(id) => (Api::ResourceManager, format!("v3/projects/{}", segment(id))),
            Self::ServiceAccount { project, email } => (Api::Iam, service_accounts::path(project, email)),
            Self::Bucket(name) => (Api::Storage, format!("storage/v1/b/{}", segment(name))),
            Self::Repository {
                project,
                location,
                repository,
            } => {
                let repository = Repository {
                    project,
                    location,
                    repository,
                };
                (Api::ArtifactRegistry, repository.path())
            }
            Self::Secret { project, secret } => (Api::SecretManager, secret_manager::path(project, secret)),
        }
    }
}
