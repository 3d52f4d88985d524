//! What shall be there, from the configuration and the repository.

use std::time::Duration;

use crate::{
    config::{
        Access, Config, Logs, Origin,
        defaults::{BUILD_ACCOUNT, RUNTIME_ACCOUNT, account_domain as domain},
    },
    github,
    google::workload_identity::{Name, Oidc, Provider, State},
};

/// Who signs GitHub's tokens. <https://docs.github.com/en/actions/reference/security/oidc>
pub const ISSUER: &str = "https://token.actions.githubusercontent.com";
/// A pool of our own: another's may have providers that put what they like into the attributes that we trust.
const POOL: &str = "llm-deploy";

/// Jobs of pull requests act as this account when production is protected.
const PREVIEW_DEPLOYER: &str = "llm-preview-deployer";
/// What a provider says of a job, and members are made of.
pub const BY_REPOSITORY: &str = "attribute.repository_id";
pub const BY_REF: &str = "attribute.repository_ref";

/// Stands for the project's number as long as that is not known.
pub const NUMBER: &str = "NUMBER";

/// The APIs that a deployment or its doctor calls, or that have to be on for one that it calls.
pub const APIS: [&str; 12] = [
    "serviceusage.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "sts.googleapis.com",
    "storage.googleapis.com",
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "secretmanager.googleapis.com",
    "logging.googleapis.com",
    "run.googleapis.com",
    "cloudquotas.googleapis.com",
];

/// The project as it shall be.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub project: String,
    pub region: String,
    /// The job acts as this service account.
    pub deployer: String,
    /// Pull requests' jobs act as this one, when production is protected: only jobs of the default branch act as the
    /// deployer then.
    pub preview_deployer: Option<String>,
    /// Builds run as this one.
    pub builder: String,
    /// Containers run as these; one unless the models differ.
    pub runtimes: Vec<String>,
    /// Containers run as this one where the configuration names none.
    pub default_runtime: String,
    pub bucket: String,
    pub repository: String,
    /// Images of each model that the cleanup policy keeps.
    pub keep: u32,
    /// Age after which the others go.
    pub delete_older_than: Duration,
    /// Bucket and repository have the names that llm-deploy gives them: what is there under these is ours to set.
    pub default_bucket: bool,
    pub default_repository: bool,
    /// Secrets with a Hugging Face token.
    pub token_secrets: Vec<String>,
    /// Secrets that containers get, each with the account that reads it.
    pub container_secrets: Vec<(String, String)>,
    /// Some service may be called by anyone, for which its policy has to be set.
    pub public: bool,
    /// Builds write their logs to Cloud Logging, not to the bucket.
    pub logs_to_cloud_logging: bool,
    pub pool: String,
    pub provider: String,
    pub github: github::Repository,
}

impl Wanted {
    /// `deployer` is the address of the account that the job shall act as, `provider` the full name of a workload
    /// identity provider; both have a default.
    ///
    /// # Errors
    /// When `provider` is no such name.
    pub fn new(
        config: &Config,
        deployer: Option<&str>,
        provider: Option<&str>,
        github: github::Repository,
    ) -> Result<Self, String> {
        let project = config.project.as_str();
        let account = |id: &str| format!("{id}@{}", domain(project));
        let (pool, provider) = match provider {
            Some(name) => pool_and_provider(name)?,
            // One provider for each repository, so that a project can serve several.
            None => (POOL.to_owned(), format!("github-{}", github.id)),
        };
        let runtime = |model: &crate::config::Model| {
            let given = model.service.service_account.clone();
            given.unwrap_or_else(|| account(RUNTIME_ACCOUNT))
        };
        let mut wanted = Self {
            deployer: deployer.map_or_else(|| account("llm-deployer"), str::to_owned),
            preview_deployer: None,
            builder: config
                .build
                .service_account
                .clone()
                .unwrap_or_else(|| account(BUILD_ACCOUNT)),
            runtimes: Vec::new(),
            default_runtime: account(RUNTIME_ACCOUNT),
            bucket: config.build.bucket.clone(),
            repository: config.build.repository.clone(),
            keep: config.build.keep,
            delete_older_than: config.build.delete_older_than,
            default_bucket: matches!(config.origins.get("build.bucket"), None | Some(Origin::Default)),
            default_repository: config.build.repository == crate::config::defaults::REPOSITORY,
            token_secrets: Vec::new(),
            container_secrets: Vec::new(),
            public: config.models.iter().any(|m| m.service.access == Access::Public),
            logs_to_cloud_logging: matches!(config.build.logs, Logs::CloudLogging),
            pool,
            provider,
            github,
            project: project.to_owned(),
            region: config.region.clone(),
        };
        for model in &config.models {
            let account = runtime(model);
            let token = model.image.hf_token_secret.iter().map(|s| s.name.clone());
            add_all(&mut wanted.token_secrets, token);
            let secrets = model.service.secrets.values();
            add_all(
                &mut wanted.container_secrets,
                secrets.map(|s| (s.name.clone(), account.clone())),
            );
            add_all(&mut wanted.runtimes, [account]);
        }
        Ok(wanted)
    }

