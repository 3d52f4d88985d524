//! The same steps as gcloud commands: for who wants to read, or run, them by hand.

use super::{Action, Wanted};
use crate::{
    doctor::{bucket, repository},
    google::roles,
};

/// The commands of a step; none for a file. `number` is the project's.
pub fn commands(wanted: &Wanted, action: &Action) -> Vec<String> {
    let pools = "gcloud iam workload-identity-pools";
    let (pool, provider) = (&wanted.pool, &wanted.provider);
    let in_pool = format!("{provider} --workload-identity-pool={pool} --location=global");
    let one = match action {
        Action::EnableApis(apis) => format!("gcloud services enable {}", apis.join(" ")),
        Action::CreateAccount { id, purpose } => {
            format!("gcloud iam service-accounts create {id} --display-name='{purpose}'")
        }
        Action::EnableAccount { email } => format!("gcloud iam service-accounts enable {email}"),
        Action::CreatePool => format!("{pools} create {pool} --location=global --display-name=llm-deploy"),
        Action::UndeletePool => format!("{pools} undelete {pool} --location=global"),
        Action::EnablePool => format!("{pools} update {pool} --location=global --no-disabled"),
        Action::CreateProvider => format!("{pools} providers create-oidc {in_pool} {}", settings(wanted)),
        Action::UndeleteProvider => format!("{pools} providers undelete {in_pool}"),
        Action::PatchProvider => {
            format!(
                "{pools} providers update-oidc {in_pool} --no-disabled {}",
                settings(wanted)
            )
        }
        Action::CreateBucket => format!(
            "gcloud storage buckets create gs://{} --location={} --uniform-bucket-level-access --public-access-prevention",
            wanted.bucket, wanted.region
        ),
        Action::SetLifecycle => return vec![lifecycle(wanted)],
        Action::CreateRepository => format!(
            "gcloud artifacts repositories create {} --location={} --repository-format=docker --labels=managed-by=llm-deploy",
            wanted.repository, wanted.region
        ),
        Action::SetCleanup => return vec![cleanup(wanted)],
        Action::CreateSecret { secret } => {
            format!("gcloud secrets create {secret} --replication-policy=automatic")
        }
        Action::AddToken { secret } => format!("gcloud secrets versions add {secret} --data-file=-"),
        Action::Grant { on, grants } => {
            let commands = grants
                .iter()
                .map(|grant| roles::grant(on, &grant.member, grant.role));
            return commands.collect();
        }
        Action::Revoke { on, role, member } => return vec![roles::revoke(on, member, role)],
        Action::Write(_) => return Vec::new(),
    };
    let mut all = vec![in_project(wanted, &one)];
    match action {
        Action::CreateBucket => all.push(lifecycle(wanted)),
        Action::CreateRepository => all.push(cleanup(wanted)),
        _ => (),
    }
    all
}

fn lifecycle(wanted: &Wanted) -> String {
    in_project(wanted, &bucket::set_lifecycle(&wanted.bucket))
}

fn cleanup(wanted: &Wanted) -> String {
    repository::set_policy(
        &wanted.repository,
        &wanted.project,
        &wanted.region,
        wanted.keep,
        wanted.delete_older_than,
    )
}

fn in_project(wanted: &Wanted, command: &str) -> String {
    format!("{command} --project={}", wanted.project)
}

fn settings(wanted: &Wanted) -> String {
    let settings = wanted.provider_settings();
    let mapping: Vec<String> = settings
        .attribute_mapping
        .iter()
        .map(|(to, from)| format!("{to}={from}"))
        .collect();
    format!(
        "--issuer-uri={} --attribute-mapping='{}' --attribute-condition=\"{}\"",
        settings.oidc.issuer_uri,
        mapping.join(","),
        settings.attribute_condition
    )
}
