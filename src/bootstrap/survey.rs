//! What is there. Reads only.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::{try_join, try_join_all};

use super::{
    Wanted, roles,
    wanted::{APIS, NUMBER},
};
use crate::google::{
    Client, Error,
    artifact_registry::{self, FoundRepository, Repository},
    policy::{self, Policy},
    resource::Resource,
    resource_manager, secret_manager, service_accounts,
    service_accounts::ServiceAccount,
    service_usage,
    storage::{self, Bucket},
    workload_identity::{self, Pool, Provider},
};

/// The project as it is. What belongs to an API that is off can't be seen, and counts as absent.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Host names of the APIs that are off.
    pub off: Vec<&'static str>,
    /// The project's number.
    pub number: Option<String>,
    /// By address.
    pub accounts: BTreeMap<String, ServiceAccount>,
    pub pool: Option<Pool>,
    pub provider: Option<Provider>,
    pub bucket: Option<Bucket>,
    pub repository: Option<FoundRepository>,
    /// Those that are there; true with an enabled version.
    pub secrets: BTreeMap<String, bool>,
    pub policies: BTreeMap<Resource, Policy>,
}

impl Found {
    fn is_on(&self, api: &str) -> bool {
        !self.off.iter().any(|off| off.split('.').next() == Some(api))
    }
}

/// Looks at everything that is wanted, in three rounds of requests at once.
///
/// An API that was turned on a moment ago may still be refused as off, by some of Google's servers: those refusals
/// are borne for `patience`.
pub async fn survey(c: &Client, wanted: &Wanted, patience: Duration) -> Result<Found, Error> {
    let until = tokio::time::Instant::now() + patience;
    let mut pause = c.pace().ramp();
    loop {
        match look(c, wanted).await {
            Err(error) if error.disabled_api().is_some() && tokio::time::Instant::now() < until => {
                tokio::time::sleep(pause.next()).await;
            }
            looked => return looked,
        }
    }
}

async fn look(c: &Client, wanted: &Wanted) -> Result<Found, Error> {
    let states = service_usage::states(c, &wanted.project, &APIS).await?;
    let mut found = Found {
        off: APIS
            .into_iter()
            .filter(|api| states.get(*api) != Some(&true))
            .collect(),
        ..Found::default()
    };
    let ((number, accounts), (identity, stores)) = try_join(
        try_join(number(c, wanted, &found), accounts(c, wanted, &found)),
        try_join(identity(c, wanted, &found), stores(c, wanted, &found)),
    )
    .await?;
    let secrets = secrets(c, wanted, &found).await?;
    (found.number, found.accounts, found.secrets) = (number, accounts, secrets);
    (found.pool, found.provider) = identity;
    (found.bucket, found.repository) = stores;
    found.policies = policies(c, wanted, &found).await?;
    Ok(found)
}

async fn number(c: &Client, wanted: &Wanted, found: &Found) -> Result<Option<String>, Error> {
    if !found.is_on("cloudresourcemanager") {
        return Ok(None);
    }
    resource_manager::project_number(c, &wanted.project)
        .await
        .map(Some)
}

async fn accounts(
    c: &Client,
    wanted: &Wanted,
    found: &Found,
) -> Result<BTreeMap<String, ServiceAccount>, Error> {
    if !found.is_on("iam") {
        return Ok(BTreeMap::new());
    }
    let looks = wanted.accounts().into_iter().map(|(email, _)| async move {
        let found = service_accounts::find(c, &wanted.project, email).await?;
        Ok::<_, Error>(found.map(|account| (email.to_owned(), account)))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

async fn identity(
    c: &Client,
    wanted: &Wanted,
    found: &Found,
) -> Result<(Option<Pool>, Option<Provider>), Error> {
    if !found.is_on("iam") {
        return Ok((None, None));
    }
    let name = wanted.name();
    try_join(
        workload_identity::find_pool(c, &name),
        workload_identity::find_provider(c, &name),
    )
    .await
}

async fn stores(
    c: &Client,
    wanted: &Wanted,
    found: &Found,
) -> Result<(Option<Bucket>, Option<FoundRepository>), Error> {
    let bucket = async {
        if !found.is_on("storage") {
            return Ok(None);
        }
        storage::find_bucket(c, &wanted.project, &wanted.bucket).await
    };
    let repository = async {
        if !found.is_on("artifactregistry") {
            return Ok(None);
        }
        artifact_registry::find_repository(c, &repository(wanted)).await
    };
    try_join(bucket, repository).await
}

/// Address of the repository.
pub(super) fn repository(wanted: &Wanted) -> Repository<'_> {
    Repository {
        project: &wanted.project,
        location: &wanted.region,
        repository: &wanted.repository,
    }
}

async fn secrets(c: &Client, wanted: &Wanted, found: &Found) -> Result<BTreeMap<String, bool>, Error> {
    if !found.is_on("secretmanager") {
        return Ok(BTreeMap::new());
    }
    let containers = wanted.container_secrets.iter().map(|(secret, _)| secret);
    let names: BTreeSet<&String> = wanted.token_secrets.iter().chain(containers).collect();
    let looks = names.into_iter().map(|name| async move {
        if !secret_manager::exists(c, &wanted.project, name).await? {
            return Ok::<_, Error>(None);
        }
        let enabled = secret_manager::version_enabled(c, &wanted.project, name, "latest").await?;
        Ok(Some((name.clone(), enabled)))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

async fn policies(c: &Client, wanted: &Wanted, found: &Found) -> Result<BTreeMap<Resource, Policy>, Error> {
    let resources: BTreeSet<Resource> = roles::grants(wanted, found.number.as_deref().unwrap_or(NUMBER))
        .into_iter()
        .map(|grant| grant.on)
        .filter(|resource| found.has(resource))
        .collect();
    let reads = resources.into_iter().map(|resource| async move {
        let policy = policy::read(c, &resource).await?;
        Ok::<_, Error>((resource, policy))
    });
    Ok(try_join_all(reads).await?.into_iter().collect())
}

impl Found {
    /// Whether an earlier run kept the deployer for jobs of the default branch.
    pub fn protects_production(&self, wanted: &Wanted) -> bool {
        let on = Resource::ServiceAccount {
            project: wanted.project.clone(),
            email: wanted.deployer.clone(),
        };
        let (Some(number), Some(policy)) = (&self.number, self.policies.get(&on)) else {
            return false;
        };
        policy.grants(roles::ACT_AS_JOB, &wanted.default_branch_jobs(number))
    }

    /// Whether the resource was seen.
    pub fn has(&self, resource: &Resource) -> bool {
        match resource {
            Resource::Project(_) => self.number.is_some(),
            Resource::ServiceAccount { email, .. } => self.accounts.contains_key(email),
            Resource::Bucket(_) => self.bucket.is_some(),
            Resource::Repository { .. } => self.repository.is_some(),
            Resource::Secret { secret, .. } => self.secrets.contains_key(secret),
        }
    }
}
