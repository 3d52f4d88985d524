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
    let needed = ("resourcemanager.projects.get", "roles/owner");
    let mut failed = google(project, &title, needed, error);
    // Google answers the same to a project that is not there.
    if let Some(fix) = failed
        .failure
        .fix
        .as_mut()
        .filter(|fix| fix.starts_with("You lack"))
    {
        *fix = format!("Check that {project} is the project's id. {fix}");
    }
    failed
}

fn google(project: &str, title: &str, needed: (&str, &str), error: &Error) -> Failed {
    let failed = Failed::google("", error);
    match fix(project, needed, error) {
        // The explanations of a run speak of the deploying account, which is not who runs bootstrap.
        Some(fix) => Failed::new(failed.blame, title, error.to_string()).fix(fix),
        None => {
            let mut failed = failed;
            title.clone_into(&mut failed.failure.title);
            failed
        }
    }
}

/// What the user does. The parts of Google's messages were seen in public reports.
fn fix(project: &str, (permission_of_step, role): (&str, &str), error: &Error) -> Option<String> {
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
    if let Some((_, rest)) = message.split_once("Location ")
        && let Some((location, _)) = rest.split_once(" is not found")
    {
        return Some(format!(
            "Check `--region`: there may be no {location}. https://docs.cloud.google.com/run/docs/configuring/services/gpu lists the regions with GPUs"
        ));
    }
    if error.is_permission_denied() {
        let permission = answer.permission.as_deref().or_else(|| denied(message));
        let permission = permission.unwrap_or(permission_of_step);
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
