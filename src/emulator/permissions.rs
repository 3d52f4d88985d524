//! Which permission a method needs, and on which resource.
//!
//! From the methods' reference pages, as github.com/iann0036/iam-dataset (2026-08-22) has them together.

use super::{Call, access::Resource};

/// The kind of resource on which a permission is checked. Its own policy counts, and the project's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Project,
    Bucket,
    Secret,
    Repository,
    Account,
    Service,
}

use On::{Account, Bucket, Project, Repository, Secret, Service};

/// A permission that a call needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    pub permission: &'static str,
    pub on: Resource,
}

const METHODS: &[(&str, &str, On)] = &[
    (
        "artifactregistry.projects.locations.get",
        "artifactregistry.locations.get",
        Project,
    ),
    (
        "artifactregistry.projects.locations.list",
        "artifactregistry.locations.list",
        Project,
    ),
    (
        "artifactregistry.projects.locations.repositories.create",
        "artifactregistry.repositories.create",
        Project,
    ),
    (
        "artifactregistry.projects.locations.repositories.delete",
        "artifactregistry.repositories.delete",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.get",
        "artifactregistry.repositories.get",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.getIamPolicy",
        "artifactregistry.repositories.getIamPolicy",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.list",
        "artifactregistry.repositories.list",
        Project,
    ),
    (
        "artifactregistry.projects.locations.repositories.patch",
        "artifactregistry.repositories.update",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.setIamPolicy",
        "artifactregistry.repositories.setIamPolicy",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.dockerImages.get",
        "artifactregistry.dockerimages.get",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.dockerImages.list",
        "artifactregistry.dockerimages.list",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.delete",
        "artifactregistry.packages.delete",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.get",
        "artifactregistry.packages.get",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.list",
        "artifactregistry.packages.list",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.tags.create",
        "artifactregistry.tags.create",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.tags.delete",
        "artifactregistry.tags.delete",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.tags.get",
        "artifactregistry.tags.get",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.tags.list",
        "artifactregistry.tags.list",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.tags.patch",
        "artifactregistry.tags.update",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.versions.delete",
        "artifactregistry.versions.delete",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.versions.get",
        "artifactregistry.versions.get",
        Repository,
    ),
    (
        "artifactregistry.projects.locations.repositories.packages.versions.list",
        "artifactregistry.versions.list",
        Repository,
    ),
    ("cloudbuild.operations.get", "cloudbuild.operations.get", Project),
    (
        "cloudbuild.projects.builds.cancel",
        "cloudbuild.builds.update",
        Project,
    ),
    (
        "cloudbuild.projects.builds.create",
        "cloudbuild.builds.create",
        Project,
    ),
    ("cloudbuild.projects.builds.get", "cloudbuild.builds.get", Project),
    (
        "cloudbuild.projects.builds.list",
        "cloudbuild.builds.list",
        Project,
    ),
    (
        "cloudbuild.projects.locations.builds.cancel",
        "cloudbuild.builds.update",
        Project,
    ),
    (
        "cloudbuild.projects.locations.builds.create",
        "cloudbuild.builds.create",
        Project,
    ),
    (
        "cloudbuild.projects.locations.builds.get",
        "cloudbuild.builds.get",
        Project,
    ),
    (
        "cloudbuild.projects.locations.builds.list",
        "cloudbuild.builds.list",
        Project,
    ),
    (
        "cloudbuild.projects.locations.getDefaultServiceAccount",
        "cloudbuild.builds.get",
        Project,
    ),
    (
        "cloudbuild.projects.locations.operations.get",
        "cloudbuild.operations.get",
        Project,
    ),
    (
        "cloudresourcemanager.projects.get",
        "resourcemanager.projects.get",
        Project,
    ),
    (
        "cloudresourcemanager.projects.getIamPolicy",
        "resourcemanager.projects.getIamPolicy",
        Project,
    ),
    (
        "cloudresourcemanager.projects.setIamPolicy",
        "resourcemanager.projects.setIamPolicy",
        Project,
    ),
    (
        "iam.projects.locations.workloadIdentityPools.create",
        "iam.googleapis.com/workloadIdentityPools.create",
        Project,
    ),
    (
        "iam.projects.locations.workloadIdentityPools.get",
        "iam.googleapis.com/workloadIdentityPools.get",
        Project,
    ),
    (
        "iam.projects.locations.workloadIdentityPools.list",
        "iam.googleapis.com/workloadIdentityPools.list",
        Project,
    ),
    (
        "iam.projects.locations.workloadIdentityPools.operations.get",
        "iam.googleapis.com/workloadIdentityPools.get",
        Project,
    ),
    (
        "iam.projects.locations.workloadIdentityPools.providers.create",
        "iam.googleapis.com/workloadIdentityPoolProviders.create",
        Project,
    ),
    (
        "iam.projects.locations.workloadIdentityPools.providers.get",
        "iam.googleapis.com/workloadIdentityPoolProviders.get",
        Project,
    ),
    (
        "iam.projects.locations.workloadIdentityPools.providers.list",
        "iam.googleapis.com/workloadIdentityPoolProviders.list",
        Project,
    ),
    (
        "iam.projects.locations.workloadIdentityPools.providers.operations.get",
        "iam.googleapis.com/workloadIdentityPoolProviders.get",
        Project,
    ),
    (
        "iam.projects.serviceAccounts.create",
        "iam.serviceAccounts.create",
        Project,
    ),
    (
        "iam.projects.serviceAccounts.get",
        "iam.serviceAccounts.get",
        Account,
    ),
    (
        "iam.projects.serviceAccounts.getIamPolicy",
        "iam.serviceAccounts.getIamPolicy",
        Account,
    ),
    (
        "iam.projects.serviceAccounts.list",
        "iam.serviceAccounts.list",
        Project,
    ),
    (
        "iam.projects.serviceAccounts.setIamPolicy",
        "iam.serviceAccounts.setIamPolicy",
        Account,
    ),
    (
        "iamcredentials.projects.serviceAccounts.generateAccessToken",
        "iam.serviceAccounts.getAccessToken",
        Account,
    ),
    (
        "iamcredentials.projects.serviceAccounts.generateIdToken",
        "iam.serviceAccounts.getOpenIdToken",
        Account,
    ),
    ("logging.entries.list", "logging.logEntries.list", Project),
    ("logging.entries.write", "logging.logEntries.create", Project),
    (
        "monitoring.projects.timeSeries.list",
        "monitoring.timeSeries.list",
        Project,
    ),
    (
        "run.projects.locations.operations.delete",
        "run.operations.delete",
        Project,
    ),
    (
        "run.projects.locations.operations.get",
        "run.operations.get",
        Project,
    ),
    (
        "run.projects.locations.operations.list",
        "run.operations.list",
        Project,
    ),
    (
        "run.projects.locations.operations.wait",
        "run.operations.get",
        Project,
    ),
    (
        "run.projects.locations.services.create",
        "run.services.create",
        Project,
    ),
    (
        "run.projects.locations.services.delete",
        "run.services.delete",
        Service,
    ),
    ("run.projects.locations.services.get", "run.services.get", Service),
    (
        "run.projects.locations.services.getIamPolicy",
        "run.services.getIamPolicy",
        Service,
    ),
    (
        "run.projects.locations.services.list",
        "run.services.list",
        Project,
    ),
    (
        "run.projects.locations.services.patch",
        "run.services.update",
        Service,
    ),
    (
        "run.projects.locations.services.revisions.delete",
        "run.revisions.delete",
        Service,
    ),
    (
        "run.projects.locations.services.revisions.get",
        "run.revisions.get",
        Service,
    ),
    (
        "run.projects.locations.services.revisions.list",
        "run.revisions.list",
        Service,
    ),
    (
        "run.projects.locations.services.setIamPolicy",
        "run.services.setIamPolicy",
        Service,
    ),
    (
        "secretmanager.projects.secrets.addVersion",
        "secretmanager.versions.add",
        Secret,
    ),
    (
        "secretmanager.projects.secrets.create",
        "secretmanager.secrets.create",
        Project,
    ),
    (
        "secretmanager.projects.secrets.get",
        "secretmanager.secrets.get",
        Secret,
    ),
    (
        "secretmanager.projects.secrets.getIamPolicy",
        "secretmanager.secrets.getIamPolicy",
        Secret,
    ),
    (
        "secretmanager.projects.secrets.list",
        "secretmanager.secrets.list",
        Project,
    ),
    (
        "secretmanager.projects.secrets.setIamPolicy",
        "secretmanager.secrets.setIamPolicy",
        Secret,
    ),
    (
        "secretmanager.projects.secrets.versions.access",
        "secretmanager.versions.access",
        Secret,
    ),
    (
        "secretmanager.projects.secrets.versions.get",
        "secretmanager.versions.get",
        Secret,
    ),
    (
        "secretmanager.projects.secrets.versions.list",
        "secretmanager.versions.list",
        Secret,
    ),
    (
        "serviceusage.operations.get",
        "serviceusage.operations.get",
        Project,
    ),
    (
        "serviceusage.services.batchEnable",
        "serviceusage.services.enable",
        Project,
    ),
    (
        "serviceusage.services.batchGet",
        "serviceusage.services.get",
        Project,
    ),
    (
        "serviceusage.services.enable",
        "serviceusage.services.enable",
        Project,
    ),
    ("serviceusage.services.get", "serviceusage.services.get", Project),
    (
        "serviceusage.services.list",
        "serviceusage.services.list",
        Project,
    ),
    ("storage.buckets.delete", "storage.buckets.delete", Bucket),
    ("storage.buckets.get", "storage.buckets.get", Bucket),
    (
        "storage.buckets.getIamPolicy",
        "storage.buckets.getIamPolicy",
        Bucket,
    ),
    ("storage.buckets.insert", "storage.buckets.create", Project),
    ("storage.buckets.list", "storage.buckets.list", Project),
    ("storage.buckets.patch", "storage.buckets.update", Bucket),
    (
        "storage.buckets.setIamPolicy",
        "storage.buckets.setIamPolicy",
        Bucket,
    ),
    ("storage.objects.delete", "storage.objects.delete", Bucket),
    ("storage.objects.get", "storage.objects.get", Bucket),
    ("storage.objects.insert", "storage.objects.create", Bucket),
    ("storage.objects.list", "storage.objects.list", Bucket),
];

