//! Waits until a service is as it was asked for: first its operation, then its own conditions.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{
    Location, get, revision, revision_of,
    types::{AllocationType, Condition, Service, TrafficTarget, TrafficTargetStatus, short_name},
};
use crate::{
    environment::Api,
    google::{
        answer::MESSAGE,
        client::Client,
        error::Error,
        operation::{Operation, Waited, wait},
    },
    http::flatten,
};

pub(super) struct Watch<'a> {
    pub c: &'a Client,
    pub location: &'a Location<'a>,
    pub service_id: &'a str,
    pub what: &'a str,
    pub until: Instant,
    pub on_progress: &'a (dyn Fn(&str) + Sync),
}

/// What a look at a service says.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// Not yet, with what is missing.
    Pending(String),
    Failed {
        reason: Option<String>,
        message: String,
    },
}

impl Watch<'_> {
    /// `None`: the request had its effect, but its operation is not known.
    pub async fn until_ready(&self, operation: Option<Operation>) -> Result<Service, Error> {
        let mut least = None;
        if let Some(operation) = operation {
            let waited = Waited {
                api: Api::Run,
                version: "v2/",
                can_wait: true,
                what: self.what,
                until: self.until,
            };
            let done = tokio::select! {
                done = wait(self.c, &waited, operation) => done,
                // Never ends; it is dropped when the operation does.
                error = self.narrate() => Err(error),
            };
            match done {
                Ok(done) => least = done.generation(),
                Err(error @ Error::Operation { .. }) => return Err(self.explain(error).await),
                Err(error) => return Err(error),
            }
        }
        self.until_settled(least).await
    }

    /// Passes on what Cloud Run says about service and revision, until it is dropped.
    async fn narrate(&self) -> Error {
        let mut told = Told::default();
        loop {
            // A look that fails is no reason to end the wait: the operation decides.
            if let Ok(Some(service)) = get(self.c, self.location, self.service_id).await {
                told.tell(&service.conditions, self.on_progress);
                if let Some(name) = revision_of(&service)
                    && let Ok(Some(found)) = revision(self.c, self.location, self.service_id, &name).await
                {
                    told.tell(&found.conditions, self.on_progress);
                }
            }
            tokio::time::sleep(self.c.pace().watch).await;
        }
    }

    /// The operation is done; the service's own conditions may lag behind it, and so may all of it: what is older
    /// than generation `least` says nothing about this change.
    async fn until_settled(&self, least: Option<i64>) -> Result<Service, Error> {
        let (began, mut ramp) = (Instant::now(), self.c.pace().ramp());
        let mut seen = began;
        let mut told = Told::default();
        loop {
            let live = match get(self.c, self.location, self.service_id).await {
                Err(error) if !self.c.pace().bears(&error, seen.elapsed()) => return Err(error),
                live => live,
            };
            if live.is_ok() {
                seen = Instant::now();
            }
            let last = match &live {
                Err(error) => error.to_string(),
                Ok(None) => "the service is gone".to_owned(),
                Ok(Some(service)) if is_older(service, least) => {
                    "Cloud Run still shows the service as it was before".to_owned()
                }
                Ok(Some(service)) => match state(service) {
                    State::Ready => return Ok(service.clone()),
                    State::Failed { reason, message } => {
                        return Err(self.not_ready(failed_revision(service), reason, message).await);
                    }
                    State::Pending(last) => {
                        told.tell(&service.conditions, self.on_progress);
                        last
                    }
                },
            };
            if Instant::now() >= self.until {
                return Err(Error::Deadline {
                    what: self.what.to_owned(),
                    waited: began.elapsed(),
                    last,
                    next: "Cloud Run goes on by itself: run the job again later, it takes up where this one \
                           ended"
                        .to_owned(),
                });
            }
            tokio::time::sleep(ramp.next()).await;
        }
    }

    /// Adds what the service knows to the error of its operation.
    async fn explain(&self, error: Error) -> Error {
        let message = error.answer().map(|a| a.message.clone()).unwrap_or_default();
        // The service may still be shown as it was before; the operation's own words are about now.
        if let Some(name) = named(&message) {
            return self.not_ready(Some(name), None, message).await;
        }
        let Ok(Some(service)) = get(self.c, self.location, self.service_id).await else {
            return error;
        };
        match state(&service) {
            State::Failed { reason, message: own } => {
                let message = if message.is_empty() { own } else { message };
                self.not_ready(failed_revision(&service), reason, message).await
            }
            // The operation was refused before it touched the service.
            _ => error,
        }
    }

    /// The revision often says more than the service: why the container did not start.
    async fn not_ready(&self, name: Option<String>, reason: Option<String>, message: String) -> Error {
        let found = match &name {
            Some(name) => revision(self.c, self.location, self.service_id, name)
                .await
                .ok()
                .flatten(),
            None => None,
        };
        let own = found.and_then(|r| r.conditions.into_iter().find(|c| c.state == "CONDITION_FAILED"));
        let own_reason = own.as_ref().and_then(reason_of);
        let one_line = |text: &str| flatten(text, MESSAGE);
        let message = one_line(&message);
        let own_message = own.and_then(|c| c.message).map(|m| one_line(&m));
        let own_message = own_message.filter(|m| !message.contains(m));
        Error::NotReady {
            service: self.service_id.to_owned(),
            revision: name,
            reason: own_reason.or(reason),
            message: match own_message {
                Some(own) if message.is_empty() => own,
                Some(own) => format!("{message} {own}"),
                None => message,
            },
        }
    }
}

