//! Google's predefined roles: the permissions in them, as far as a method here or a user of this project asks for
//! one.
//!
//! From Google's role reference (<https://cloud.google.com/iam/docs/roles-permissions>), as the public daily dumps
//! github.com/iann0036/iam-dataset and github.com/darkbitio/gcp-iam-role-permissions have it of 2026-08-22.

/// A role, and its permissions as `service.resource: verb verb; service.resource: verb`.
const ROLES: &[(&str, &str)] = &[
    (
        "roles/owner",
        "run.services: create delete get getIamPolicy list setIamPolicy update; run.revisions: delete get \
         list; run.operations: delete get list; run.routes: get invoke list; run.locations: list; \
         cloudbuild.builds: create get list update; cloudbuild.operations: get list; storage.buckets: \
         create delete list; artifactregistry.repositories: create delete deleteArtifacts \
         downloadArtifacts get getIamPolicy list setIamPolicy update uploadArtifacts; \
         artifactregistry.packages: delete get list; artifactregistry.tags: create delete get list \
         update; artifactregistry.versions: delete get list; artifactregistry.dockerimages: get list; \
         artifactregistry.locations: get list; secretmanager.secrets: create delete get getIamPolicy list \
         setIamPolicy update; secretmanager.versions: access add get list; iam.serviceAccounts: actAs \
         create delete disable enable get getIamPolicy list setIamPolicy update; \
         iam.googleapis.com/workloadIdentityPools: create delete get list undelete update; \
         iam.googleapis.com/workloadIdentityPoolProviders: create delete get list undelete update; \
         logging.logEntries: create list; monitoring.timeSeries: list; serviceusage.services: enable get \
         list use; serviceusage.operations: get; resourcemanager.projects: get getIamPolicy setIamPolicy; \
         cloudquotas.quotas: get",
    ),
    (
        "roles/editor",
        "run.services: create delete get getIamPolicy list update; run.revisions: delete get list; \
         run.operations: delete get list; run.routes: get invoke list; run.locations: list; \
         cloudbuild.builds: create get list update; cloudbuild.operations: get list; storage.buckets: \
         create delete list; artifactregistry.repositories: create delete deleteArtifacts \
         downloadArtifacts get getIamPolicy list update uploadArtifacts; artifactregistry.packages: \
         delete get list; artifactregistry.tags: create delete get list update; \
         artifactregistry.versions: delete get list; artifactregistry.dockerimages: get list; \
         artifactregistry.locations: get list; secretmanager.secrets: create delete get getIamPolicy list \
         update; secretmanager.versions: add get list; iam.serviceAccounts: actAs create delete disable \
         enable get getIamPolicy list update; iam.googleapis.com/workloadIdentityPools: get list; \
         iam.googleapis.com/workloadIdentityPoolProviders: get list; logging.logEntries: create list; \
         monitoring.timeSeries: list; serviceusage.services: enable get list use; \
         serviceusage.operations: get; resourcemanager.projects: get getIamPolicy; cloudquotas.quotas: \
         get",
    ),
    (
        "roles/viewer",
        "run.services: get getIamPolicy list; run.revisions: get list; run.operations: get list; \
         run.routes: get list; run.locations: list; cloudbuild.builds: get list; cloudbuild.operations: \
         get list; storage.buckets: list; artifactregistry.repositories: downloadArtifacts get \
         getIamPolicy list; artifactregistry.packages: get list; artifactregistry.tags: get list; \
         artifactregistry.versions: get list; artifactregistry.dockerimages: get list; \
         artifactregistry.locations: get list; secretmanager.secrets: get getIamPolicy list; \
         secretmanager.versions: get list; iam.serviceAccounts: get getIamPolicy list; \
         iam.googleapis.com/workloadIdentityPools: get list; \
         iam.googleapis.com/workloadIdentityPoolProviders: get list; logging.logEntries: list; \
         monitoring.timeSeries: list; serviceusage.services: get list; serviceusage.operations: get; \
         resourcemanager.projects: get getIamPolicy; cloudquotas.quotas: get",
    ),
    (
        "roles/run.admin",
        "run.services: create delete get getIamPolicy list setIamPolicy update; run.revisions: delete get \
         list; run.operations: delete get list; run.routes: get invoke list; run.locations: list; \
         resourcemanager.projects: get",
    ),
    (
        "roles/run.developer",
        "run.services: create delete get getIamPolicy list update; run.revisions: delete get list; \
         run.operations: delete get list; run.routes: get invoke list; run.locations: list; \
         resourcemanager.projects: get",
    ),
    ("roles/run.invoker", "run.routes: invoke"),
    (
        "roles/run.viewer",
        "run.services: get getIamPolicy list; run.revisions: get list; run.operations: get list; \
         run.routes: get list; run.locations: list; resourcemanager.projects: get",
    ),
    (
        "roles/cloudbuild.builds.editor",
        "cloudbuild.builds: create get list update; cloudbuild.operations: get list; \
         resourcemanager.projects: get",
    ),
    (
        "roles/cloudbuild.builds.viewer",
        "cloudbuild.builds: get list; cloudbuild.operations: get list; resourcemanager.projects: get",
    ),
    (
        "roles/storage.admin",
        "storage.buckets: create delete get getIamPolicy list setIamPolicy update; storage.objects: \
         create delete get list update; monitoring.timeSeries: list; resourcemanager.projects: get",
    ),
    (
        "roles/storage.objectAdmin",
        "storage.objects: create delete get list update; resourcemanager.projects: get",
    ),
    (
        "roles/storage.objectUser",
        "storage.objects: create delete get list update; resourcemanager.projects: get",
    ),
    (
        "roles/storage.objectCreator",
        "storage.objects: create; resourcemanager.projects: get",
    ),
    (
        "roles/storage.objectViewer",
        "storage.objects: get list; resourcemanager.projects: get",
    ),
    (
        "roles/storage.legacyBucketOwner",
        "storage.buckets: get getIamPolicy setIamPolicy update; storage.objects: create delete list",
    ),
    (
        "roles/storage.legacyBucketReader",
        "storage.buckets: get; storage.objects: list",
    ),
    (
        "roles/storage.legacyBucketWriter",
        "storage.buckets: get; storage.objects: create delete list",
    ),
    ("roles/storage.legacyObjectOwner", "storage.objects: get update"),
    ("roles/storage.legacyObjectReader", "storage.objects: get"),
    (
        "roles/artifactregistry.admin",
        "artifactregistry.repositories: create delete deleteArtifacts downloadArtifacts get getIamPolicy \
         list setIamPolicy update uploadArtifacts; artifactregistry.packages: delete get list; \
         artifactregistry.tags: create delete get list update; artifactregistry.versions: delete get \
         list; artifactregistry.dockerimages: get list; artifactregistry.locations: get list; \
         resourcemanager.projects: get",
    ),
    (
        "roles/artifactregistry.repoAdmin",
        "artifactregistry.repositories: deleteArtifacts downloadArtifacts get list uploadArtifacts; \
         artifactregistry.packages: delete get list; artifactregistry.tags: create delete get list \
         update; artifactregistry.versions: delete get list; artifactregistry.dockerimages: get list; \
         artifactregistry.locations: get list; resourcemanager.projects: get",
    ),
    (
        "roles/artifactregistry.writer",
        "artifactregistry.repositories: downloadArtifacts get list uploadArtifacts; \
         artifactregistry.packages: get list; artifactregistry.tags: create get list update; \
         artifactregistry.versions: get list; artifactregistry.dockerimages: get list; \
         artifactregistry.locations: get list; resourcemanager.projects: get",
    ),
    (
        "roles/artifactregistry.reader",
        "artifactregistry.repositories: downloadArtifacts get list; artifactregistry.packages: get list; \
         artifactregistry.tags: get list; artifactregistry.versions: get list; \
         artifactregistry.dockerimages: get list; artifactregistry.locations: get list; \
         resourcemanager.projects: get",
    ),
    (
        "roles/secretmanager.admin",
        "secretmanager.secrets: create delete get getIamPolicy list setIamPolicy update; \
         secretmanager.versions: access add get list; resourcemanager.projects: get",
    ),
    (
        "roles/secretmanager.viewer",
        "secretmanager.secrets: get getIamPolicy list; secretmanager.versions: get list; \
         resourcemanager.projects: get",
    ),
    (
        "roles/secretmanager.secretAccessor",
        "secretmanager.versions: access; resourcemanager.projects: get",
    ),
    (
        "roles/iam.serviceAccountAdmin",
        "iam.serviceAccounts: create delete disable enable get getIamPolicy list setIamPolicy update; \
         resourcemanager.projects: get",
    ),
    (
        "roles/iam.serviceAccountUser",
        "iam.serviceAccounts: actAs get list; resourcemanager.projects: get",
    ),
    (
        "roles/iam.serviceAccountTokenCreator",
        "iam.serviceAccounts: get getAccessToken getOpenIdToken list; resourcemanager.projects: get",
    ),
    (
        "roles/iam.serviceAccountOpenIdTokenCreator",
        "iam.serviceAccounts: getOpenIdToken",
    ),
    (
        "roles/iam.workloadIdentityUser",
        "iam.serviceAccounts: get getAccessToken getOpenIdToken list",
    ),
    (
        "roles/iam.workloadIdentityPoolAdmin",
        "iam.googleapis.com/workloadIdentityPools: create delete get list undelete update; \
         iam.googleapis.com/workloadIdentityPoolProviders: create delete get list undelete update; \
         resourcemanager.projects: get",
    ),
    (
        "roles/resourcemanager.projectIamAdmin",
        "resourcemanager.projects: get getIamPolicy setIamPolicy",
    ),
    (
        "roles/logging.viewer",
        "logging.logEntries: list; resourcemanager.projects: get",
    ),
    ("roles/logging.logWriter", "logging.logEntries: create"),
    (
        "roles/monitoring.viewer",
        "monitoring.timeSeries: list; resourcemanager.projects: get",
    ),
    (
        "roles/serviceusage.serviceUsageAdmin",
        "monitoring.timeSeries: list; serviceusage.services: enable get list use; \
         serviceusage.operations: get; cloudquotas.quotas: get",
    ),
    (
        "roles/serviceusage.serviceUsageConsumer",
        "monitoring.timeSeries: list; serviceusage.services: get list use; serviceusage.operations: get",
    ),
    (
        "roles/cloudquotas.viewer",
        "resourcemanager.projects: get; cloudquotas.quotas: get",
    ),
];

