//! Who gets which role on what: the least that a deployment works with.

use super::Wanted;
use crate::google::resource::Resource;

/// Lets a member of a workload identity pool act as a service account.
pub const ACT_AS_JOB: &str = "roles/iam.workloadIdentityUser";

/// One role of one member on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub on: Resource,
    pub role: &'static str,
    pub member: String,
    /// What it is needed for.
    pub why: &'static str,
}

/// Every grant, those of one resource together. `number` is the project's.
pub fn grants(wanted: &Wanted, number: &str) -> Vec<Grant> {
    let mut all = on_project(wanted);
    all.extend(on_accounts(wanted, number));
    all.extend(on_storage(wanted));
    all.extend(on_secrets(wanted));
    all
}

fn account(email: &str) -> String {
    format!("serviceAccount:{email}")
}

fn on_project(wanted: &Wanted) -> Vec<Grant> {
    let services = if wanted.public {
        (
            "roles/run.admin",
            "services and revisions, letting anyone call them, tests",
        )
    } else {
        (
            "roles/run.developer",
            "services, revisions, and calling them in tests",
        )
    };
    let deployer = [
        services,
        ("roles/cloudbuild.builds.editor", "builds"),
        (
            "roles/logging.viewer",
            "a container's last lines when it does not start",
        ),
        (
            "roles/serviceusage.serviceUsageConsumer",
            "API calls are counted to the project",
        ),
        (
            "roles/cloudquotas.viewer",
            "sees the GPU quota before anything is built",
        ),
    ];
    let writer = ("roles/logging.logWriter", "build logs, which go to Cloud Logging");
    let builder = wanted.logs_to_cloud_logging.then_some(writer);
    let grant = |(role, why), email: &str| Grant {
        on: Resource::Project(wanted.project.clone()),
        role,
        member: account(email),
        why,
    };
    let deployers = wanted.deployers();
    deployers
        .flat_map(|email| deployer.map(|role| grant(role, email)))
        .chain(builder.map(|role| grant(role, &wanted.builder)))
        .collect()
}

fn on_accounts(wanted: &Wanted, number: &str) -> Vec<Grant> {
    let on = |email: &str| Resource::ServiceAccount {
        project: wanted.project.clone(),
        email: email.to_owned(),
    };
    let jobs = |email: &str, member, why| Grant {
        on: on(email),
        role: ACT_AS_JOB,
        member,
        why,
    };
    let every = wanted.repository_jobs(number);
    let mut all = match &wanted.preview_deployer {
        None => vec![jobs(&wanted.deployer, every, "the repository's jobs act as it")],
        Some(preview) => vec![
            jobs(
                &wanted.deployer,
                wanted.default_branch_jobs(number),
                "jobs of the default branch act as it",
            ),
            jobs(preview, every, "jobs of pull requests act as it"),
        ],
    };
    for deployer in wanted.deployers() {
        let act_as = |email: &String, why| Grant {
            on: on(email),
            role: "roles/iam.serviceAccountUser",
            member: account(deployer),
            why,
        };
        all.push(act_as(&wanted.builder, "to start builds that run as it"));
        let services = wanted.runtimes.iter().filter(|r| **r != wanted.builder);
        all.extend(services.map(|r| act_as(r, "to deploy services that run as it")));
    }
    all
}

fn on_storage(wanted: &Wanted) -> Vec<Grant> {
    let bucket = Resource::Bucket(wanted.bucket.clone());
    let repository = Resource::Repository {
        project: wanted.project.clone(),
        location: wanted.region.clone(),
        repository: wanted.repository.clone(),
    };
    let of_deployer = [
        (
            &bucket,
            "roles/storage.objectUser",
            "uploads sources, reads build logs",
        ),
        (
            &bucket,
            "roles/storage.legacyBucketReader",
            "sees that the bucket is the project's own",
        ),
        (
            &repository,
            "roles/artifactregistry.reader",
            "sees which images are there",
        ),
        (
            &repository,
            "roles/artifactregistry.repoAdmin",
            "deletes the images of closed pull requests",
        ),
    ];
    let of_builder = [
        (
            &bucket,
            "roles/storage.objectUser",
            "reads the source, writes the log",
        ),
        (
            &bucket,
            "roles/storage.legacyBucketReader",
            "Cloud Build looks at the bucket for logs",
        ),
        (&repository, "roles/artifactregistry.writer", "pushes images"),
    ];
    let grant = |(on, role, why): (&Resource, _, _), email: &str| Grant {
        on: on.clone(),
        role,
        member: account(email),
        why,
    };
    let deployers = wanted.deployers();
    deployers
        .flat_map(|email| of_deployer.map(|role| grant(role, email)))
        .chain(of_builder.map(|role| grant(role, &wanted.builder)))
        .collect()
}

fn on_secrets(wanted: &Wanted) -> Vec<Grant> {
    let grant = |secret: &str, role, email: &str, why| Grant {
        on: Resource::Secret {
            project: wanted.project.clone(),
            secret: secret.to_owned(),
        },
        role,
        member: account(email),
        why,
    };
    let accessor = "roles/secretmanager.secretAccessor";
    let tokens = wanted.token_secrets.iter().flat_map(|secret| {
        let sees = wanted.deployers().map(|email| {
            grant(
                secret,
                "roles/secretmanager.viewer",
                email,
                "sees that the token is there, never its value",
            )
        });
        let downloads = grant(secret, accessor, &wanted.builder, "downloads gated models");
        std::iter::once(downloads).chain(sees.collect::<Vec<_>>())
    });
    let containers = wanted.container_secrets.iter();
    let containers =
        containers.map(|(secret, email)| grant(secret, accessor, email, "the container's variable"));
    tokens.chain(containers).collect()
}
