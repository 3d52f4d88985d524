//! Whose a service is, by its labels. Pure.

use std::collections::BTreeMap;

use super::target::{Target, label};

/// Whose the service with these labels is, and the label that tells; `None` when it is the target's own.
///
/// A preview is never put over a production service, nor over another pull request's preview, nor the other way
/// round.
pub fn foreign(target: &Target, labels: &BTreeMap<String, String>) -> Option<String> {
    target
        .identity()
        .into_iter()
        .find_map(|(key, wanted)| match labels.get(key) {
            Some(found) if *found == wanted => None,
            Some(found) => Some(format!(
                "{}: its label `{key}` is `{found}`, not `{wanted}`",
                whose(key, found)
            )),
            None => Some(format!("somebody else: it lacks the label `{key}: {wanted}`")),
        })
}

fn whose(key: &str, found: &str) -> &'static str {
    match (key, found) {
        (label::REPOSITORY, _) => "another repository",
        (label::KIND, label::PRODUCTION) => "this repository's production",
        (label::KIND, label::PREVIEW) => "a pull request's preview",
        (label::PULL_REQUEST, _) => "another pull request",
        _ => "somebody else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{preview, production};

    #[test]
    fn a_service_is_a_targets_own_only_with_every_label_that_says_so() {
        for target in [preview(""), production("")] {
            let own = target.labels();
            assert_eq!(foreign(&target, &own), None);
            for (key, value) in target.identity() {
                let mut lacking = own.clone();
                lacking.remove(key);
                let said = foreign(&target, &lacking).unwrap();
                assert!(
                    said.contains(&format!("lacks the label `{key}: {value}`")),
                    "{said}"
                );
                let mut other = own.clone();
                other.insert(key.to_owned(), "x".to_owned());
                let said = foreign(&target, &other).unwrap();
                assert!(
                    said.contains(&format!("label `{key}` is `x`, not `{value}`")),
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn a_preview_and_production_never_take_each_other_over() {
        let (preview, production) = (preview(""), production(""));
        let said = foreign(&preview, &production.labels()).unwrap();
        assert_eq!(
            said,
            "this repository's production: its label `llm-deploy-kind` is `production`, not `preview`"
        );
        let said = foreign(&production, &preview.labels()).unwrap();
        assert!(said.starts_with("a pull request's preview: "), "{said}");
    }
}
