//! Which role has a permission that llm-deploy uses, and how it is given on the smallest thing.
//! <https://cloud.google.com/iam/docs/roles-permissions>

/// What a role is given on.
#[derive(Clone, Copy)]
enum On {
    Project,
    Bucket,
    Repository,
    Secret,
    Account,
    Itself,
}

/// `(permission, or its beginning up to a dot; role; given on)`; the first that fits counts.
const ROLES: &[(&str, &str, On)] = &[
    ("run.services.setIamPolicy", "roles/run.admin", On::Project),
    ("run.routes.invoke", "roles/run.invoker", On::Project),
    ("run.", "roles/run.developer", On::Project),
    ("cloudbuild.", "roles/cloudbuild.builds.editor", On::Project),
    (
        "storage.buckets.get",
        "roles/storage.legacyBucketReader",
        On::Bucket,
    ),
    ("storage.buckets.", "roles/storage.admin", On::Project),
    ("storage.objects.", "roles/storage.objectUser", On::Bucket),
    (
        "artifactregistry.repositories.create",
        "roles/artifactregistry.admin",
        On::Project,
    ),
    (
        "artifactregistry.repositories.update",
        "roles/artifactregistry.admin",
        On::Project,
    ),
    (
        "artifactregistry.repositories.uploadArtifacts",
        "roles/artifactregistry.writer",
        On::Repository,
    ),
    (
        "artifactregistry.",
        "roles/artifactregistry.reader",
        On::Repository,
    ),
    (
        "secretmanager.versions.access",
        "roles/secretmanager.secretAccessor",
        On::Secret,
    ),
    ("secretmanager.", "roles/secretmanager.viewer", On::Secret),
    (
        "logging.logEntries.create",
        "roles/logging.logWriter",
        On::Project,
    ),
    ("logging.", "roles/logging.viewer", On::Project),
    ("monitoring.", "roles/monitoring.viewer", On::Project),
    (
        "iam.serviceAccounts.actAs",
        "roles/iam.serviceAccountUser",
        On::Account,
    ),
    (
        "iam.serviceAccounts.getOpenIdToken",
        "roles/iam.serviceAccountOpenIdTokenCreator",
        On::Itself,
    ),
    (
        "iam.serviceAccounts.getAccessToken",
        "roles/iam.workloadIdentityUser",
        On::Itself,
    ),
    (
        "serviceusage.services.enable",
        "roles/serviceusage.serviceUsageAdmin",
        On::Project,
    ),
    (
        "serviceusage.",
        "roles/serviceusage.serviceUsageConsumer",
        On::Project,
    ),
    ("resourcemanager.projects.get", "roles/browser", On::Project),
];

/// The role that has `permission`, and what it is given on.
fn find(permission: &str) -> Option<(&'static str, On)> {
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

/// What to do about a missing permission, with places for values in braces.
pub fn grant(permission: &str) -> String {
    let Some((role, on)) = find(permission) else {
        return "Grant {member} a role that has it: https://cloud.google.com/iam/docs/roles-permissions"
            .to_owned();
    };
    let command = match on {
        On::Project => "projects add-iam-policy-binding {project} --condition=None",
        On::Bucket => "storage buckets add-iam-policy-binding gs://{bucket}",
        On::Repository => {
            "artifacts repositories add-iam-policy-binding {repository} --location={region} --project={project}"
        }
        On::Secret => "secrets add-iam-policy-binding {secret} --project={project}",
        On::Account => "iam service-accounts add-iam-policy-binding {account} --project={project}",
        On::Itself => "iam service-accounts add-iam-policy-binding {deployer} --project={project}",
    };
    format!("Grant {role}: `gcloud {command} --member=serviceAccount:{{member}} --role={role}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_role_that_has_a_permission_is_named() {
        for (permission, expected) in [
            ("run.services.create", "roles/run.developer"),
            ("run.services.setIamPolicy", "roles/run.admin"),
            ("storage.objects.get", "roles/storage.objectUser"),
            ("storage.buckets.create", "roles/storage.admin"),
            (
                "artifactregistry.repositories.downloadArtifacts",
                "roles/artifactregistry.reader",
            ),
            ("artifactregistry.tags.get", "roles/artifactregistry.reader"),
            // Cloud Run writes it in small letters.
            ("iam.serviceaccounts.actAs", "roles/iam.serviceAccountUser"),
        ] {
            assert_eq!(
                find(permission).map(|(role, _)| role),
                Some(expected),
                "{permission}"
            );
        }
        assert!(find("compute.instances.create").is_none());
        assert!(find("runner.x").is_none());
    }
}
