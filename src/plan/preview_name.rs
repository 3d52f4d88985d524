//! What a pull request's service is called. Pure.
//!
//! `<name>-pr-<number>`, unless somebody else's service has that name: repositories that share a project may have the
//! same model and the same number. Then `<name>-<hash of the repository>-pr-<number>`.

use super::target::short_hash;

/// Cloud Run's longest service name: <https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services/create>.
const LONGEST: usize = 49;
/// Hex digits of a hash in a name.
const HASH: usize = 6;

/// `qwen3-5-4b-pr-12`
pub fn plain(model: &str, pull_request: u64) -> String {
    fitting(model, &format!("-pr-{pull_request}"))
}

/// `qwen3-5-4b-1a2b3c-pr-12`: the repository's own, where the plain name is taken. GitHub ignores a name's case.
pub fn of_repository(model: &str, repository: &str, pull_request: u64) -> String {
    let hash = hash(&repository.to_lowercase());
    fitting(model, &format!("-{hash}-pr-{pull_request}"))
}

/// Whether `service` is what a preview of this model and pull request is called.
pub fn is_of(service: &str, model: &str, repository: &str, pull_request: u64) -> bool {
    service == plain(model, pull_request) || service == of_repository(model, repository, pull_request)
}

/// The name and its ending; when both are too long, the name's tail gives way to a hash of the whole name.
fn fitting(name: &str, ending: &str) -> String {
    let room = LONGEST.saturating_sub(ending.len());
    if name.len() <= room {
        return format!("{name}{ending}");
    }
    let kept: String = name.chars().take(room.saturating_sub(HASH + 1)).collect();
    format!("{}-{}{ending}", kept.trim_end_matches('-'), hash(name))
}

fn hash(text: &str) -> String {
    short_hash(text).chars().take(HASH).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The longest name that a model may have.
    const LONG: &str = "mixture-of-experts-instruct-awq-int4x";

    #[test]
    fn a_name_says_model_and_number_and_stays_within_cloud_runs_limit() {
        assert_eq!(LONG.len(), 37);
        let shortened = format!("mixture-of-experts-{}", hash(LONG));
        for (model, number, expected) in [
            ("qwen3-5-4b", 12, "qwen3-5-4b-pr-12".to_owned()),
            (LONG, 12, format!("{LONG}-pr-12")),
            (LONG, 99_999_999, format!("{LONG}-pr-99999999")),
            (
                LONG,
                10_000_000_000_000_000_000,
                format!("{shortened}-pr-10000000000000000000"),
            ),
        ] {
            assert_eq!(plain(model, number), expected);
        }
        let hash = hash("octo/app");
        for (model, expected) in [
            ("qwen3-5-4b", format!("qwen3-5-4b-{hash}-pr-12")),
            // 49 - 13 = 36: one character too many, and the cut falls behind a hyphen.
            (
                LONG,
                format!("mixture-of-experts-instruct-a-{}-{hash}-pr-12", super::hash(LONG)),
            ),
        ] {
            assert_eq!(of_repository(model, "Octo/App", 12), expected);
        }
    }

    #[test]
    fn every_name_is_one_that_cloud_run_takes_and_no_two_are_the_same() {
        let models = [
            "a".to_owned(),
            "qwen3-5-4b".to_owned(),
            LONG.to_owned(),
            // As long, and the same but for their ends.
            format!("{}y", &LONG[..36]),
            format!("{}z", &LONG[..36]),
            // Whatever is cut leaves hyphens behind.
            format!("a{}z", "-".repeat(35)),
            "foo-pr-1".to_owned(),
        ];
        let numbers = [1, 2, 12, 121, 99_999_999, 100_000_000, u64::MAX];
        let mut seen = BTreeSet::new();
        let mut count = 0;
        for model in &models {
            for number in numbers {
                let mut names = vec![plain(model, number)];
                names.extend(["octo/app", "octo/other"].map(|r| of_repository(model, r, number)));
                for name in names {
                    assert!(name.len() <= 49, "{name} has {} characters", name.len());
                    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                    assert!(
                        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(inside),
                        "{name}"
                    );
                    assert!(name.ends_with(&format!("-pr-{number}")), "{name}");
                    count += 1;
                    assert!(seen.insert(name.clone()), "{name} stands for two previews");
                }
            }
        }
        assert_eq!(seen.len(), count);
    }
}
