//! Long-running operations: under way at first, done when asked for again.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::not_found;
use crate::Reply;

/// Finished operations by name.
#[derive(Default)]
pub struct Operations(BTreeMap<String, Value>);

const METADATA: &str = "type.googleapis.com/google.devtools.artifactregistry.v1.OperationMetadata";

impl Operations {
    /// Answers with an operation that is under way; `response` is its outcome, of message `kind`.
    pub fn begin(&mut self, project: &str, location: &str, kind: &str, response: &Value) -> Reply {
        let id = uuid::Uuid::new_v4();
        let name = format!("projects/{project}/locations/{location}/operations/{id}");
        let mut response = response.clone();
        response["@type"] = format!("type.googleapis.com/{kind}").into();
        let done = json!({"name": name, "metadata": {"@type": METADATA}, "done": true, "response": response});
        self.0.insert(name.clone(), done);
        Reply::ok(&json!({"name": name, "metadata": {"@type": METADATA}}))
    }

    pub fn get(&self, name: &str) -> Reply {
        self.0.get(name).map_or_else(not_found, Reply::ok)
    }
}
