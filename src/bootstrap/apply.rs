//! Carries one step out.

use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use super::{Action, Wanted, files, survey::repository};
use crate::google::{
    Client, Error, artifact_registry, policy, secret_manager, service_accounts, service_usage, storage,
    workload_identity,
};

/// Turning on a dozen APIs takes a minute or two.
const ENABLE: Duration = Duration::from_secs(600);

/// Why a step could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Google(#[from] Error),
    #[error("could not write {path}: {reason}. Check the folder's permissions")]
    File { path: String, reason: String },
    #[error("there is no Hugging Face token to put into the secret")]
    NoToken,
}

/// Does it, and waits until it is done. What was made a moment ago is not known to all of Google's servers at once:
/// their refusals are borne for the client's patience, and `waiting` is told of each.
pub async fn apply(
    c: &Client,
    wanted: &Wanted,
    action: &Action,
    token: Option<&SecretString>,
    waiting: &(dyn Fn(&Error) + Send + Sync),
) -> Result<(), Failure> {
    match action {
        Action::Write(file) => files::put(file),
        Action::AddToken { secret } => {
            let token = token.ok_or(Failure::NoToken)?;
            settled(c, waiting, || {
                secret_manager::add_version(c, &wanted.project, secret, token)
            })
            .await?;
            Ok(())
        }
        action => {
            settled(c, waiting, || google(c, wanted, action)).await?;
            Ok(())
        }
    }
}

async fn google(c: &Client, wanted: &Wanted, action: &Action) -> Result<(), Error> {
    let (project, name) = (wanted.project.as_str(), wanted.name());
    match action {
        Action::EnableApis(apis) => service_usage::enable(c, project, apis, ENABLE).await,
        Action::CreateAccount { id, purpose } => service_accounts::create(c, project, id, purpose).await,
        Action::EnableAccount { email } => service_accounts::enable(c, project, email).await,
        Action::CreatePool => {
            workload_identity::create_pool(c, &name, "GitHub Actions, for llm-deploy").await
        }
        Action::UndeletePool => workload_identity::undelete_pool(c, &name).await,
        Action::EnablePool => workload_identity::enable_pool(c, &name).await,
        Action::CreateProvider => {
            workload_identity::create_provider(c, &name, &wanted.provider_settings()).await
        }
        Action::UndeleteProvider => workload_identity::undelete_provider(c, &name).await,
        Action::PatchProvider => {
            workload_identity::patch_provider(c, &name, &wanted.provider_settings()).await
        }
        Action::CreateBucket => storage::ensure_bucket(c, project, &wanted.bucket, &wanted.region)
            .await
            .map(drop),
        Action::SetLifecycle => storage::set_lifecycle(c, &wanted.bucket).await,
        Action::CreateRepository => artifact_registry::ensure_repository(
            c,
            &repository(wanted),
            wanted.keep,
            wanted.delete_older_than,
        )
        .await
        .map(drop),
        Action::SetCleanup => {
            artifact_registry::set_cleanup(c, &repository(wanted), wanted.keep, wanted.delete_older_than)
                .await
        }
        Action::CreateSecret { secret } => secret_manager::create(c, project, secret).await,
        Action::Grant { on, grants } => {
            let grants: Vec<(String, String)> = grants
                .iter()
                .map(|grant| (grant.role.to_owned(), grant.member.clone()))
                .collect();
            policy::grant(c, on, &grants).await.map(drop)
        }
        Action::Revoke { on, role, member } => policy::revoke(c, on, role, member).await.map(drop),
        // Neither is Google's.
        Action::AddToken { .. } | Action::Write(_) => Ok(()),
    }
}

/// Does it again while the reason for its failure is one that passes.
async fn settled<F: Future<Output = Result<(), Error>>>(
    c: &Client,
    waiting: &(dyn Fn(&Error) + Send + Sync),
    act: impl Fn() -> F,
) -> Result<(), Error> {
    let until = Instant::now() + c.pace().patience;
    let mut pause = c.pace().ramp();
    loop {
        match act().await {
            Err(error) if passes(&error) && Instant::now() < until => {
                waiting(&error);
                tokio::time::sleep(pause.next()).await;
            }
            done => return done,
        }
    }
}

/// Whether the refusal is one that ends by itself: somebody else wrote the same policy at the same time, the thing
/// or the member was made a moment ago, or its API was turned on a moment ago.
fn passes(error: &Error) -> bool {
    let unknown_member = error
        .answer()
        .is_some_and(|answer| answer.http_status == 400 && answer.message.contains("does not exist"));
    error.is_aborted() || error.is_not_found() || unknown_member || error.disabled_api().is_some()
}
