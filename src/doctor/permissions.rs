//! What the credentials may do: on the project, and on what has a policy of its own.

use std::collections::BTreeSet;

use super::{Check, Group, Seen, Verdict};
use crate::{
    config::{Access, Config},
    google::{resource::Resource, roles},
};

/// A permission that a run needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    pub permission: &'static str,
    /// What a run does with it.
    pub purpose: &'static str,
    /// What its absence comes to.
    pub without: Verdict,
}

impl Need {
    /// The smallest predefined role that has it.
    pub fn role(self) -> &'static str {
        roles::holding(self.permission).map_or("roles/owner", |(role, _)| role)
    }
}

/// What was asked about one resource.
#[derive(Clone, Debug)]
pub struct Asked {
    pub resource: Resource,
    pub needs: Vec<Need>,
    /// Those that are held; `None` when there is no such resource.
    pub held: Seen<Option<BTreeSet<String>>>,
}

const fn need(permission: &'static str, purpose: &'static str) -> Need {
    Need {
        permission,
        purpose,
        without: Verdict::Fail,
    }
}

const fn wish(permission: &'static str, purpose: &'static str) -> Need {
    Need {
        permission,
        purpose,
        without: Verdict::Warn,
    }
}

const PROJECT: [Need; 14] = [
    need("run.services.create", "create services"),
    need("run.services.get", "look at services"),
    need("run.services.list", "find previews"),
    need("run.services.update", "make new revisions"),
    need("run.services.delete", "delete previews"),
    need("run.operations.get", "wait for a deployment"),
    need("run.revisions.get", "see why a revision does not start"),
    wish("run.revisions.list", "see which images are in use"),
    need("cloudbuild.builds.create", "start builds"),
    need("cloudbuild.builds.get", "wait for builds"),
    need("cloudbuild.builds.list", "find a build that a killed run started"),
    need("cloudbuild.builds.update", "cancel builds"),
    wish(
        "logging.logEntries.list",
        "show the container's log when it does not start",
    ),
    wish(
        "serviceusage.services.use",
        "have API calls counted to the project",
    ),
];

/// With these a run makes what is not there.
pub const CREATE_BUCKET: Need = need("storage.buckets.create", "make the bucket");
pub const CREATE_REPOSITORY: Need = need("artifactregistry.repositories.create", "make the repository");

/// The project's. An endpoint that is public takes the right to say who may call, one that is private the right to
/// call it; each preview is a new service, so that both are the project's.
pub fn on_project(config: &Config) -> Vec<Need> {
    let has = |access| config.models.iter().any(|m| m.service.access == access);
    let mut needs = PROJECT.to_vec();
    if has(Access::Public) {
        needs.push(need("run.services.setIamPolicy", "make an endpoint public"));
    }
    if has(Access::Private) {
        needs.push(wish("run.routes.invoke", "test a private endpoint"));
    }
    needs
}

pub fn on_bucket() -> Vec<Need> {
    vec![
        need("storage.objects.create", "upload the build's source"),
        need("storage.objects.get", "read the build's log"),
        wish("storage.buckets.get", "see whose bucket it is"),
    ]
}

pub fn on_repository() -> Vec<Need> {
    vec![
        need("artifactregistry.repositories.get", "see that it is there"),
        need("artifactregistry.tags.get", "see which images are there"),
        wish(
            "artifactregistry.versions.delete",
            "delete the images of closed pull requests",
        ),
    ]
}

pub fn on_secret() -> Vec<Need> {
    vec![need(
        "secretmanager.versions.get",
        "see that the secret has a value",
    )]
}

pub fn on_account() -> Vec<Need> {
    vec![need("iam.serviceAccounts.actAs", "start what runs as it")]
}

