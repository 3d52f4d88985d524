//! The Artifact Registry repository and what it cleans up.

use std::{collections::BTreeSet, time::Duration};

use super::{Check, Group, Seen, Verdict, permissions::CREATE_REPOSITORY};
use crate::{config::Config, google::artifact_registry::FoundRepository};

/// `on_project` are the permissions that are held on the project.
pub fn checks(
    config: &Config,
    found: &Seen<Option<FoundRepository>>,
    on_project: &Seen<BTreeSet<String>>,
) -> Vec<Check> {
    let name = &config.build.repository;
    let group = Group::Repository;
    match found {
        Err(why) => vec![group.skipped(name.as_str(), why)],
        Ok(None) => vec![missing(config, on_project)],
        Ok(Some(found)) if !matches!(found.format.as_str(), "" | "DOCKER") => {
            let detail = format!("holds {} packages, not Docker images", found.format);
            vec![
                group
                    .fail(name.as_str(), detail)
                    .advice("Name another one in `build.repository`"),
            ]
        }
        Ok(Some(found)) => {
            let there = group.pass(name.as_str(), format!("is there, in {}", config.region));
            vec![there, cleanup(config, found)]
        }
    }
}

fn missing(config: &Config, on_project: &Seen<BTreeSet<String>>) -> Check {
    let (project, name) = (&config.project, &config.build.repository);
    let (verdict, detail) = match on_project {
        Ok(held) if held.contains(CREATE_REPOSITORY.permission) => {
            (Verdict::Warn, "is not there; the first run makes it".to_owned())
        }
        Ok(_) => {
            let may_not = format!(
                "is not there, and to make it takes {}",
                CREATE_REPOSITORY.permission
            );
            (Verdict::Fail, may_not)
        }
        Err(_) => (
            Verdict::Warn,
            "is not there; the first run makes it, if it may".to_owned(),
        ),
    };
    Group::Repository.check(verdict, name.as_str(), detail).command(format!(
        "gcloud artifacts repositories create {name} --project={project} --location={} --repository-format=docker",
        config.region
    ))
}

/// Images are tens of gigabytes: without a policy they pile up, and with too strict a one a rollback has nothing to
/// go back to.
fn cleanup(config: &Config, found: &FoundRepository) -> Check {
    let subject = format!("{}: cleanup policy", config.build.repository);
    let group = Group::Repository;
    let policies = || found.cleanup_policies.values();
    let deletes = policies().any(|p| p.action == "DELETE");
    let kept = policies()
        .filter(|p| p.action == "KEEP")
        .filter_map(|p| p.most_recent_versions.as_ref())
        .map(|recent| recent.keep_count)
        .max();
    let check = match kept {
        _ if !deletes => group.warn(
            subject,
            "nothing deletes old images, which are paid for by size and time",
        ),
        _ if found.cleanup_policy_dry_run => group.warn(subject, "is a dry run: it deletes nothing"),
        None => group.warn(
            subject,
            "deletes by age alone: an image to roll back to may be gone",
        ),
        Some(1) => group.warn(
            subject,
            "keeps only the latest image of each model: there is none to roll back to",
        ),
        Some(count) => return group.pass(subject, format!("keeps the newest {count} images of each model")),
    };
    let build = &config.build;
    let (keep, age) = (build.keep, build.delete_older_than);
    check.command(set_policy(
        &build.repository,
        &config.project,
        &config.region,
        keep,
        age,
    ))
}

/// The command that gives a repository the cleanup policy of llm-deploy's own, for bash and zsh.
pub fn set_policy(repository: &str, project: &str, location: &str, keep: u32, age: Duration) -> String {
    let policy = serde_json::json!([
        {"name": "keep-recent", "action": {"type": "Keep"}, "mostRecentVersions": {"keepCount": keep}},
        {"name": "delete-old", "action": {"type": "Delete"},
         "condition": {"tagState": "any", "olderThan": format!("{}s", age.as_secs())}},
    ]);
    format!(
        "gcloud artifacts repositories set-cleanup-policies {repository} --project={project} --location={location} --no-dry-run --policy=<(echo '{policy}')"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::{Unseen, testing};

    fn found(value: serde_json::Value) -> Seen<Option<FoundRepository>> {
        Ok(Some(serde_json::from_value(value).unwrap()))
    }

    #[test]
    fn a_cleanup_policy_deletes_old_images_and_keeps_some_to_roll_back_to() {
        let delete = json!({"action": "DELETE", "condition": {"olderThan": "604800s"}});
        let keep = |count: u32| json!({"action": "KEEP", "mostRecentVersions": {"keepCount": count}});
        for (policies, dry_run, verdict, word) in [
            (
                json!({"d": delete, "k": keep(3)}),
                false,
                Verdict::Pass,
                "newest 3",
            ),
            (json!({"d": delete, "k": keep(3)}), true, Verdict::Warn, "dry run"),
            (
                json!({"d": delete, "k": keep(1)}),
                false,
                Verdict::Warn,
                "only the latest",
            ),
            (json!({"d": delete}), false, Verdict::Warn, "by age alone"),
            (json!({"k": keep(3)}), false, Verdict::Warn, "nothing deletes"),
            (json!({}), false, Verdict::Warn, "nothing deletes"),
        ] {
            let repository = found(json!({
                "format": "DOCKER", "cleanupPolicies": policies, "cleanupPolicyDryRun": dry_run,
            }));
            let checks = checks(&testing::config(""), &repository, &Ok(BTreeSet::new()));
            assert_eq!(testing::verdicts(&checks), [Verdict::Pass, verdict], "{policies}");
            assert!(checks[1].detail.contains(word), "{}", checks[1].detail);
            assert_eq!(checks[1].fix.is_some(), verdict == Verdict::Warn);
        }
    }

    #[test]
    fn a_repository_that_is_not_there_fails_only_who_may_not_make_it() {
        let held = |names: &[&str]| Ok(names.iter().map(|n| (*n).to_owned()).collect());
        for (held, verdict) in [
            (held(&["artifactregistry.repositories.create"]), Verdict::Warn),
            (held(&[]), Verdict::Fail),
            (Err(Unseen("403".to_owned())), Verdict::Warn),
        ] {
            let checks = checks(&testing::config(""), &Ok(None), &held);
            assert_eq!(testing::verdicts(&checks), [verdict]);
        }
        insta::assert_snapshot!(testing::lines(&checks(
            &testing::config(""),
            &Ok(None),
            &held(&[])
        )));
    }

    #[test]
    fn a_repository_of_another_format_can_t_be_used() {
        let maven = found(json!({"format": "MAVEN"}));
        let checks = checks(&testing::config(""), &maven, &Ok(BTreeSet::new()));
        assert_eq!(testing::verdicts(&checks), [Verdict::Fail]);
    }
}
