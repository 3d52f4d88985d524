//! Why Google refused a step, and what the user does: a role to ask for, an organization's rule, no billing.

use super::{Action, apply::Failure};
use crate::{
    google::{Error, policy_of::Resource},
    pipeline::failed::{Blame, Failed},
};

/// The failure of a step as the user is told it.
pub fn step(project: &str, title: &str, action: &Action, failure: &Failure) -> Failed {
    let error = match failure {
        Failure::Google(error) => error,
        other => return Failed::new(Blame::Input, title.to_owned(), other.to_string()),
    };
    let needed = needed(action);
    google(project, title, needed, error)
}

/// A failure to see what is there.
pub fn survey(project: &str, error: &Error) -> Failed {
    let title = format!("what is there in project {project} could not be seen");
    google(
        project,
        &title,
        ("resourcemanager.projects.get", "roles/owner"),
        error,
    )
}

fn google(project: &str, title: &str, needed: (&str, &str), error: &Error) -> Failed {
    let mut failed = Failed::google("", error);
    failed.failure.title = title.to_owned();
    failed.failure.cause = error.to_string();
    if let Some(fix) = fix(project, needed, error) {
        failed.failure.fix = Some(fix);
    }
    failed
}

/// What the user does. The parts of Google's messages were seen in public reports.
fn fix(project: &str, (permission, role): (&str, &str), error: &Error) -> Option<String> {
    let answer = error.answer()?;
    let message = answer.message.as_str();
    let says = |part: &str| message.contains(part);
    let again = "and run bootstrap again: it takes up where it ended";
    if says("illing") {
        return Some(format!(
            "Link a billing account at https://console.cloud.google.com/billing/linkedaccount?project={project} {again}"
        ));
    }
    if let Some(url) = error.disabled_api() {
        return Some(format!("Turn the API on at {url} {again}"));
    }
    if let Some(constraint) = constraint(message) {
        return Some(format!(
            "A rule of your organization, {constraint}, forbids it: ask an organization policy administrator for an exception for project {project}, {again}"
        ));
    }
    if says("permitted customer") {
        return Some(format!(
            "Your organization's domain restricted sharing (constraints/iam.allowedPolicyMemberDomains) forbids this member: ask an organization policy administrator to allow it in project {project}, {again}"
        ));
    }
    if error.is_permission_denied() {
        let permission = denied(message).unwrap_or(permission);
        return Some(format!(
            "You lack the permission {permission}: ask an owner of the project for {role}, or have an owner run bootstrap (`gcloud projects add-iam-policy-binding {project} --member=user:YOU --role={role}`)"
        ));
    }
    None
}

/// The organization policy constraint that a message names.
fn constraint(message: &str) -> Option<&str> {
    let start = message.find("constraints/")?;
    let rest = &message[start..];
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c)));
    Some(rest[..end.unwrap_or(rest.len())].trim_end_matches('.'))
}

/// The permission that a message names: `Permission 'iam.serviceAccounts.create' denied on …`.
fn denied(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("ermission '")?;
    let (name, _) = rest.split_once('\'')?;
    (name.matches('.').count() >= 2).then_some(name)
}

/// A permission that the step takes, and the least role that has it and all else that such steps take.
fn needed(action: &Action) -> (&'static str, &'static str) {
    const ACCOUNTS: &str = "roles/iam.serviceAccountAdmin";
    const POOLS: &str = "roles/iam.workloadIdentityPoolAdmin";
    const BUCKETS: &str = "roles/storage.admin";
    const IMAGES: &str = "roles/artifactregistry.admin";
    const SECRETS: &str = "roles/secretmanager.admin";
    match action {
        Action::EnableApis(_) => (
            "serviceusage.services.enable",
            "roles/serviceusage.serviceUsageAdmin",
        ),
        Action::CreateAccount { .. } => ("iam.serviceAccounts.create", ACCOUNTS),
        Action::EnableAccount { .. } => ("iam.serviceAccounts.enable", ACCOUNTS),
        Action::CreatePool => ("iam.workloadIdentityPools.create", POOLS),
        Action::UndeletePool => ("iam.workloadIdentityPools.undelete", POOLS),
        Action::EnablePool => ("iam.workloadIdentityPools.update", POOLS),
        Action::CreateProvider => ("iam.workloadIdentityPoolProviders.create", POOLS),
        Action::UndeleteProvider => ("iam.workloadIdentityPoolProviders.undelete", POOLS),
        Action::PatchProvider => ("iam.workloadIdentityPoolProviders.update", POOLS),
        Action::CreateBucket => ("storage.buckets.create", BUCKETS),
        Action::SetLifecycle => ("storage.buckets.update", BUCKETS),
        Action::CreateRepository => ("artifactregistry.repositories.create", IMAGES),
        Action::SetCleanup => ("artifactregistry.repositories.update", IMAGES),
        Action::CreateSecret { .. } => ("secretmanager.secrets.create", SECRETS),
        Action::AddToken { .. } => ("secretmanager.versions.add", SECRETS),
        Action::Grant { on, .. } => match on {
            Resource::Project(_) => (
                "resourcemanager.projects.setIamPolicy",
                "roles/resourcemanager.projectIamAdmin",
            ),
            Resource::ServiceAccount { .. } => ("iam.serviceAccounts.setIamPolicy", ACCOUNTS),
            Resource::Bucket(_) => ("storage.buckets.setIamPolicy", BUCKETS),
            Resource::Repository { .. } => ("artifactregistry.repositories.setIamPolicy", IMAGES),
            Resource::Secret { .. } => ("secretmanager.secrets.setIamPolicy", SECRETS),
        },
        Action::Write(_) => ("", ""),
    }
}