/// One check for a resource whose permissions are all held, else one for each role that is missing.
pub fn checks(asked: &Asked, member: &str) -> Vec<Check> {
    let group = Group::Permissions;
    let subject = asked.resource.to_string();
    let held = match &asked.held {
        Ok(Some(held)) => held,
        // What is not there is told by its own check.
        Ok(None) => return Vec::new(),
        Err(why) => return vec![group.skipped(subject, why)],
    };
    let missing: Vec<&Need> = asked
        .needs
        .iter()
        .filter(|n| !held.contains(n.permission))
        .collect();
    if missing.is_empty() {
        let names: Vec<&str> = asked.needs.iter().map(|n| n.permission).collect();
        let detail = match names.as_slice() {
            few if few.len() <= 3 => few.join(", "),
            many => format!("all {} that a run needs", many.len()),
        };
        return vec![group.pass(subject, detail)];
    }
    let mut by_role: Vec<(&str, Vec<&Need>)> = Vec::new();
    for need in missing {
        match by_role.iter_mut().find(|(role, _)| *role == need.role()) {
            Some((_, needs)) => needs.push(need),
            None => by_role.push((need.role(), vec![need])),
        }
    }
    let check = |(role, needs): (&str, Vec<&Need>)| {
        let verdict = needs.iter().map(|n| n.without).max().unwrap_or(Verdict::Fail);
        let lacks: Vec<String> = needs
            .iter()
            .map(|n| format!("{} (to {})", n.permission, n.purpose))
            .collect();
        let detail = format!("lacks {}; {role} has it", lacks.join(", "));
        let check = group.check(verdict, subject.clone(), detail);
        check.command(roles::grant(&asked.resource, member, role))
    };
    by_role.into_iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Unseen, testing};

    fn asked(resource: Resource, needs: Vec<Need>, held: &[&str]) -> Asked {
        Asked {
            resource,
            needs,
            held: Ok(Some(held.iter().map(|p| (*p).to_owned()).collect())),
        }
    }

    #[test]
    fn each_missing_role_is_named_with_its_permissions_and_the_command_that_grants_it() {
        let config = testing::config("service: { access: public }");
        let held = [
            "run.services.create",
            "run.services.get",
            "run.services.list",
            "run.services.update",
        ];
        let all = [
            asked(
                Resource::Project("acme-llm".to_owned()),
                on_project(&config),
                &held,
            ),
            asked(
                Resource::Bucket("b".to_owned()),
                on_bucket(),
                &["storage.buckets.get"],
            ),
            asked(
                Resource::Repository {
                    project: "acme-llm".to_owned(),
                    location: "europe-west4".to_owned(),
                    repository: "r".to_owned(),
                },
                on_repository(),
                &[],
            ),
            asked(
                Resource::Secret {
                    project: "acme-llm".to_owned(),
                    secret: "s".to_owned(),
                },
                on_secret(),
                &[],
            ),
            asked(
                Resource::service_account("a@other.iam.gserviceaccount.com", "acme-llm"),
                on_account(),
                &[],
            ),
        ];
        let found: Vec<Check> = all.iter().flat_map(|a| checks(a, "user:me")).collect();
        insta::assert_snapshot!(testing::lines(&found));
    }

    #[test]
    fn what_is_held_passes_and_what_can_t_be_asked_is_skipped() {
        let resource = Resource::service_account("a@acme-llm.iam.gserviceaccount.com", "acme-llm");
        let full = asked(resource.clone(), on_account(), &["iam.serviceAccounts.actAs"]);
        assert_eq!(testing::verdicts(&checks(&full, "m")), [Verdict::Pass]);
        let closed = Asked {
            held: Err(Unseen("403".to_owned())),
            ..full.clone()
        };
        assert_eq!(testing::verdicts(&checks(&closed, "m")), [Verdict::Skipped]);
        let absent = Asked {
            held: Ok(None),
            ..full
        };
        assert_eq!(checks(&absent, "m"), []);
    }

    #[test]
    fn a_private_endpoint_is_called_and_a_public_one_is_opened() {
        let has = |more: &str, permission: &str| {
            on_project(&testing::config(more))
                .iter()
                .any(|n| n.permission == permission)
        };
        assert!(
            has("service: { access: private }", "run.routes.invoke")
                && !has("service: { access: public }", "run.routes.invoke")
        );
        assert!(has("service: { access: public }", "run.services.setIamPolicy"));
        assert!(!has("service: { access: private }", "run.services.setIamPolicy"));
    }
}