/// Methods that anyone may call who has a credential, or none: they answer what the caller may do, or make the
/// credential in the first place.
#[cfg(test)]
const FREE: [&str; 9] = [
    "artifactregistry.projects.locations.operations.get",
    "artifactregistry.projects.locations.repositories.testIamPermissions",
    "cloudresourcemanager.projects.testIamPermissions",
    "iam.projects.serviceAccounts.testIamPermissions",
    "run.projects.locations.services.testIamPermissions",
    "secretmanager.projects.secrets.testIamPermissions",
    "storage.buckets.testIamPermissions",
    "sts.token",
    "",
];

/// What a call needs; the first one that the caller lacks is the one that the refusal names.
pub fn needed(call: &Call) -> Vec<Needed> {
    let method = METHODS.iter().find(|(id, ..)| *id == call.id);
    let mut all: Vec<Needed> = method
        .map(|&(_, permission, on)| Needed {
            permission,
            on: resource(call, on),
        })
        .into_iter()
        .collect();
    // Whoever lets everybody in, changes who may call: <https://cloud.google.com/run/docs/securing/managing-access>.
    if call.id.ends_with("services.create") && call.json["invokerIamDisabled"] == true {
        all.push(Needed {
            permission: "run.services.setIamPolicy",
            on: Resource::Project,
        });
    }
    if call.id.ends_with("services.patch") && call.query("allowMissing") == Some("true") {
        all.push(Needed {
            permission: "run.services.create",
            on: Resource::Project,
        });
    }
    all
}

