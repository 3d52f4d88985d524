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

/// Method id of the discovery document, permission, resource.
const METHODS: &str = "\
artifactregistry.projects.locations.get artifactregistry.locations.get project
artifactregistry.projects.locations.list artifactregistry.locations.list project
artifactregistry.projects.locations.repositories.create artifactregistry.repositories.create project
artifactregistry.projects.locations.repositories.delete artifactregistry.repositories.delete repository
artifactregistry.projects.locations.repositories.get artifactregistry.repositories.get repository
artifactregistry.projects.locations.repositories.getIamPolicy artifactregistry.repositories.getIamPolicy repository
artifactregistry.projects.locations.repositories.list artifactregistry.repositories.list project
artifactregistry.projects.locations.repositories.patch artifactregistry.repositories.update repository
artifactregistry.projects.locations.repositories.setIamPolicy artifactregistry.repositories.setIamPolicy repository
artifactregistry.projects.locations.repositories.dockerImages.get artifactregistry.dockerimages.get repository
artifactregistry.projects.locations.repositories.dockerImages.list artifactregistry.dockerimages.list repository
artifactregistry.projects.locations.repositories.packages.delete artifactregistry.packages.delete repository
artifactregistry.projects.locations.repositories.packages.get artifactregistry.packages.get repository
artifactregistry.projects.locations.repositories.packages.list artifactregistry.packages.list repository
artifactregistry.projects.locations.repositories.packages.tags.create artifactregistry.tags.create repository
artifactregistry.projects.locations.repositories.packages.tags.delete artifactregistry.tags.delete repository
artifactregistry.projects.locations.repositories.packages.tags.get artifactregistry.tags.get repository
artifactregistry.projects.locations.repositories.packages.tags.list artifactregistry.tags.list repository
artifactregistry.projects.locations.repositories.packages.tags.patch artifactregistry.tags.update repository
artifactregistry.projects.locations.repositories.packages.versions.delete artifactregistry.versions.delete repository
artifactregistry.projects.locations.repositories.packages.versions.get artifactregistry.versions.get repository
artifactregistry.projects.locations.repositories.packages.versions.list artifactregistry.versions.list repository
cloudbuild.operations.get cloudbuild.operations.get project
cloudbuild.projects.builds.cancel cloudbuild.builds.update project
cloudbuild.projects.builds.create cloudbuild.builds.create project
cloudbuild.projects.builds.get cloudbuild.builds.get project
cloudbuild.projects.builds.list cloudbuild.builds.list project
cloudbuild.projects.locations.builds.cancel cloudbuild.builds.update project
cloudbuild.projects.locations.builds.create cloudbuild.builds.create project
cloudbuild.projects.locations.builds.get cloudbuild.builds.get project
cloudbuild.projects.locations.builds.list cloudbuild.builds.list project
cloudbuild.projects.locations.getDefaultServiceAccount cloudbuild.builds.get project
cloudbuild.projects.locations.operations.get cloudbuild.operations.get project
cloudquotas.projects.locations.services.quotaInfos.get cloudquotas.quotas.get project
cloudquotas.projects.locations.services.quotaInfos.list cloudquotas.quotas.get project
cloudresourcemanager.projects.get resourcemanager.projects.get project
cloudresourcemanager.projects.getIamPolicy resourcemanager.projects.getIamPolicy project
cloudresourcemanager.projects.setIamPolicy resourcemanager.projects.setIamPolicy project
iam.projects.locations.workloadIdentityPools.create iam.googleapis.com/workloadIdentityPools.create project
iam.projects.locations.workloadIdentityPools.delete iam.googleapis.com/workloadIdentityPools.delete project
iam.projects.locations.workloadIdentityPools.patch iam.googleapis.com/workloadIdentityPools.update project
iam.projects.locations.workloadIdentityPools.undelete iam.googleapis.com/workloadIdentityPools.undelete project
iam.projects.locations.workloadIdentityPools.providers.delete iam.googleapis.com/workloadIdentityPoolProviders.delete project
iam.projects.locations.workloadIdentityPools.providers.patch iam.googleapis.com/workloadIdentityPoolProviders.update project
iam.projects.locations.workloadIdentityPools.providers.undelete iam.googleapis.com/workloadIdentityPoolProviders.undelete project
iam.projects.locations.workloadIdentityPools.get iam.googleapis.com/workloadIdentityPools.get project
iam.projects.locations.workloadIdentityPools.list iam.googleapis.com/workloadIdentityPools.list project
iam.projects.locations.workloadIdentityPools.operations.get iam.googleapis.com/workloadIdentityPools.get project
iam.projects.locations.workloadIdentityPools.providers.create iam.googleapis.com/workloadIdentityPoolProviders.create project
iam.projects.locations.workloadIdentityPools.providers.get iam.googleapis.com/workloadIdentityPoolProviders.get project
iam.projects.locations.workloadIdentityPools.providers.list iam.googleapis.com/workloadIdentityPoolProviders.list project
iam.projects.locations.workloadIdentityPools.providers.operations.get iam.googleapis.com/workloadIdentityPoolProviders.get project
iam.projects.serviceAccounts.create iam.serviceAccounts.create project
iam.projects.serviceAccounts.disable iam.serviceAccounts.disable account
iam.projects.serviceAccounts.enable iam.serviceAccounts.enable account
iam.projects.serviceAccounts.get iam.serviceAccounts.get account
iam.projects.serviceAccounts.getIamPolicy iam.serviceAccounts.getIamPolicy account
iam.projects.serviceAccounts.list iam.serviceAccounts.list project
iam.projects.serviceAccounts.setIamPolicy iam.serviceAccounts.setIamPolicy account
iamcredentials.projects.serviceAccounts.generateAccessToken iam.serviceAccounts.getAccessToken account
iamcredentials.projects.serviceAccounts.generateIdToken iam.serviceAccounts.getOpenIdToken account
logging.entries.list logging.logEntries.list project
logging.entries.write logging.logEntries.create project
monitoring.projects.timeSeries.list monitoring.timeSeries.list project
run.projects.locations.operations.delete run.operations.delete project
run.projects.locations.operations.get run.operations.get project
run.projects.locations.operations.list run.operations.list project
run.projects.locations.operations.wait run.operations.get project
run.projects.locations.services.create run.services.create project
run.projects.locations.services.delete run.services.delete service
run.projects.locations.services.get run.services.get service
run.projects.locations.services.getIamPolicy run.services.getIamPolicy service
run.projects.locations.services.list run.services.list project
run.projects.locations.services.patch run.services.update service
run.projects.locations.services.revisions.delete run.revisions.delete service
run.projects.locations.services.revisions.get run.revisions.get service
run.projects.locations.services.revisions.list run.revisions.list service
run.projects.locations.services.setIamPolicy run.services.setIamPolicy service
secretmanager.projects.secrets.addVersion secretmanager.versions.add secret
secretmanager.projects.secrets.create secretmanager.secrets.create project
secretmanager.projects.secrets.get secretmanager.secrets.get secret
secretmanager.projects.secrets.getIamPolicy secretmanager.secrets.getIamPolicy secret
secretmanager.projects.secrets.list secretmanager.secrets.list project
secretmanager.projects.secrets.setIamPolicy secretmanager.secrets.setIamPolicy secret
secretmanager.projects.secrets.versions.access secretmanager.versions.access secret
secretmanager.projects.secrets.versions.get secretmanager.versions.get secret
secretmanager.projects.secrets.versions.list secretmanager.versions.list secret
serviceusage.operations.get serviceusage.operations.get project
serviceusage.services.batchEnable serviceusage.services.enable project
serviceusage.services.batchGet serviceusage.services.get project
serviceusage.services.enable serviceusage.services.enable project
serviceusage.services.get serviceusage.services.get project
serviceusage.services.list serviceusage.services.list project
storage.buckets.delete storage.buckets.delete bucket
storage.buckets.get storage.buckets.get bucket
storage.buckets.getIamPolicy storage.buckets.getIamPolicy bucket
storage.buckets.insert storage.buckets.create project
storage.buckets.list storage.buckets.list project
storage.buckets.patch storage.buckets.update bucket
storage.buckets.setIamPolicy storage.buckets.setIamPolicy bucket
storage.objects.delete storage.objects.delete bucket
storage.objects.get storage.objects.get bucket
storage.objects.insert storage.objects.create bucket
storage.objects.list storage.objects.list bucket";

