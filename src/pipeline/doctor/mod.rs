//! Gathers what the diagnosis is made from, everything at once. Changes nothing.
//!
//! What can't be looked at is told by its own check, and hides no other.

mod quick;
mod workflows;

use std::{collections::BTreeSet, future::Future, time::Duration};

use futures::future::join_all;
use secrecy::SecretString;

use super::Services;
use crate::{
    auth::CLOUD_PLATFORM,
    config::{Access, Config},
    doctor::{
        Check, Seen, Unseen, apis, bucket, credentials, machine, model,
        permissions::{self, Asked, CREATE_BUCKET, CREATE_REPOSITORY, Need},
        quota::{self, Against, Quotas},
        repository, secret,
    },
    environment::Environment,
    google::{
        self,
        artifact_registry::{self, Repository},
        cloud_quotas,
        permissions::held,
        policy,
        resource::Resource,
        resource_manager, secret_manager, service_usage, storage,
    },
    hugging_face,
    tempo::Tempo,
};

pub use quick::Gate;
pub use workflows::checks as workflow_checks;

/// Longest that one answer is waited for here.
const PATIENCE: Duration = Duration::from_secs(30);
/// Audience of the ID token that is made to see whether one can be; no service has it.
const AUDIENCE: &str = "https://llm-deploy.invalid";

/// Every check of Google Cloud and Hugging Face.
pub async fn examine(services: &Services, config: &Config) -> Vec<Check> {
    let credentials = credentials(services, config).await;
    let mut checks = credentials::checks(&config.project, &credentials);
    let token = services.hugging_face_token.as_ref();
    if credentials.token.is_ok() {
        let (of_google, models) = futures::join!(
            of_google(services, config),
            models(&services.environment, token, config)
        );
        checks.extend(of_google.into_iter().chain(models));
    } else {
        // Each request would say the same.
        checks.extend(without_google(&services.environment, token, config).await);
    }
    checks
}

/// What can be looked at when no credentials were found at all.
pub async fn without_credentials(environment: &Environment, config: &Config, why: &str) -> Vec<Check> {
    let token = environment.secret("HF_TOKEN");
    let mut checks = vec![credentials::none(why)];
    checks.extend(without_google(environment, token, config).await);
    checks
}

async fn without_google(
    environment: &Environment,
    token: Option<&SecretString>,
    config: &Config,
) -> Vec<Check> {
    let mut checks = machine::checks(config, &Quotas::new());
    checks.extend(models(environment, token, config).await);
    checks
}

async fn credentials(services: &Services, config: &Config) -> credentials::Facts {
    let token = async {
        let token = services.credentials.access();
        token
            .token(&[CLOUD_PLATFORM])
            .await
            .map(drop)
            .map_err(|e| Unseen(e.to_string()))
    };
    let private = config.models.iter().any(|m| m.service.access == Access::Private);
    let id_token = async {
        let bearer = services.credentials.id_token(AUDIENCE);
        bearer.bearer().await.map(drop).map_err(Unseen)
    };
    let tempo = services.environment.tempo;
    let (token, id_token) = futures::join!(in_time(tempo, PATIENCE, token), async {
        if private {
            Some(in_time(tempo, PATIENCE, id_token).await)
        } else {
            None
        }
    });
    let taken = &services.credentials;
    credentials::Facts {
        description: taken.description().to_owned(),
        reasons: taken.reasons().to_vec(),
        limits: taken.limits(),
        token,
        id_token,
        invoker: taken.invoker().ok().flatten().map(str::to_owned),
    }
}

async fn of_google(services: &Services, config: &Config) -> Vec<Check> {
    let look = Look {
        services,
        config,
        patience: PATIENCE,
    };
    let (google, project) = (&services.google, config.project.as_str());
    let (hosts, repository, wanted) = (apis::hosts(), repository_of(config), secret::wanted(config));
    let quota_ids = quota::ids(config, true);
    // Which account is the project's default one follows from its number.
    let resources = async {
        let number = look.seen(resource_manager::project_number(google, project)).await;
        let account = number
            .as_ref()
            .ok()
            .map(|n| format!("{n}-compute@developer.gserviceaccount.com"));
        let resources = look.resources(account.as_deref()).await;
        (number, account, resources)
    };
    let (apis, on_project, (project_number, account, resources), repository, bucket, listed, quotas, secrets) = futures::join!(
        look.seen(service_usage::states(google, project, &hosts)),
        look.permissions(Resource::Project(project.to_owned()), project_needs(config)),
        resources,
        look.seen(artifact_registry::look(google, &repository)),
        look.bucket(),
        look.seen(async {
            let listed = storage::listed(google, project, &config.build.bucket).await?;
            Ok(listed.is_some())
        }),
        look.quotas(&quota_ids),
        join_all(wanted.iter().map(|wanted| look.secret(wanted))),
    );
    let held = on_project.held.clone().map(Option::unwrap_or_default);
    let on_project = Asked {
        needs: permissions::on_project(config),
        ..on_project
    };
    let bucket = bucket::Facts {
        bucket,
        project_number,
        listed,
    };
    let member = member(services);
    let mut checks = apis::checks(config, &apis);
    for asked in std::iter::once(&on_project).chain(&resources) {
        checks.extend(permissions::checks(asked, &member));
    }
    checks.extend(repository::checks(config, &repository, &held));
    checks.extend(bucket::checks(config, &bucket, &held));
    for (wanted, facts) in wanted.iter().zip(&secrets) {
        checks.extend(secret::checks(project, wanted, facts, account.as_deref()));
    }
    checks.extend(machine::checks(config, &quotas));
    checks.extend(quota::checks(config, &quotas, Against::All));
    checks
}