/// The resource on which `testIamPermissions` of a service asks.
pub fn tested(call: &Call) -> Resource {
    let on = match call.id.split('.').next() {
        Some("artifactregistry") => Repository,
        Some("iam") => Account,
        Some("run") => Service,
        Some("secretmanager") => Secret,
        Some("storage") => Bucket,
        _ => Project,
    };
    resource(call, on)
}

fn resource(call: &Call, on: On) -> Resource {
    let param = |name: &str| call.param(name).to_owned();
    match on {
        Project => Resource::Project,
        Bucket => Resource::Bucket(param("bucket")),
        Secret => Resource::Secret(param("secretsId")),
        Repository => Resource::Repository {
            location: param("locationsId"),
            id: param("repositoriesId"),
        },
        Account => Resource::Account(param("serviceAccountsId")),
        Service => Resource::Service {
            region: param("locationsId"),
            id: param("servicesId"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::{roles, schema};

    #[test]
    fn every_method_of_the_schemas_has_its_permission() {
        for service in schema::Service::ALL {
            for id in schema::methods(service) {
                let listed = METHODS.iter().filter(|(m, ..)| *m == id).count();
                let free = usize::from(FREE.contains(&id));
                assert_eq!(listed + free, 1, "{id}");
            }
        }
    }

    #[test]
    fn the_owner_role_has_every_permission_but_those_on_objects_and_tokens() {
        for (id, permission, _) in METHODS {
            let elsewhere = ["storage.objects.", "storage.buckets.", "iam.serviceAccounts.get"];
            let elsewhere = elsewhere.iter().any(|p| permission.starts_with(p));
            assert!(
                elsewhere || roles::has("roles/owner", permission),
                "{id}: {permission}"
            );
        }
    }
}
