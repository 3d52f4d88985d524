//! Long-running operations: `{name, done, error, response, metadata}`.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{answer::Answer, client::Client, error::Error, request::Request};
use crate::environment::Api;

/// How long Cloud Run holds a `:wait` open, as gcloud asks for it.
const WAIT: Duration = Duration::from_secs(30);
/// The shortest: a request is not sent for nothing.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// A request that is held open needs longer than what it is held for.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// `google.longrunning.Operation`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Operation {
    /// `projects/p/locations/l/operations/o`
    pub name: String,
    pub done: bool,
    pub error: Option<Value>,
    pub response: Option<Value>,
    pub metadata: Option<Value>,
}

impl Operation {
    /// Generation of the resource that the operation made.
    pub(crate) fn generation(&self) -> Option<i64> {
        self.response.as_ref()?.get("generation")?.as_str()?.parse().ok()
    }

    /// The error that the operation ended in.
    pub(crate) fn failure(&self, what: &str) -> Result<(), Error> {
        match &self.error {
            Some(error) => Err(Error::Operation {
                what: what.to_owned(),
                answer: Box::new(Answer::of_operation(error)),
            }),
            None => Ok(()),
        }
    }
}

/// What is waited for.
pub(crate) struct Waited<'a> {
    pub api: Api,
    /// `v1/` or `v2/`.
    pub version: &'a str,
    /// The service can hold the request until the operation is done (Cloud Run can).
    pub can_wait: bool,
    pub what: &'a str,
    pub until: Instant,
}

/// Waits until the operation is done. Its error is an error of ours.
pub(crate) async fn wait(
    c: &Client,
    waited: &Waited<'_>,
    mut operation: Operation,
) -> Result<Operation, Error> {
    let (began, mut ramp) = (Instant::now(), c.pace().ramp());
    let mut seen = began;
    // Nothing can be asked of it: whether it ever ends stays unknown.
    if !operation.done && operation.name.is_empty() {
        return Err(Error::Decode {
            what: waited.what.to_owned(),
            host: c.host(waited.api),
            reason: "it is an operation without a name".to_owned(),
        });
    }
    while !operation.done {
        if Instant::now() >= waited.until {
            return Err(Error::Deadline {
                what: waited.what.to_owned(),
                waited: began.elapsed(),
                last: format!("operation `{}` is still running", operation.name),
                next: "It goes on by itself: run the job again later, it takes up where this one ended"
                    .to_owned(),
            });
        }
        let asked = Instant::now();
        match look(c, waited, &operation.name).await {
            Ok(found) => {
                operation = found;
                seen = Instant::now();
            }
            Err(error) if c.pace().bears(&error, seen.elapsed()) => {}
            Err(error) => return Err(error),
        }
        // A server that doesn't hold the request must not be asked in a tight loop.
        if !operation.done {
            tokio::time::sleep_until((asked + ramp.next()).min(waited.until)).await;
        }
    }
    operation.failure(waited.what)?;
    Ok(operation)
}

async fn look(c: &Client, waited: &Waited<'_>, name: &str) -> Result<Operation, Error> {
    let path = format!("{}{name}", waited.version);
    let what = waited.what.to_owned();
    if !waited.can_wait {
        return c.json(Request::get(waited.api, path, what)).await;
    }
    if c.is_busy(waited.api) || c.is_given_up(waited.api) {
        return c.json(Request::get(waited.api, path, what)).await;
    }
    let left = waited.until.saturating_duration_since(Instant::now());
    let hold = left.min(c.tempo().of(WAIT)).max(c.tempo().of(LEAST_WAIT));
    let hold = Duration::from_millis(u64::try_from(hold.as_millis()).unwrap_or(1000).max(1));
    let request = Request::new(waited.api, Method::POST, format!("{path}:wait"), what)
        .json(&json!({ "timeout": format!("{}s", hold.as_secs_f64()) }))?
        .repeatable()
        .timeout(WAIT_TIMEOUT);
    c.json(request).await
}