/// Methods that anyone may call who has a credential, or none: they answer what the caller may do, or make the
/// credential in the first place.
#[cfg(test)]
const FREE: [&str; 8] = [
    "artifactregistry.projects.locations.operations.get",
    "artifactregistry.projects.locations.repositories.testIamPermissions",
    "cloudresourcemanager.projects.testIamPermissions",
    "iam.projects.serviceAccounts.testIamPermissions",
    "run.projects.locations.services.testIamPermissions",
    "secretmanager.projects.secrets.testIamPermissions",
    "storage.buckets.testIamPermissions",
    "sts.token",
];

fn methods() -> impl Iterator<Item = (&'static str, &'static str, On)> {
    METHODS.lines().filter_map(|line| {
        let mut columns = line.split(' ');
        let (id, permission) = (columns.next()?, columns.next()?);
        let on = match columns.next()? {
            "project" => Project,
            "bucket" => Bucket,
            "secret" => Secret,
            "repository" => Repository,
            "account" => Account,
            "service" => Service,
            _ => return None,
        };
        Some((id, permission, on))
    })
}

/// What a call needs; the first one that the caller lacks is the one that the refusal names.
pub fn needed(call: &Call) -> Vec<Needed> {
    let method = methods().find(|(id, ..)| *id == call.id);
    let mut all: Vec<Needed> = method
        .map(|(_, permission, on)| Needed {
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
    use crate::{roles, schema};

    #[test]
    fn every_method_of_the_schemas_has_its_permission() {
        for service in schema::Service::ALL {
            for id in schema::methods(service) {
                let listed = methods().filter(|(m, ..)| *m == id).count();
                let free = usize::from(FREE.contains(&id));
                assert_eq!(listed + free, 1, "{id}");
            }
        }
    }

    #[test]
    fn the_owner_role_has_every_permission_but_those_on_objects_and_tokens() {
        for (id, permission, _) in methods() {
            let elsewhere = ["storage.objects.", "storage.buckets.", "iam.serviceAccounts.get"];
            let elsewhere = elsewhere.iter().any(|p| permission.starts_with(p));
            assert!(
                elsewhere || roles::has("roles/owner", permission),
                "{id}: {permission}"
            );
        }
    }
}
