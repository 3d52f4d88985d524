//! Which predefined role has a permission that llm-deploy uses, and the command that grants it.
//! <https://cloud.google.com/iam/docs/roles-permissions>

use super::resource::Resource;

/// The smallest thing that a role is granted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Project,
    Bucket,
    Repository,
    Secret,
    /// The account that something runs as.
    Account,
    /// The account that acts.
    Itself,
}

const RUN_ADMIN: &str = "roles/run.admin";
const REPOSITORIES: &str = "roles/artifactregistry.admin";
const SECRETS: &str = "roles/secretmanager.admin";
const ACCOUNTS: &str = "roles/iam.serviceAccountAdmin";
const POOLS: &str = "roles/iam.workloadIdentityPoolAdmin";

/// `(permission, or its beginning up to a dot; role; granted on)`; the first that fits counts.
#[rustfmt::skip]
const ROLES: &[(&str, &str, On)] = &[
    ("run.services.setIamPolicy", RUN_ADMIN, On::Project),
    ("run.", "roles/run.developer", On::Project),
    ("cloudbuild.", "roles/cloudbuild.builds.editor", On::Project),
    ("storage.buckets.get", "roles/storage.legacyBucketReader", On::Bucket),
    ("storage.buckets.", "roles/storage.admin", On::Project),
    ("storage.objects.", "roles/storage.objectUser", On::Bucket),
    ("artifactregistry.repositories.create", REPOSITORIES, On::Project),
    ("artifactregistry.repositories.update", REPOSITORIES, On::Project),
    ("artifactregistry.repositories.setIamPolicy", REPOSITORIES, On::Project),
    ("artifactregistry.repositories.uploadArtifacts", "roles/artifactregistry.writer", On::Repository),
    ("artifactregistry.versions.delete", "roles/artifactregistry.repoAdmin", On::Repository),
    ("artifactregistry.", "roles/artifactregistry.reader", On::Repository),
    ("secretmanager.versions.access", "roles/secretmanager.secretAccessor", On::Secret),
    ("secretmanager.versions.add", SECRETS, On::Project),
    ("secretmanager.secrets.create", SECRETS, On::Project),
    ("secretmanager.secrets.setIamPolicy", SECRETS, On::Project),
    ("secretmanager.", "roles/secretmanager.viewer", On::Secret),
    ("logging.logEntries.create", "roles/logging.logWriter", On::Project),
    ("logging.", "roles/logging.viewer", On::Project),
    ("monitoring.", "roles/monitoring.viewer", On::Project),
    ("iam.serviceAccounts.actAs", "roles/iam.serviceAccountUser", On::Account),
    ("iam.serviceAccounts.getOpenIdToken", "roles/iam.serviceAccountOpenIdTokenCreator", On::Itself),
    ("iam.serviceAccounts.getAccessToken", "roles/iam.workloadIdentityUser", On::Itself),
    ("iam.serviceAccounts.create", ACCOUNTS, On::Project),
    ("iam.serviceAccounts.enable", ACCOUNTS, On::Project),
    ("iam.serviceAccounts.setIamPolicy", ACCOUNTS, On::Project),
    ("iam.workloadIdentityPools.", POOLS, On::Project),
    ("iam.workloadIdentityPoolProviders.", POOLS, On::Project),
    ("serviceusage.services.enable", "roles/serviceusage.serviceUsageAdmin", On::Project),
    ("serviceusage.", "roles/serviceusage.serviceUsageConsumer", On::Project),
    ("resourcemanager.projects.get", "roles/browser", On::Project),
    ("resourcemanager.projects.setIamPolicy", "roles/resourcemanager.projectIamAdmin", On::Project),
];

/// The role that has `permission` and as little else as llm-deploy can do with, and what it is granted on.
pub fn holding(permission: &str) -> Option<(&'static str, On)> {
    let permission = permission.to_lowercase();
    let fits = |name: &str| {
        let name = name.to_lowercase();
        permission == name || name.ends_with('.') && permission.starts_with(&name)
    };
    ROLES
        .iter()
        .find(|(name, ..)| fits(name))
        .map(|(_, role, on)| (*role, *on))
}

/// The gcloud command that grants a role on a resource.
pub fn grant(resource: &Resource, member: &str, role: &str) -> String {
    change("add-iam-policy-binding", resource, member, role)
}

/// As [`grant`], for taking the role away.
pub fn revoke(resource: &Resource, member: &str, role: &str) -> String {
    change("remove-iam-policy-binding", resource, member, role)
}

fn change(verb: &str, resource: &Resource, member: &str, role: &str) -> String {
    let binding = match resource {
        Resource::Project(id) => format!("projects {verb} {id} --condition=None"),
        Resource::Bucket(name) => format!("storage buckets {verb} gs://{name}"),
        Resource::Repository {
            project,
            location,
            repository,
        } => format!("artifacts repositories {verb} {repository} --location={location} --project={project}"),
        Resource::Secret { project, secret } => format!("secrets {verb} {secret} --project={project}"),
        Resource::ServiceAccount { project, email } => {
            format!("iam service-accounts {verb} {email} --project={project}")
        }
    };
    // Whose it is, the shell may have to find out.
    let quote = if member.contains('$') { "\"" } else { "" };
    format!("gcloud {binding} --member={quote}{member}{quote} --role={role}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_role_that_has_a_permission_is_named() {
        for (permission, expected) in [
            ("run.services.create", "roles/run.developer"),
            ("run.routes.invoke", "roles/run.developer"),
            ("run.services.setIamPolicy", "roles/run.admin"),
            ("storage.objects.get", "roles/storage.objectUser"),
            ("storage.buckets.create", "roles/storage.admin"),
            (
                "artifactregistry.repositories.downloadArtifacts",
                "roles/artifactregistry.reader",
            ),
            ("artifactregistry.tags.get", "roles/artifactregistry.reader"),
            (
                "artifactregistry.versions.delete",
                "roles/artifactregistry.repoAdmin",
            ),
            // Cloud Run writes it in small letters.
            ("iam.serviceaccounts.actAs", "roles/iam.serviceAccountUser"),
        ] {
            assert_eq!(
                holding(permission).map(|(role, _)| role),
                Some(expected),
                "{permission}"
            );
        }
        assert!(holding("compute.instances.create").is_none());
        assert!(holding("runner.x").is_none());
    }
}
