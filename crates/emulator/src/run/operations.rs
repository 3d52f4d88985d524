//! Long-running operations.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{quantity, record::Id, refusal::Refusal};
use crate::{Call, Reply, Shared};

const SERVICE_TYPE: &str = "type.googleapis.com/google.cloud.run.v2.Service";
const REVISION_TYPE: &str = "type.googleapis.com/google.cloud.run.v2.Revision";
/// The longest that one `wait` lasts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How an operation ended: the resource, or a code and a message.
pub type Outcome = Result<Value, (u32, String)>;

/// An operation on a service.
pub struct Operation {
    pub name: String,
    pub service: Id,
    /// The resource as it was when the operation ended.
    outcome: Option<Outcome>,
    done: watch::Sender<bool>,
    type_url: &'static str,
}

fn typed(kind: &str, resource: &Value) -> Value {
    let mut typed = json!({"@type": kind});
    if let (Some(typed), Some(resource)) = (typed.as_object_mut(), resource.as_object()) {
        typed.extend(resource.clone());
    }
    typed
}

impl Operation {
    pub fn new(service: &Id) -> Self {
        Self {
            name: format!("{}/operations/{}", service.parent(), uuid::Uuid::new_v4()),
            service: service.clone(),
            outcome: None,
            done: watch::Sender::new(false),
            type_url: SERVICE_TYPE,
        }
    }

    /// An operation that is done already.
    pub fn finished(service: &Id, outcome: Outcome) -> Self {
        let mut operation = Self::new(service);
        operation.finish(outcome);
        operation
    }

    pub fn of_revision(mut self) -> Self {
        self.type_url = REVISION_TYPE;
        self
    }

    pub fn finish(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
        self.done.send_replace(true);
    }

    /// `GoogleLongrunningOperation`; `current` is the service as it is now.
    pub fn view(&self, current: Option<&Value>) -> Value {
        let resource = match (&self.outcome, current) {
            (Some(Ok(resource)), _) => resource,
            (_, Some(current)) => current,
            _ => &Value::Null,
        };
        let mut view = json!({"name": self.name, "metadata": typed(self.type_url, resource)});
        match &self.outcome {
            Some(Ok(resource)) => {
                view["done"] = json!(true);
                view["response"] = typed(self.type_url, resource);
            }
            Some(Err((code, message))) => {
                view["done"] = json!(true);
                view["error"] = json!({"code": code, "message": message});
            }
            None => {}
        }
        view
    }
}

fn name(call: &Call) -> String {
    format!(
        "projects/{}/locations/{}/operations/{}",
        call.param("projectsId"),
        call.param("locationsId"),
        call.param("operationsId")
    )
}

fn missing(call: &Call) -> Reply {
    Refusal::not_found(format!(
        "Requested entity was not found. Operation: {}",
        name(call)
    ))
    .reply()
}

pub fn get(emulator: &Shared, call: &Call) -> Reply {
    emulator
        .run
        .operation(&name(call))
        .map_or_else(|| missing(call), |view| Reply::ok(&view))
}

pub async fn wait(emulator: &Shared, call: &Call) -> Reply {
    let asked = call.json["timeout"].as_str().and_then(quantity::duration);
    let timeout = asked.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
    let Some(mut done) = emulator.run.with_operation(&name(call), |o| o.done.subscribe()) else {
        return missing(call);
    };
    tokio::select! {
        _ = done.wait_for(|done| *done) => {}
        () = tokio::time::sleep(timeout) => {}
        () = emulator.stop.cancelled() => {}
    }
    get(emulator, call)
}

pub fn list(emulator: &Shared, call: &Call) -> Reply {
    let parent = format!(
        "projects/{}/locations/{}/",
        call.param("projectsId"),
        call.param("locationsId")
    );
    let only_done = match call.query("filter").map(str::trim) {
        None | Some("") => None,
        Some("done:true" | "done=true") => Some(true),
        Some("done:false" | "done=false") => Some(false),
        Some(other) => return Refusal::invalid(format!("Invalid filter: {other}")).reply(),
    };
    let all = emulator.run.operations(&parent);
    let wanted = all
        .into_iter()
        .filter(|o| only_done.is_none_or(|done| o["done"].as_bool().unwrap_or(false) == done));
    super::page(call, "operations", wanted.collect())
}

pub fn delete(emulator: &Shared, call: &Call) -> Reply {
    if emulator.run.forget_operation(&name(call)) {
        Reply::ok(&json!({}))
    } else {
        missing(call)
    }
}
