//! IAM policies: who holds which role on a resource.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `google.iam.v1.Policy`. What we don't know is kept, so that writing it back loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Policy {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<Binding>,
    /// Guards the read-modify-write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// 3 when a binding has a condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    #[serde(flatten)]
    pub other: serde_json::Map<String, Value>,
}

/// Members of one role.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Binding {
    pub role: String,
    pub members: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Value>,
}

impl Policy {
    /// Whether `member` holds `role` without a condition.
    pub fn grants(&self, role: &str, member: &str) -> bool {
        let unconditional = self.bindings.iter().filter(|b| b.condition.is_none());
        unconditional
            .filter(|b| b.role == role)
            .any(|b| b.members.iter().any(|m| m == member))
    }

    /// Gives `member` the role, without a condition. False when it held it already.
    pub fn grant(&mut self, role: &str, member: &str) -> bool {
        if self.grants(role, member) {
            return false;
        }
        let open = |b: &&mut Binding| b.role == role && b.condition.is_none();
        match self.bindings.iter_mut().find(open) {
            Some(binding) => binding.members.push(member.to_owned()),
            None => self.bindings.push(Binding {
                role: role.to_owned(),
                members: vec![member.to_owned()],
                condition: None,
            }),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grant_is_added_once_and_everything_else_stays() {
        let before = json!({"etag": "e", "version": 3, "auditConfigs": [{"service": "allServices"}], "bindings": [
            {"role": "r", "members": ["user:a"], "condition": {"expression": "false"}},
            {"role": "r", "members": ["user:b"]}]});
        let mut policy: Policy = serde_json::from_value(before.clone()).unwrap();
        assert!(!policy.grants("r", "user:a"), "a conditional grant is none");
        assert!(!policy.grant("r", "user:b"));
        assert_eq!(serde_json::to_value(&policy).unwrap(), before);
        assert!(policy.grant("r", "user:a") && policy.grant("q", "user:a"));
        let after = serde_json::to_value(&policy).unwrap();
        assert_eq!(after["bindings"][1]["members"], json!(["user:b", "user:a"]));
        assert_eq!(after["bindings"][2], json!({"role": "q", "members": ["user:a"]}));
        assert_eq!(after["auditConfigs"], before["auditConfigs"]);
        assert_eq!(after["bindings"][0], before["bindings"][0]);
    }
}
