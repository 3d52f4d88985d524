//! Which of Google's APIs the project has on.

use std::collections::BTreeMap;

use super::{Check, Group, Seen, Verdict};
use crate::config::{Access, Config};

/// An API, and what happens without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    pub host: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    pub need: Need,
}

/// When a run can't do without an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Always,
    /// When an image has to be built.
    Build,
    /// When a secret is named.
    Secrets,
    /// When an endpoint is private.
    Private,
    /// Never: something is told less well.
    Never,
}

/// By the project whose APIs they are. STS and the IAM API of the identity pool's project, which may be another,
/// show when the token is asked for.
pub const ALL: [Api; 10] = [
    api("run.googleapis.com", "services", Need::Always),
    api("artifactregistry.googleapis.com", "images", Need::Always),
    api("cloudbuild.googleapis.com", "builds", Need::Build),
    api(
        "storage.googleapis.com",
        "the builds' sources and logs",
        Need::Build,
    ),
    api("secretmanager.googleapis.com", "secrets", Need::Secrets),
    api(
        "iamcredentials.googleapis.com",
        "the ID token for a private endpoint",
        Need::Private,
    ),
    api("iam.googleapis.com", "looking at service accounts", Need::Never),
    api(
        "logging.googleapis.com",
        "the container's log when it does not start",
        Need::Never,
    ),
    api(
        "cloudresourcemanager.googleapis.com",
        "the project's number and permissions",
        Need::Never,
    ),
    api("cloudquotas.googleapis.com", "looking at quota", Need::Never),
];

const fn api(host: &'static str, purpose: &'static str, need: Need) -> Api {
    Api { host, purpose, need }
}

pub fn hosts() -> [&'static str; ALL.len()] {
    ALL.map(|api| api.host)
}

/// The command that turns them on.
pub fn enable(project: &str, hosts: &[&str]) -> String {
    format!("gcloud services enable {} --project={project}", hosts.join(" "))
}

impl Api {
    /// Whether a run with this configuration fails without it; `build` tells whether an image has to be built.
    pub fn is_needed(self, config: &Config, build: bool) -> bool {
        let models = &config.models;
        match self.need {
            Need::Always => true,
            Need::Build => build,
            Need::Secrets => {
                let of_a_build = models.iter().any(|m| m.image.hf_token_secret.is_some());
                build && of_a_build || models.iter().any(|m| !m.service.secrets.is_empty())
            }
            Need::Private => models.iter().any(|m| m.service.access == Access::Private),
            Need::Never => false,
        }
    }
}

/// `states` by host: whether it is on.
pub fn checks(config: &Config, states: &Seen<BTreeMap<String, bool>>) -> Vec<Check> {
    let states = match states {
        Ok(states) => states,
        Err(why) => return vec![Group::Apis.skipped("all", why)],
    };
    let off: Vec<Api> = ALL
        .into_iter()
        .filter(|api| !states.get(api.host).copied().unwrap_or(false))
        .collect();
    let mut checks: Vec<Check> = off
        .iter()
        .map(|api| {
            let verdict = if api.is_needed(config, true) {
                Verdict::Fail
            } else {
                Verdict::Warn
            };
            let detail = format!("is not enabled; it is for {}", api.purpose);
            let check = Group::Apis.check(verdict, api.host, detail);
            check.command(enable(&config.project, &[api.host]))
        })
        .collect();
    let on = ALL.len() - off.len();
    if on > 0 {
        let detail = format!("{on} of {} are enabled", ALL.len());
        checks.push(Group::Apis.pass(format!("project {}", config.project), detail));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Unseen, testing};

    #[test]
    fn an_api_that_a_run_needs_fails_and_another_warns_each_with_its_command() {
        let config = testing::config("service: { access: public }");
        let off = [
            "run.googleapis.com",
            "secretmanager.googleapis.com",
            "iamcredentials.googleapis.com",
        ];
        let states = hosts().map(|host| (host.to_owned(), !off.contains(&host)));
        insta::assert_snapshot!(testing::lines(&checks(&config, &Ok(states.into()))));
        let config = testing::config("image: { hf-token-secret: hf-token }");
        let needed = checks(&config, &Ok(BTreeMap::new()));
        let fails: Vec<&str> = needed
            .iter()
            .filter(|c| c.verdict == Verdict::Fail)
            .map(|c| c.subject.as_str())
            .collect();
        assert_eq!(fails, ALL[..6].iter().map(|api| api.host).collect::<Vec<_>>());
    }

    #[test]
    fn apis_that_can_t_be_asked_for_are_skipped_with_the_reason() {
        let config = testing::config("");
        let checks = checks(&config, &Err(Unseen("403".to_owned())));
        assert_eq!(testing::lines(&checks), "Skipped all: 403");
    }
}
