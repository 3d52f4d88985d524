//! The secrets that builds and containers read: there, with a value, and readable by who reads them.

use super::{Check, Group, Seen};
use crate::{
    config::{Config, SecretRef},
    google::{policy::Policy, resource::Resource, roles},
};

const ACCESSOR: &str = "roles/secretmanager.secretAccessor";

/// A secret that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub secret: SecretRef,
    /// Service account that reads it; `None` for the project's default one.
    pub reader: Option<String>,
    /// `builds`, `the container of qwen`.
    pub whose: String,
}

/// What was seen of it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whether its version is there and enabled.
    pub enabled: Seen<bool>,
    /// Its own policy.
    pub policy: Seen<Policy>,
}

/// Each once.
pub fn wanted(config: &Config) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for model in &config.models {
        let of_build = model.image.hf_token_secret.iter().map(|secret| Wanted {
            secret: secret.clone(),
            reader: config.build.service_account.clone(),
            whose: "builds".to_owned(),
        });
        let of_service = model.service.secrets.values().map(|secret| Wanted {
            secret: secret.clone(),
            reader: model.service.service_account.clone(),
            whose: format!("the container of {}", model.name),
        });
        for wanted in of_build.chain(of_service) {
            if !all.contains(&wanted) {
                all.push(wanted);
            }
        }
    }
    all
}

/// `default_account` is the project's, when it is known.
pub fn checks(project: &str, wanted: &Wanted, facts: &Facts, default_account: Option<&str>) -> Vec<Check> {
    let (name, version) = (&wanted.secret.name, &wanted.secret.version);
    let group = Group::Secrets;
    match &facts.enabled {
        Err(why) => return vec![group.skipped(name.as_str(), why)],
        Ok(false) => {
            let detail = format!(
                "has no version `{version}` that is enabled, or is not there; gcloud reads the value from standard input"
            );
            // The first is refused, and does no harm, when the secret is there without such a version.
            return vec![group.fail(name.as_str(), detail).command(format!(
                "gcloud secrets create {name} --project={project} --replication-policy=automatic; gcloud secrets versions add {name} --project={project} --data-file=-"
            ))];
        }
        Ok(true) => {}
    }
    let there = group.pass(name.as_str(), format!("its version `{version}` is enabled"));
    vec![there, reader(project, wanted, &facts.policy, default_account)]
}

fn reader(project: &str, wanted: &Wanted, policy: &Seen<Policy>, default_account: Option<&str>) -> Check {
    let group = Group::Secrets;
    let subject = format!("{}: read by {}", wanted.secret.name, wanted.whose);
    let account = match (wanted.reader.as_deref().or(default_account), policy) {
        (_, Err(why)) => return group.skipped(subject, why),
        (None, _) => {
            let why = "which account reads it is not known".to_owned();
            return group.skipped(subject, &super::Unseen(why));
        }
        (Some(account), Ok(_)) => account,
    };
    let member = format!("serviceAccount:{account}");
    if policy
        .as_ref()
        .is_ok_and(|policy| policy.grants(ACCESSOR, &member))
    {
        return group.pass(subject, format!("{account} may"));
    }
    let resource = Resource::Secret {
        project: project.to_owned(),
        secret: wanted.secret.name.clone(),
    };
    let detail =
        format!("its policy does not give {account} {ACCESSOR}; unless the project's does, reading it fails");
    group
        .warn(subject, detail)
        .command(roles::grant(&resource, &member, ACCESSOR))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::{Unseen, Verdict, testing};

    const MORE: &str = "image: { hf-token-secret: 'hf-token:2' }\nbuild: { service-account: b@acme-llm.iam.gserviceaccount.com }\nservice: { secrets: { KEY: api-key } }";

    fn policy(member: &str) -> Seen<Policy> {
        let policy = json!({"bindings": [{"role": ACCESSOR, "members": [member]}]});
        Ok(serde_json::from_value(policy).unwrap())
    }

    #[test]
    fn a_secret_has_a_value_and_who_reads_it_may() {
        use Verdict::{Fail, Pass, Skipped, Warn};
        let wanted = wanted(&testing::config(MORE));
        let builder = "serviceAccount:b@acme-llm.iam.gserviceaccount.com";
        let why = || Unseen("403".to_owned());
        for (enabled, policy, verdicts) in [
            (Ok(true), policy(builder), vec![Pass, Pass]),
            (Ok(true), policy("user:me"), vec![Pass, Warn]),
            (Ok(true), Err(why()), vec![Pass, Skipped]),
            (Ok(false), policy(builder), vec![Fail]),
            (Err(why()), policy(builder), vec![Skipped]),
        ] {
            let facts = Facts { enabled, policy };
            let checks = checks("acme-llm", &wanted[0], &facts, None);
            assert_eq!(testing::verdicts(&checks), verdicts, "{facts:?}");
        }
    }

    #[test]
    fn a_container_without_an_account_of_its_own_reads_as_the_project_s_default_one() {
        let wanted = wanted(&testing::config(MORE));
        let facts = Facts {
            enabled: Ok(true),
            policy: policy("serviceAccount:7-compute@developer.gserviceaccount.com"),
        };
        let verdict = |account| checks("acme-llm", &wanted[1], &facts, account)[1].verdict;
        assert_eq!(
            verdict(Some("7-compute@developer.gserviceaccount.com")),
            Verdict::Pass
        );
        assert_eq!(verdict(None), Verdict::Skipped);
    }
}