/// Whether the role has the permission, such as `run.services.get`. A role that isn't listed has none.
pub fn has(role: &str, permission: &str) -> bool {
    let Some((resource, verb)) = permission.rsplit_once('.') else {
        return false;
    };
    let Some((_, text)) = ROLES.iter().find(|(name, _)| *name == role) else {
        return false;
    };
    let mut groups = text.split("; ").filter_map(|group| group.split_once(": "));
    groups.any(|(name, verbs)| name == resource && verbs.split(' ').any(|v| v == verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_of_permissions_is_read() {
        for (role, text) in ROLES {
            for group in text.split("; ") {
                let (resource, verbs) = group.split_once(": ").unwrap();
                for verb in verbs.split(' ') {
                    assert!(has(role, &format!("{resource}.{verb}")), "{role} {group}");
                }
            }
        }
    }

    #[test]
    fn roles_differ_where_users_trip() {
        assert!(!has("roles/run.developer", "run.services.setIamPolicy"));
        assert!(
            has("roles/run.developer", "run.routes.invoke"),
            "no roles/run.invoker is needed beside it"
        );
        assert!(!has(
            "roles/secretmanager.viewer",
            "secretmanager.versions.access"
        ));
        assert!(!has(
            "roles/secretmanager.secretAccessor",
            "secretmanager.versions.get"
        ));
        assert!(!has("roles/editor", "secretmanager.versions.access"));
        assert!(!has(
            "roles/artifactregistry.writer",
            "artifactregistry.versions.delete"
        ));
        assert!(has(
            "roles/artifactregistry.repoAdmin",
            "artifactregistry.versions.delete"
        ));
        assert!(!has("roles/storage.objectUser", "storage.buckets.get"));
        assert!(!has("roles/run", "run.routes.invoke") && !has("roles/run.invoker", "invoke"));
    }
}
