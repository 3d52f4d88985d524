//! Why Google refused a step, and what the user does: a role to ask for, an organization's rule, no billing.

use super::{Action, apply::Failure};
use crate::{
    google::{Error, resource::Resource, roles},
    pipeline::failed::{Blame, Failed},
};

const OWNER: &str = "roles/owner";

/// The failure of a step as the user is told it.
pub fn step(project: &str, title: &str, action: &Action, failure: &Failure) -> Failed {
    let error = match failure {
        Failure::Google(error) => error,
        other => return Failed::new(Blame::Input, title.to_owned(), other.to_string()),
    };
    let permission = needed(action);
    let role = roles::holding(permission).map_or(OWNER, |(role, _)| role);
    google(project, title, (permission, role), error)
}

/// A failure to see what is there.
pub fn survey(project: &str, error: &Error) -> Failed {
    let title = format!("what is there in project {project} could not be seen");
    let needed = ("resourcemanager.projects.get", OWNER);
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
        let permission = answer.permission.as_deref().unwrap_or(permission_of_step);
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

/// A permission that the step takes.
fn needed(action: &Action) -> &'static str {
    match action {
        Action::EnableApis(_) => "serviceusage.services.enable",
        Action::CreateAccount { .. } => "iam.serviceAccounts.create",
        Action::EnableAccount { .. } => "iam.serviceAccounts.enable",
        Action::CreatePool => "iam.workloadIdentityPools.create",
        Action::UndeletePool => "iam.workloadIdentityPools.undelete",
        Action::EnablePool => "iam.workloadIdentityPools.update",
        Action::CreateProvider => "iam.workloadIdentityPoolProviders.create",
        Action::UndeleteProvider => "iam.workloadIdentityPoolProviders.undelete",
        Action::PatchProvider => "iam.workloadIdentityPoolProviders.update",
        Action::CreateBucket => "storage.buckets.create",
        Action::SetLifecycle => "storage.buckets.update",
        Action::CreateRepository => "artifactregistry.repositories.create",
        Action::SetCleanup => "artifactregistry.repositories.update",
        Action::CreateSecret { .. } => "secretmanager.secrets.create",
        Action::AddToken { .. } => "secretmanager.versions.add",
        Action::Grant { on, .. } | Action::Revoke { on, .. } => match on {
            Resource::Project(_) => "resourcemanager.projects.setIamPolicy",
            Resource::ServiceAccount { .. } => "iam.serviceAccounts.setIamPolicy",
            Resource::Bucket(_) => "storage.buckets.setIamPolicy",
            Resource::Repository { .. } => "artifactregistry.repositories.setIamPolicy",
            Resource::Secret { .. } => "secretmanager.secrets.setIamPolicy",
        },
        // Not Google's.
        Action::Write(_) => "",
    }
}
