//! What has an IAM policy of its own.

use std::fmt;

use super::{artifact_registry::Repository, request::segment, secret_manager, service_accounts};
use crate::environment::Api;

/// Something that roles are granted on and permissions are held on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    ServiceAccount {
        project: String,
        email: String,
    },
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(id) => write!(f, "project {id}"),
            Self::Bucket(name) => write!(f, "bucket {name}"),
            Self::Repository { repository, .. } => write!(f, "repository {repository}"),
            Self::Secret { secret, .. } => write!(f, "secret {secret}"),
            Self::ServiceAccount { email, .. } => write!(f, "service account {email}"),
        }
    }
}

impl Resource {
    /// A service account of the project that its address names; `project` where it names none.
    pub fn service_account(email: impl Into<String>, project: &str) -> Self {
        let email = email.into();
        let project = home(&email).unwrap_or_else(|| project.to_owned());
        Self::ServiceAccount { project, email }
    }

    pub(super) fn path(&self) -> (Api, String) {
        match self {
            Self::Project(id) => (Api::ResourceManager, format!("v3/projects/{}", segment(id))),
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
            Self::ServiceAccount { project, email } => (Api::Iam, service_accounts::path(project, email)),
        }
    }
}

/// `a@id.iam.gserviceaccount.com` is of the project `id`, `a@id.example.com.iam.gserviceaccount.com` of
/// `example.com:id`.
fn home(email: &str) -> Option<String> {
    let (_, host) = email.split_once('@')?;
    let project = host.strip_suffix(".iam.gserviceaccount.com")?;
    Some(match project.split_once('.') {
        Some((id, domain)) => format!("{domain}:{id}"),
        None => project.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_of_the_project_that_its_address_names() {
        for (email, project) in [
            ("a@other.iam.gserviceaccount.com", "other"),
            ("a@id.example.com.iam.gserviceaccount.com", "example.com:id"),
            ("7-compute@developer.gserviceaccount.com", "own"),
        ] {
            let Resource::ServiceAccount { project: found, .. } = Resource::service_account(email, "own")
            else {
                panic!("{email} is no account");
            };
            assert_eq!(found, project, "{email}");
        }
    }
}