/// Those that a run needs, and those with which it makes what is not there.
fn project_needs(config: &Config) -> Vec<Need> {
    let mut needs = permissions::on_project(config);
    needs.extend([CREATE_BUCKET, CREATE_REPOSITORY]);
    needs
}

/// Whom a role is granted to: who these credentials are.
fn member(services: &Services) -> String {
    match services.credentials.account() {
        Some(account) => format!("serviceAccount:{account}"),
        None if services.environment.in_actions() => "MEMBER".to_owned(),
        None => "user:$(gcloud config get account)".to_owned(),
    }
}

fn repository_of(config: &Config) -> Repository<'_> {
    Repository {
        project: &config.project,
        location: &config.region,
        repository: &config.build.repository,
    }
}

async fn models(environment: &Environment, token: Option<&SecretString>, config: &Config) -> Vec<Check> {
    let checks = config.models.iter().map(|wanted| async {
        let found = hugging_face::resolve(environment, &wanted.id, &wanted.revision, token).await;
        model::check(wanted, &found)
    });
    join_all(checks).await
}

/// What is asked with.
struct Look<'a> {
    services: &'a Services,
    config: &'a Config,
    /// Longest that one answer is waited for, its repetitions together.
    patience: Duration,
}

impl Look<'_> {
    async fn seen<T>(&self, answer: impl Future<Output = Result<T, google::Error>>) -> Seen<T> {
        let tempo = self.services.environment.tempo;
        in_time(tempo, self.patience, async {
            answer.await.map_err(|e| unseen(&e))
        })
        .await
    }

    async fn permissions(&self, resource: Resource, needs: Vec<Need>) -> Asked {
        let names: Vec<&str> = needs.iter().map(|n| n.permission).collect();
        let held = async {
            match held(&self.services.google, &resource, &names).await {
                Ok(held) => Ok(Some(held)),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error),
            }
        };
        let held = self.seen(held).await;
        Asked {
            resource,
            needs,
            held,
        }
    }

    /// On everything that has a policy of its own.
    async fn resources(&self, default_account: Option<&str>) -> Vec<Asked> {
        let (project, build) = (&self.config.project, &self.config.build);
        let mut all = vec![
            (Resource::Bucket(build.bucket.clone()), permissions::on_bucket()),
            (
                Resource::Repository {
                    project: project.clone(),
                    location: self.config.region.clone(),
                    repository: build.repository.clone(),
                },
                permissions::on_repository(),
            ),
        ];
        let secrets: BTreeSet<String> = secret::wanted(self.config)
            .into_iter()
            .map(|w| w.secret.name)
            .collect();
        all.extend(secrets.into_iter().map(|secret| {
            let project = project.clone();
            (Resource::Secret { project, secret }, permissions::on_secret())
        }));
        let runtime = self
            .config
            .models
            .iter()
            .map(|m| m.service.service_account.as_deref());
        let accounts: BTreeSet<&str> = runtime
            .chain([build.service_account.as_deref()])
            .filter_map(|account| account.or(default_account))
            .collect();
        all.extend(accounts.into_iter().map(|account| {
            let account = Resource::service_account(account, project);
            (account, permissions::on_account())
        }));
        join_all(
            all.into_iter()
                .map(|(resource, needs)| self.permissions(resource, needs)),
        )
        .await
    }

    async fn bucket(&self) -> Seen<bucket::Found> {
        let found = async {
            match storage::look(&self.services.google, &self.config.build.bucket).await {
                Ok(Some(bucket)) => Ok(bucket::Found::Open(bucket)),
                Ok(None) => Ok(bucket::Found::Nowhere),
                Err(error) if error.is_permission_denied() && error.disabled_api().is_none() => {
                    Ok(bucket::Found::Closed)
                }
                Err(error) => Err(error),
            }
        };
        self.seen(found).await
    }

    async fn secret(&self, wanted: &secret::Wanted) -> secret::Facts {
        let (google, project) = (&self.services.google, self.config.project.as_str());
        let (name, version) = (&wanted.secret.name, &wanted.secret.version);
        let resource = Resource::Secret {
            project: project.to_owned(),
            secret: name.clone(),
        };
        let (enabled, policy) = futures::join!(
            self.seen(secret_manager::version_enabled(google, project, name, version)),
            self.seen(policy::read(google, &resource)),
        );
        secret::Facts { enabled, policy }
    }

    async fn quotas(&self, ids: &[String]) -> Quotas {
        let quotas = ids.iter().map(|id| async {
            let quota = cloud_quotas::of_cloud_run(&self.services.google, &self.config.project, id);
            (id.clone(), self.seen(quota).await)
        });
        join_all(quotas).await.into_iter().collect()
    }
}

async fn in_time<T>(tempo: Tempo, patience: Duration, answer: impl Future<Output = Seen<T>>) -> Seen<T> {
    let late = || Unseen(format!("no answer within {} seconds", patience.as_secs()));
    tokio::time::timeout(tempo.of(patience), answer)
        .await
        .unwrap_or_else(|_| Err(late()))
}

/// Why something can't be looked at. A disabled API has its own check: no more than its name here.
fn unseen(error: &google::Error) -> Unseen {
    if error.disabled_api().is_some() {
        return Unseen("the API that tells it is not enabled".to_owned());
    }
    Unseen(error.to_string())
}
