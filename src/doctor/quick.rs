//! The quick form, at the start of a run: only what is certain stops it, the rest is told in the report.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Check, Seen, Verdict, apis, permissions,
    quota::{self, Against, Quotas},
};
use crate::{config::Config, google::resource::Resource};

/// What one round of requests showed. What could not be seen is passed over.
#[derive(Clone, Debug)]
pub struct Facts {
    /// By host: whether it is on.
    pub apis: Seen<BTreeMap<String, bool>>,
    /// Those permissions that are held on the project.
    pub permissions: Seen<BTreeSet<String>>,
    pub quotas: Quotas,
}

/// What a run can't get over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    pub title: String,
    pub cause: String,
    pub fix: String,
}

impl Facts {
    /// Why the run can't succeed, when that is certain. `build`: an image has to be built.
    pub fn stop(&self, config: &Config, build: bool) -> Option<Stop> {
        let states = self.apis.as_ref().ok()?;
        let off: Vec<apis::Api> = apis::ALL
            .into_iter()
            .filter(|api| states.get(api.host) == Some(&false))
            .collect();
        // The ID token's API counts to the project of the account that it is for, which may be another.
        let certain = |api: &apis::Api| api.is_needed(config, build) && api.need != apis::Need::Private;
        let needed: Vec<&apis::Api> = off.iter().filter(|api| certain(api)).collect();
        let names: Vec<String> = needed
            .iter()
            .map(|api| format!("{} (for {})", api.host, api.purpose))
            .collect();
        // All at once: with one after the other, each run would find the next.
        let wanted: Vec<&str> = off
            .iter()
            .filter(|api| api.is_needed(config, true))
            .map(|api| api.host)
            .collect();
        (!needed.is_empty()).then(|| Stop {
            title: format!(
                "APIs that this run needs are not enabled in project {}",
                config.project
            ),
            cause: names.join(", "),
            fix: apis::enable(&config.project, &wanted),
        })
    }

    /// What the report tells: permissions that the project does not give (a resource may), and too little quota.
    pub fn warnings(&self, config: &Config) -> Vec<String> {
        let asked = permissions::Asked {
            resource: Resource::Project(config.project.clone()),
            needs: permissions::on_project(config),
            held: self.permissions.clone().map(Some),
        };
        let permissions = permissions::checks(&asked, "MEMBER");
        let certain = permissions.into_iter().filter(|c| c.verdict == Verdict::Fail);
        let quota = quota::checks(config, &self.quotas, Against::Each);
        let short = quota.into_iter().filter(|c| c.verdict > Verdict::Skipped);
        certain.chain(short).map(|check| in_words(&check)).collect()
    }
}

fn in_words(check: &Check) -> String {
    let fix = check.fix.as_ref().map(|fix| format!(": {}", fix.text()));
    format!(
        "{} {}: {}{}",
        check.group.name(),
        check.subject,
        check.detail,
        fix.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Unseen, testing};

    fn facts(off: &[&str]) -> Facts {
        let states = apis::hosts().map(|host| (host.to_owned(), !off.contains(&host)));
        let config = testing::config("");
        let held = permissions::on_project(&config)
            .into_iter()
            .map(|n| n.permission.to_owned());
        Facts {
            apis: Ok(states.into()),
            permissions: Ok(held.collect()),
            quotas: Quotas::new(),
        }
    }

    #[test]
    fn only_an_api_that_this_run_needs_stops_it_and_the_fix_enables_all_that_are_off() {
        let config = testing::config("");
        let of_builds = facts(&["cloudbuild.googleapis.com", "logging.googleapis.com"]);
        assert_eq!(of_builds.stop(&config, false), None, "the image is there");
        let stop = of_builds.stop(&config, true).unwrap();
        assert_eq!(
            stop.fix,
            "gcloud services enable cloudbuild.googleapis.com --project acme-llm"
        );
        let stop = facts(&["run.googleapis.com", "storage.googleapis.com"])
            .stop(&config, false)
            .unwrap();
        assert!(!stop.cause.contains("storage"), "{}", stop.cause);
        assert!(
            stop.fix.contains("run.googleapis.com storage.googleapis.com"),
            "{}",
            stop.fix
        );
    }

    #[test]
    fn an_api_of_another_project_s_account_or_for_telling_more_stops_nothing() {
        let others = [
            "iamcredentials",
            "iam",
            "logging",
            "cloudresourcemanager",
            "cloudquotas",
            "secretmanager",
        ];
        let others = others.map(|name| format!("{name}.googleapis.com"));
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        assert_eq!(facts(&others).stop(&testing::config(""), true), None);
    }

    #[test]
    fn what_could_not_be_asked_neither_stops_nor_warns() {
        let why = || Unseen("403".to_owned());
        let facts = Facts {
            apis: Err(why()),
            permissions: Err(why()),
            quotas: quota::ids(&testing::config(""), false)
                .into_iter()
                .map(|id| (id, Err(why())))
                .collect(),
        };
        let config = testing::config("");
        assert_eq!(
            (facts.stop(&config, true), facts.warnings(&config)),
            (None, Vec::new())
        );
    }

    #[test]
    fn a_permission_that_the_project_does_not_give_is_a_warning() {
        let mut facts = facts(&[]);
        let config = testing::config("");
        assert_eq!(facts.warnings(&config), Vec::<String>::new());
        facts.permissions = facts.permissions.map(|mut held| {
            held.remove("cloudbuild.builds.create");
            held
        });
        insta::assert_snapshot!(facts.warnings(&config).join("\n"));
        assert_eq!(facts.stop(&config, true), None);
    }
}