/// The newest revision, unless it is ready.
fn failed_revision(service: &Service) -> Option<String> {
    let ready = service.latest_ready_revision.as_deref().map(short_name);
    revision_of(service).filter(|name| ready != Some(name))
}

/// The revision that a message of Cloud Run's says is not ready: `Revision 'NAME' is not ready and …`.
fn named(message: &str) -> Option<String> {
    let (name, rest) = message.split_once("Revision '")?.1.split_once('\'')?;
    rest.starts_with(" is not ready").then(|| name.to_owned())
}

fn is_older(service: &Service, least: Option<i64>) -> bool {
    let generation = service.generation.as_deref().and_then(|g| g.parse::<i64>().ok());
    least.is_some_and(|least| generation.is_some_and(|g| g < least))
}

fn reason_of(condition: &Condition) -> Option<String> {
    condition
        .revision_reason
        .clone()
        .or_else(|| condition.reason.clone())
}

/// Cloud Run's rule for "as asked for" (`Service.reconciling` in the API's description).
fn state(service: &Service) -> State {
    let Some(terminal) = &service.terminal_condition else {
        return State::Pending("Cloud Run has not looked at it yet".to_owned());
    };
    let said = terminal.message.clone().unwrap_or_default();
    if service.reconciling
        || service.generation != service.observed_generation && terminal.state != "CONDITION_FAILED"
    {
        return State::Pending(if said.is_empty() {
            "Cloud Run is working on it".to_owned()
        } else {
            said
        });
    }
    match terminal.state.as_str() {
        "CONDITION_FAILED" => State::Failed {
            reason: reason_of(terminal),
            message: said,
        },
        "CONDITION_SUCCEEDED" if service.latest_ready_revision != service.latest_created_revision => {
            State::Pending("the newest revision is not ready yet".to_owned())
        }
        "CONDITION_SUCCEEDED" => match service
            .traffic
            .iter()
            .find(|t| !is_served(t, &service.traffic_statuses))
        {
            Some(_) => State::Pending("traffic is not yet distributed as asked".to_owned()),
            None => State::Ready,
        },
        _ => State::Pending(said),
    }
}

fn is_served(target: &TrafficTarget, statuses: &[TrafficTargetStatus]) -> bool {
    let short = |name: &Option<String>| name.as_deref().map(|n| short_name(n).to_owned());
    let latest = |kind: Option<AllocationType>| kind == Some(AllocationType::Latest);
    statuses.iter().any(|status| {
        latest(target.kind) == latest(status.kind)
            && (latest(target.kind) || short(&target.revision) == short(&status.revision))
            && target.percent.unwrap_or(0) == status.percent.unwrap_or(0)
            && target.tag == status.tag
    })
}

/// Remembers what was said, so that each message is passed on once.
#[derive(Default)]
struct Told(BTreeMap<String, String>);

impl Told {
    fn tell(&mut self, conditions: &[Condition], on_progress: &(dyn Fn(&str) + Sync)) {
        for condition in conditions {
            let Some(message) = condition.message.as_ref().filter(|m| !m.is_empty()) else {
                continue;
            };
            let before = self.0.insert(condition.kind.clone(), message.clone());
            if before.as_ref() != Some(message) {
                on_progress(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ready() -> Value {
        json!({
            "generation": "2", "observedGeneration": "2",
            "latestReadyRevision": "p/revisions/s-2", "latestCreatedRevision": "p/revisions/s-2",
            "terminalCondition": {"type": "Ready", "state": "CONDITION_SUCCEEDED"},
            "traffic": [
                {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "s-1", "percent": 100},
                {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "s-2", "tag": "cand"}],
            "trafficStatuses": [
                {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "s-1", "percent": 100},
                {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "s-2", "tag": "cand", "uri": "u"}],
        })
    }

    fn with(change: &Value) -> State {
        let mut service = ready();
        for (key, value) in change.as_object().unwrap() {
            service[key] = value.clone();
        }
        state(&serde_json::from_value(service).unwrap())
    }

    #[test]
    fn ready_is_ready_only_when_everything_agrees() {
        assert_eq!(with(&json!({})), State::Ready);
        for change in [
            json!({"reconciling": true}),
            json!({"observedGeneration": "1"}),
            json!({"latestReadyRevision": "p/revisions/s-1"}),
            json!({"trafficStatuses": []}),
            json!({"terminalCondition": {"type": "Ready", "state": "CONDITION_RECONCILING"}}),
            json!({"terminalCondition": null}),
        ] {
            assert!(matches!(with(&change), State::Pending(_)), "{change}");
        }
    }

    #[test]
    fn a_failure_at_the_old_observed_generation_is_a_failure() {
        let failed = json!({"observedGeneration": "1", "terminalCondition": {"type": "Ready",
            "state": "CONDITION_FAILED", "revisionReason": "HEALTH_CHECK_CONTAINER_ERROR", "message": "m"}});
        let expected = State::Failed {
            reason: Some("HEALTH_CHECK_CONTAINER_ERROR".to_owned()),
            message: "m".to_owned(),
        };
        assert_eq!(with(&failed), expected);
    }

    #[test]
    fn each_message_is_told_once() {
        let heard = std::sync::Mutex::new(Vec::new());
        let hear = |text: &str| heard.lock().unwrap().push(text.to_owned());
        let condition = |message: &str| Condition {
            kind: "ContainerReady".to_owned(),
            message: Some(message.to_owned()),
            ..Condition::default()
        };
        let mut told = Told::default();
        for message in ["Importing", "Importing", "", "Imported in 26.13s."] {
            told.tell(&[condition(message)], &hear);
        }
        assert_eq!(*heard.lock().unwrap(), ["Importing", "Imported in 26.13s."]);
    }
}
