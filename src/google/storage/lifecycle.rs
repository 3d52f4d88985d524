//! Which objects the bucket deletes by itself: sources and logs, which are of use for days. Production's history stays.

use serde::Deserialize;
use serde_json::{Value, json};

/// Sources and logs are of use for days, not longer.
const DELETE_AFTER_DAYS: u32 = 7;
/// Begin of the names of builds' sources and of their logs.
const SHORT_LIVED: [&str; 2] = ["source/", "logs/"];
/// Begin of the names of what production has measured.
const KEPT: &str = "history/";

/// The lifecycle of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Lifecycle {
    pub rule: Vec<Value>,
}

/// The lifecycle of a bucket that is ours.
pub(super) fn wanted() -> Value {
    let condition = json!({ "age": DELETE_AFTER_DAYS, "matchesPrefix": SHORT_LIVED });
    json!({ "rule": [{ "action": { "type": "Delete" }, "condition": condition }] })
}

impl Lifecycle {
    /// Whether sources and logs are deleted after some days.
    pub fn deletes_old(&self) -> bool {
        SHORT_LIVED
            .into_iter()
            .all(|prefix| self.rule.iter().any(|rule| deletes(rule, prefix)))
    }

    /// Whether production's history is deleted after some days, too.
    pub fn deletes_history(&self) -> bool {
        self.rule.iter().any(|rule| deletes(rule, KEPT))
    }

    /// Whether it is what llm-deploy set before there was a history: everything goes after a week.
    pub fn is_former(&self) -> bool {
        let former = json!({ "action": { "type": "Delete" }, "condition": { "age": DELETE_AFTER_DAYS } });
        self.rule == [former]
    }
}

/// Whether a rule deletes by age what has a name that begins so. Other conditions narrow a rule further; which of an
/// object's they are can't be told from its name, so such a rule counts as one that may.
fn deletes(rule: &Value, prefix: &str) -> bool {
    let condition = &rule["condition"];
    let by_age = rule["action"]["type"] == "Delete" && condition["age"].is_number();
    let named = condition["matchesPrefix"].as_array();
    let begins = |one: &Value| one.as_str().is_some_and(|one| prefix.starts_with(one));
    by_age && named.is_none_or(|prefixes| prefixes.is_empty() || prefixes.iter().any(begins))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifecycle(rules: &Value) -> Lifecycle {
        serde_json::from_value(json!({ "rule": rules })).unwrap()
    }

    #[test]
    fn our_rule_deletes_sources_and_logs_and_no_history() {
        let ours: Lifecycle = serde_json::from_value(wanted()).unwrap();
        assert!(ours.deletes_old() && !ours.deletes_history() && !ours.is_former());
    }

    #[test]
    fn the_former_rule_is_known_and_deletes_the_history_too() {
        let former = lifecycle(&json!([{"action": {"type": "Delete"}, "condition": {"age": 7}}]));
        assert!(former.is_former() && former.deletes_old() && former.deletes_history());
    }

    #[test]
    fn what_a_rule_deletes_goes_by_its_action_its_age_and_its_prefixes() {
        let rule = |condition: Value| json!({"action": {"type": "Delete"}, "condition": condition});
        for (rules, old, history) in [
            (json!([]), false, false),
            (json!([rule(json!({"numNewerVersions": 3}))]), false, false),
            (json!([rule(json!({"age": 30}))]), true, true),
            (
                json!([rule(json!({"age": 30, "matchesPrefix": ["logs/"]}))]),
                false,
                false,
            ),
            (
                json!([rule(json!({"age": 30, "matchesPrefix": ["hist"]}))]),
                false,
                true,
            ),
            (
                json!([
                    rule(json!({"age": 30, "matchesPrefix": ["logs/"]})),
                    rule(json!({"age": 3, "matchesPrefix": ["s"]}))
                ]),
                true,
                false,
            ),
            (
                json!([{"action": {"type": "SetStorageClass"}, "condition": {"age": 1}}]),
                false,
                false,
            ),
        ] {
            let found = lifecycle(&rules);
            let told = (found.deletes_old(), found.deletes_history());
            assert_eq!(told, (old, history), "{rules}");
            assert!(!found.is_former(), "{rules}");
        }
    }
}
