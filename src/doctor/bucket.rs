//! The bucket for the builds' sources and logs.

use std::collections::BTreeSet;

use super::{Check, Group, Seen, Verdict, permissions::CREATE_BUCKET};
use crate::{config::Config, google::storage::Bucket};

/// A bucket of that name, as far as it can be seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    Nowhere,
    /// The name is taken, and what is there can't be seen.
    Closed,
    Open(Bucket),
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Facts {
    pub bucket: Seen<Found>,
    /// Of the project that is deployed to.
    pub project_number: Seen<String>,
    /// Whether the project's own list of buckets has it.
    pub listed: Seen<bool>,
}

pub fn checks(config: &Config, facts: &Facts, on_project: &Seen<BTreeSet<String>>) -> Vec<Check> {
    let (name, group) = (config.build.bucket.as_str(), Group::Bucket);
    let ours = match (&facts.bucket, &facts.listed, &facts.project_number) {
        (Err(why), ..) => return vec![group.skipped(name, why)],
        (Ok(Found::Nowhere), ..) => return vec![missing(config, on_project)],
        (_, Ok(true), _) => true,
        (Ok(Found::Open(bucket)), _, Ok(number)) => bucket.project_number == *number,
        (Ok(Found::Closed), Ok(false), _) => false,
        (Ok(Found::Open(_)), _, Err(why)) | (Ok(Found::Closed), Err(why), _) => {
            return vec![group.skipped(name, why)];
        }
    };
    if !ours {
        let detail = "belongs to another project, whose owner could exchange what is built";
        return vec![
            group
                .fail(name, detail)
                .advice("Name another bucket in `build.bucket`"),
        ];
    }
    let there = group.pass(name, format!("is there, in project {}", config.project));
    let subject = format!("{name}: lifecycle");
    let lifecycle = match &facts.bucket {
        Ok(Found::Open(bucket)) if bucket.deletes_old() && !bucket.deletes_history() => {
            group.pass(subject, "deletes old sources and logs")
        }
        Ok(Found::Open(bucket)) if bucket.deletes_history() => group
            .warn(subject, "deletes production's history with old sources and logs")
            .command(set_lifecycle(name)),
        Ok(Found::Open(_)) => group
            .warn(subject, "nothing deletes old sources and logs")
            .command(set_lifecycle(name)),
        _ => {
            let why = "to see it takes storage.buckets.get on the bucket".to_owned();
            group.skipped(subject, &super::Unseen(why))
        }
    };
    vec![there, lifecycle]
}

/// The command that has a bucket's sources and logs deleted after a week, for bash and zsh.
pub fn set_lifecycle(bucket: &str) -> String {
    format!("gcloud storage buckets update gs://{bucket} --lifecycle-file=<(echo '{RULE}')")
}

const RULE: &str =
    r#"{"rule":[{"action":{"type":"Delete"},"condition":{"age":7,"matchesPrefix":["source/","logs/"]}}]}"#;

fn missing(config: &Config, on_project: &Seen<BTreeSet<String>>) -> Check {
    let (project, name) = (&config.project, config.build.bucket.as_str());
    let (verdict, detail) = match on_project {
        Ok(held) if held.contains(CREATE_BUCKET.permission) => {
            (Verdict::Warn, "is not there; the first build makes it".to_owned())
        }
        Ok(_) => (
            Verdict::Fail,
            format!("is not there, and to make it takes {}", CREATE_BUCKET.permission),
        ),
        Err(_) => (
            Verdict::Warn,
            "is not there; the first build makes it, if it may".to_owned(),
        ),
    };
    Group::Bucket.check(verdict, name, detail).command(format!(
        "gcloud storage buckets create gs://{name} --project={project} --location={} --uniform-bucket-level-access --public-access-prevention",
        config.region
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::{Unseen, testing};

    fn open(number: &str, days: Option<u32>) -> Seen<Found> {
        let rule = days.map(|age| json!({"action": {"type": "Delete"}, "condition": {"age": age, "matchesPrefix": ["source/", "logs/"]}}));
        let bucket = json!({"projectNumber": number, "lifecycle": {"rule": rule.as_slice()}});
        Ok(Found::Open(serde_json::from_value(bucket).unwrap()))
    }

    #[test]
    fn a_rule_that_deletes_the_history_too_is_told_with_the_command_that_spares_it() {
        let rule = json!({"action": {"type": "Delete"}, "condition": {"age": 7}});
        let bucket = json!({"projectNumber": "7", "lifecycle": {"rule": [rule]}});
        let facts = Facts {
            bucket: Ok(Found::Open(serde_json::from_value(bucket).unwrap())),
            project_number: Ok("7".to_owned()),
            listed: Ok(true),
        };
        let checks = checks(&testing::config(""), &facts, &Ok(BTreeSet::new()));
        assert_eq!(testing::verdicts(&checks), [Verdict::Pass, Verdict::Warn]);
        let told = format!("{checks:?}");
        assert!(
            told.contains("history") && told.contains("matchesPrefix"),
            "{told}"
        );
    }

    #[test]
    fn a_bucket_is_ours_by_its_project_s_number_or_the_project_s_own_list() {
        use Verdict::{Fail, Pass, Skipped, Warn};
        let why = || Unseen("403".to_owned());
        let number = || Ok("7".to_owned());
        for (bucket, project_number, listed, verdicts) in [
            (open("7", Some(7)), number(), Err(why()), vec![Pass, Pass]),
            (open("7", None), number(), Ok(true), vec![Pass, Warn]),
            (open("8", Some(7)), number(), Ok(false), vec![Fail]),
            (open("7", Some(7)), Err(why()), Ok(true), vec![Pass, Pass]),
            (open("7", Some(7)), Err(why()), Err(why()), vec![Skipped]),
            (Ok(Found::Closed), number(), Ok(true), vec![Pass, Skipped]),
            (Ok(Found::Closed), number(), Ok(false), vec![Fail]),
            (Ok(Found::Closed), number(), Err(why()), vec![Skipped]),
            (Ok(Found::Nowhere), number(), Ok(false), vec![Fail]),
            (Err(why()), number(), Ok(true), vec![Skipped]),
        ] {
            let facts = Facts {
                bucket,
                project_number,
                listed,
            };
            let checks = checks(&testing::config(""), &facts, &Ok(BTreeSet::new()));
            assert_eq!(testing::verdicts(&checks), verdicts, "{facts:?}");
        }
    }
}
