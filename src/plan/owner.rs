//! Whose a service is, by its labels. Pure.

use std::collections::BTreeMap;

use super::target::{Target, label, repository_label};
use crate::event::Context;

/// A repository, as services name theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// `owner/name`.
    pub name: &'a str,
    /// GitHub's number; `None` where no event says it.
    pub id: Option<u64>,
}

impl<'a> From<&'a Context> for Owner<'a> {
    fn from(context: &'a Context) -> Self {
        Self {
            name: &context.repository,
            id: context.repository_id,
        }
    }
}

impl Owner<'_> {
    /// Whether the labels name this repository: by its number where both are known, else by its name. The label with
    /// the name has to be there in any case.
    pub fn is_in(&self, labels: &BTreeMap<String, String>) -> bool {
        let Some(name) = labels.get(label::REPOSITORY) else {
            return false;
        };
        match (self.id, labels.get(label::REPOSITORY_ID)) {
            (Some(own), Some(found)) => *found == own.to_string(),
            _ => *name == repository_label(self.name),
        }
    }
}

/// Whose the service with these labels is, and the label that tells; `None` when it is the target's own.
///
/// A preview is never put over a production service, nor over another pull request's preview, nor the other way
/// round.
pub fn foreign(target: &Target, labels: &BTreeMap<String, String>) -> Option<String> {
    let is_owners = target.owner().is_in(labels);
    let names_owner = |key: &str| [label::REPOSITORY, label::REPOSITORY_ID].contains(&key);
    target
        .identity()
        .into_iter()
        .filter(|(key, _)| !(is_owners && names_owner(key)))
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
        (label::REPOSITORY | label::REPOSITORY_ID, _) => "another repository",
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
    fn the_repositorys_number_counts_before_its_name() {
        let mut target = preview("");
        target.repository_id = Some(7);
        let mut labels = target.labels();
        assert_eq!(foreign(&target, &labels), None);
        let older = preview("").labels();
        assert_eq!(foreign(&target, &older), None, "without a number the name counts");
        labels.insert(label::REPOSITORY.to_owned(), "its_old-name".to_owned());
        assert_eq!(foreign(&target, &labels), None, "it was renamed");
        let mut taken = target.labels();
        taken.insert(label::REPOSITORY_ID.to_owned(), "8".to_owned());
        let said = foreign(&target, &taken).unwrap();
        assert!(
            said.starts_with("another repository: "),
            "the name was taken over: {said}"
        );
        let by_hand = preview("");
        assert_eq!(
            foreign(&by_hand, &target.labels()),
            None,
            "no event tells the number"
        );
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