    /// Keeps the deployer for jobs of the default branch, and has a second one for pull requests.
    pub fn protect_production(&mut self) {
        self.preview_deployer = Some(format!("{PREVIEW_DEPLOYER}@{}", domain(&self.project)));
    }

    /// The accounts that jobs act as.
    pub fn deployers(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.deployer).chain(&self.preview_deployer)
    }

    /// Every service account with what it is for.
    pub fn accounts(&self) -> Vec<(&str, &'static str)> {
        let mut all = vec![(self.deployer.as_str(), "llm-deploy: the GitHub job")];
        let preview = self.preview_deployer.as_deref();
        all.extend(preview.map(|email| (email, "llm-deploy: the GitHub job of pull requests")));
        all.push((self.builder.as_str(), "llm-deploy: builds"));
        all.extend(
            self.runtimes
                .iter()
                .map(|r| (r.as_str(), "llm-deploy: containers")),
        );
        all
    }

    /// The part of an address before the `@`, when the account belongs to this project.
    pub fn account_id<'a>(&self, email: &'a str) -> Option<&'a str> {
        email.strip_suffix(&format!("@{}", domain(&self.project)))
    }

    pub fn name(&self) -> Name<'_> {
        Name {
            project: &self.project,
            pool: &self.pool,
            provider: &self.provider,
        }
    }

    /// `projects/{number}/locations/global/workloadIdentityPools/{pool}`
    pub fn pool_name(&self, number: &str) -> String {
        format!(
            "projects/{number}/locations/global/workloadIdentityPools/{}",
            self.pool
        )
    }

    /// Every job of the repository, as a policy's member.
    pub fn repository_jobs(&self, number: &str) -> String {
        let pool = self.pool_name(number);
        format!(
            "principalSet://iam.googleapis.com/{pool}/{BY_REPOSITORY}/{}",
            self.github.id
        )
    }

    /// The jobs of the default branch alone, as a policy's member. A pull request's job has another ref,
    /// `refs/pull/N/merge`.
    pub fn default_branch_jobs(&self, number: &str) -> String {
        let pool = self.pool_name(number);
        let github::Repository {
            id, default_branch, ..
        } = &self.github;
        format!("principalSet://iam.googleapis.com/{pool}/{BY_REF}/{id}:refs/heads/{default_branch}")
    }

    /// What the workflow's input `workload-identity-provider` takes.
    pub fn provider_name(&self, number: &str) -> String {
        format!("{}/providers/{}", self.pool_name(number), self.provider)
    }

    /// GitHub's jobs of this repository, and no other. Ids, because a name can be taken over after a rename.
    pub fn provider_settings(&self) -> Provider {
        let mut mapping = vec![
            ("google.subject", "assertion.sub"),
            ("attribute.repository", "assertion.repository"),
            (BY_REPOSITORY, "assertion.repository_id"),
            ("attribute.repository_owner_id", "assertion.repository_owner_id"),
        ];
        if self.preview_deployer.is_some() {
            // With the repository: the pool is one for all repositories of the project.
            mapping.push((BY_REF, "assertion.repository_id + \":\" + assertion.ref"));
        }
        Provider {
            state: State::Active,
            disabled: false,
            display_name: "GitHub Actions".to_owned(),
            description: self.mark(),
            attribute_mapping: mapping
                .into_iter()
                .map(|(to, from)| (to.to_owned(), from.to_owned()))
                .collect(),
            attribute_condition: format!(
                "assertion.repository_id == '{}' && assertion.repository_owner_id == '{}'",
                self.github.id, self.github.owner_id
            ),
            oidc: Oidc {
                issuer_uri: ISSUER.to_owned(),
                allowed_audiences: Vec::new(),
            },
        }
    }

    /// By this description a provider is known as ours. Google allows 256 characters, GitHub's names have 140 at most.
    fn mark(&self) -> String {
        format!("Made by llm-deploy for {}", self.github.full_name)
    }
}

/// Whether a provider with this description was made here, for whichever repository.
pub fn is_ours(description: &str) -> bool {
    description.starts_with("Made by llm-deploy for ")
}

fn pool_and_provider(name: &str) -> Result<(String, String), String> {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        [
            "projects",
            _,
            "locations",
            "global",
            "workloadIdentityPools",
            pool,
            "providers",
            provider,
        ] => Ok(((*pool).to_owned(), (*provider).to_owned())),
        _ => Err(format!(
            "`{name}` is not a workload identity provider. Give its full name, projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, or leave `--workload-identity-provider` out"
        )),
    }
}

fn add_all<T: PartialEq>(list: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    for one in more {
        if !list.contains(&one) {
            list.push(one);
        }
    }
}
