//! What a project that is prepared as the documentation says gives to whom.

use serde_json::json;

use super::{
    Emulator,
    access::Resource,
    iam::{default_account, pools_root},
};

/// Where a role is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Project,
    /// `<project>-llm-deploy`.
    Bucket,
    /// `llm-deploy`, in the region at hand.
    Repository,
    /// `hf-token`.
    Secret,
    /// The account of this name.
    Account(&'static str),
}

/// A role of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Name of the account; `jobs` for the jobs of the repository that the pool admits.
    pub account: &'static str,
    pub role: &'static str,
    pub on: On,
}

const fn give(account: &'static str, role: &'static str, on: On) -> Grant {
    Grant { account, role, on }
}

/// The roles of the table in docs/google-cloud.md, for a bucket and a repository that are there.
pub const DOCUMENTED: [Grant; 18] = [
    give(
        "jobs",
        "roles/iam.workloadIdentityUser",
        On::Account("llm-deployer"),
    ),
    give("llm-deployer", "roles/run.developer", On::Project),
    give("llm-deployer", "roles/cloudbuild.builds.editor", On::Project),
    give("llm-deployer", "roles/logging.viewer", On::Project),
    give(
        "llm-deployer",
        "roles/serviceusage.serviceUsageConsumer",
        On::Project,
    ),
    give("llm-deployer", "roles/cloudquotas.viewer", On::Project),
    give(
        "llm-deployer",
        "roles/iam.serviceAccountUser",
        On::Account("llm-builder"),
    ),
    give(
        "llm-deployer",
        "roles/iam.serviceAccountUser",
        On::Account("llm-runtime"),
    ),
    give("llm-deployer", "roles/storage.objectUser", On::Bucket),
    give("llm-deployer", "roles/storage.legacyBucketReader", On::Bucket),
    give("llm-deployer", "roles/artifactregistry.reader", On::Repository),
    give("llm-deployer", "roles/artifactregistry.repoAdmin", On::Repository),
    give("llm-deployer", "roles/secretmanager.viewer", On::Secret),
    give("llm-builder", "roles/storage.objectUser", On::Bucket),
    give("llm-builder", "roles/storage.legacyBucketReader", On::Bucket),
    give("llm-builder", "roles/artifactregistry.writer", On::Repository),
    give("llm-builder", "roles/secretmanager.secretAccessor", On::Secret),
    give("llm-runtime", "roles/secretmanager.secretAccessor", On::Secret),
];

/// Until there is a bucket and a repository: the first run makes them, and the build finds its rights on them.
pub const FIRST_RUN: [Grant; 5] = [
    give("llm-deployer", "roles/storage.admin", On::Project),
    give("llm-deployer", "roles/artifactregistry.admin", On::Project),
    give("llm-builder", "roles/storage.objectUser", On::Project),
    give("llm-builder", "roles/storage.legacyBucketReader", On::Project),
    give("llm-builder", "roles/artifactregistry.writer", On::Project),
];

/// What other ways of use take. A configuration that names no accounts builds and runs as the default one: Google
/// gives that of a new project the Editor role unless an organization's policy forbids it, and nothing lets it
/// read secrets. Credentials that are the deployer's own, not a federated job's, make its ID tokens by a role on
/// itself.
const OTHERWISE: [Grant; 4] = [
    give("", "roles/editor", On::Project),
    give("", "roles/secretmanager.secretAccessor", On::Project),
    give("llm-deployer", "roles/iam.serviceAccountUser", On::Account("")),
    give(
        "llm-deployer",
        "roles/iam.serviceAccountOpenIdTokenCreator",
        On::Account("llm-deployer"),
    ),
];

impl Emulator {
    /// Gives the owner the project, and the seeded accounts their roles.
    pub(super) fn seed(&self) {
        self.grant(&Resource::Project, "roles/owner", "user:owner@example.com");
        if self.settings.bare {
            return;
        }
        for grant in DOCUMENTED.iter().chain(&FIRST_RUN).chain(&OTHERWISE) {
            // The bucket and the repository aren't there yet: the roles on them wait for `settle`.
            self.give(grant, "");
        }
    }

    /// Makes the bucket and the repository in `region`, as the documentation's script does, with the roles on
    /// them; takes away what only a first run or another way of use needs.
    pub fn settle(&self, region: &str) {
        let project = &self.settings.project;
        let bucket = json!({"location": region, "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": true}, "publicAccessPrevention": "enforced"}});
        self.storage
            .add_bucket(&format!("{project}-llm-deploy"), &bucket, project);
        self.registry.add(project, region, "llm-deploy");
        for grant in FIRST_RUN.iter().chain(&OTHERWISE) {
            self.take(grant, region);
        }
        for grant in &DOCUMENTED {
            self.give(grant, region);
        }
    }

    /// Gives a role; `region` is the repository's.
    pub fn give(&self, grant: &Grant, region: &str) -> bool {
        self.grant(
            &self.place(grant.on, region),
            grant.role,
            &self.member(grant.account),
        )
    }

    /// Takes a role away; false when it wasn't given.
    pub fn take(&self, grant: &Grant, region: &str) -> bool {
        self.revoke(
            &self.place(grant.on, region),
            grant.role,
            &self.member(grant.account),
        )
    }

    fn place(&self, on: On, region: &str) -> Resource {
        match on {
            On::Project => Resource::Project,
            On::Bucket => Resource::Bucket(format!("{}-llm-deploy", self.settings.project)),
            On::Repository => Resource::Repository {
                location: region.to_owned(),
                id: "llm-deploy".to_owned(),
            },
            On::Secret => Resource::Secret("hf-token".to_owned()),
            On::Account(name) => Resource::Account(self.email(name)),
        }
    }

    fn email(&self, name: &str) -> String {
        if name.is_empty() {
            default_account()
        } else {
            self.iam.address(name)
        }
    }

    fn member(&self, name: &str) -> String {
        match name {
            "jobs" => format!(
                "principalSet://{}github/attribute.repository/org/app",
                pools_root()
            ),
            name => format!("serviceAccount:{}", self.email(name)),
        }
    }
}
