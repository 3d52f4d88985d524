//! Faults on demand: which request meets one, and what it does to the answer.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
};
use serde_json::Value;

use super::{Call, Reply};

/// Longest answer that is cut in two, in bytes.
const LARGEST: usize = 256 << 20;

/// The rules that are still to be met.
#[derive(Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

/// Which requests meet a fault.
#[derive(Clone, Debug)]
pub struct Rule {
    pub on: Pattern,
    /// Matching requests that pass before the first one that meets the fault.
    pub skip: u32,
    /// Matching requests that meet it; [`u32::MAX`] for all.
    pub times: u32,
    pub fault: Fault,
}

/// What a request must be like; a part that is absent fits every request.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    /// Prefix of the service: `run`, `cloudbuild`, `github`, `hf`, `oidc`, …
    pub service: Option<String>,
    /// Method id of Google's discovery document.
    pub id: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
    /// Part of the path below the prefix.
    pub path: Option<String>,
}

/// Something that a test does while a request waits.
#[derive(Clone)]
pub struct Hook(pub Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This answer, without any effect of the request; `retry_after` in seconds.
    Answer {
        status: u16,
        retry_after: Option<u64>,
        body: Option<Value>,
    },
    /// The connection ends before the request has an effect.
    ResetBefore,
    /// The request takes effect, then the connection ends without an answer.
    ResetAfter,
    /// The answer comes this much later; the effect is at once.
    Slow(Duration),
    /// No effect, and never an answer.
    Hang,
    /// The request takes effect; of the answer's body only the first half comes.
    Truncated,
    /// Something is done before the request takes effect.
    Before(Hook),
    /// Something is done after the request took effect, before its answer is sent.
    After(Hook),
}

impl Faults {
    /// From now on.
    pub fn add(&self, rule: Rule) {
        self.lock().push(rule);
    }

    /// No request meets any fault from now on.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The fault that this request meets: of the first rule whose turn it is. Counts the request for every rule
    /// that it fits.
    pub(super) fn meet(&self, service: &str, call: &Call) -> Option<Fault> {
        let mut met = None;
        for rule in self.lock().iter_mut().filter(|rule| rule.on.fits(service, call)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.times > 0 && met.is_none() {
                if rule.times != u32::MAX {
                    rule.times -= 1;
                }
                met = Some(rule.fault.clone());
            }
        }
        met
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pattern {
    fn fits(&self, service: &str, call: &Call) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
        is(&self.service, service)
            && is(&self.id, &call.id)
            && is(&self.method, call.method.as_str())
            && self.path.as_ref().is_none_or(|part| call.path.contains(part))
    }
}

/// Before the request has an effect: the answer, when there is to be no effect at all.
pub(super) async fn before(fault: Option<&Fault>) -> Option<Reply> {
    match fault? {
        Fault::Answer {
            status,
            retry_after,
            body,
        } => Some(answer(*status, *retry_after, body.as_ref())),
        Fault::ResetBefore => hang_up(),
        Fault::Hang => std::future::pending().await,
        Fault::Before(hook) => {
            (hook.0)();
            None
        }
        Fault::ResetAfter | Fault::Slow(_) | Fault::Truncated | Fault::After(_) => None,
    }
}

/// After the request had its effect.
pub(super) async fn after(fault: Option<&Fault>, reply: Reply) -> Reply {
    match fault {
        Some(Fault::ResetAfter) => hang_up(),
        Some(Fault::Slow(by)) => {
            tokio::time::sleep(*by).await;
            reply
        }
        Some(Fault::Truncated) => truncated(reply).await,
        Some(Fault::After(hook)) => {
            (hook.0)();
            reply
        }
        _ => reply,
    }
}

fn answer(status: u16, retry_after: Option<u64>, body: Option<&Value>) -> Reply {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = match body {
        Some(body) => Reply::json(code, body),
        None => Reply::google_error(code, name(status), text(status), Vec::new()),
    };
    if let Some(seconds) = retry_after {
        reply
            .headers
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}

/// Google's name of a status. <https://cloud.google.com/apis/design/errors#handling_errors>
fn name(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNKNOWN",
    }
}

fn text(status: u16) -> &'static str {
    match status {
        403 => "The caller does not have permission",
        404 => "Requested entity was not found.",
        409 => "The operation was aborted.",
        429 => "Resource has been exhausted (e.g. check quota).",
        500 => "Internal error encountered.",
        503 => "The service is currently unavailable.",
        504 => "Deadline expired before operation could complete.",
        _ => "The request failed.",
    }
}

/// The task that serves the connection ends, and with it the connection. No panic message is printed.
fn hang_up() -> ! {
    std::panic::resume_unwind(Box::new("the connection is to end"))
}

async fn truncated(reply: Reply) -> Reply {
    let whole = axum::body::to_bytes(reply.body, LARGEST)
        .await
        .unwrap_or_default();
    let mut headers = reply.headers;
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half: Result<Bytes, std::io::Error> = Ok(whole.slice(..whole.len() / 2));
    let cut = Err(std::io::Error::other("the answer is to be cut short"));
    Reply {
        status: reply.status,
        headers,
        body: Body::from_stream(futures::stream::iter([half, cut])),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::json;

    use super::*;
    use crate::emulator::testing::Bench;

    const SERVICES: &str = "/run/v2/projects/demo-project/locations/europe-west4/services";
    const BUCKET: &str = "/storage/storage/v1/b?project=demo-project";

    fn rule(id: &str, fault: Fault) -> Rule {
        Rule {
            on: Pattern {
                id: Some(id.to_owned()),
                ..Pattern::default()
            },
            skip: 0,
            times: 1,
            fault,
        }
    }

    /// The answer's status, or `None` when no whole answer came.
    async fn status(bench: &Bench, method: reqwest::Method, path: &str, body: &Value) -> Option<u16> {
        let emulator = &bench.running.emulator;
        let request = reqwest::Client::new()
            .request(method, format!("{}{path}", emulator.base_url))
            .bearer_auth(emulator.tokens.ready())
            .json(body);
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        response.bytes().await.ok()?;
        Some(status)
    }

    #[tokio::test]
    async fn the_nth_matching_requests_meet_the_fault_and_others_do_not() {
        let bench = Bench::start().await;
        let fault = Fault::Answer {
            status: 503,
            retry_after: Some(7),
            body: None,
        };
        let rule = Rule {
            skip: 1,
            times: 2,
            ..rule("run.projects.locations.services.list", fault)
        };
        bench.running.emulator.faults.add(rule);
        let mut seen = Vec::new();
        for _ in 0..4 {
            assert_eq!(bench.get(BUCKET).await.status, 200);
            let answer = bench.get(SERVICES).await;
            let wait = answer
                .headers
                .get("retry-after")
                .map(|v| v.to_str().unwrap().to_owned());
            seen.push((answer.status, wait));
        }
        let refused = || (503, Some("7".to_owned()));
        assert_eq!(seen, [(200, None), refused(), refused(), (200, None)]);
    }

    #[tokio::test]
    async fn a_reset_before_has_no_effect_and_one_after_has() {
        let bench = Bench::start().await;
        for (fault, name, there) in [
            (Fault::ResetBefore, "demo-before", false),
            (Fault::ResetAfter, "demo-after", true),
            (Fault::Truncated, "demo-cut", true),
        ] {
            bench
                .running
                .emulator
                .faults
                .add(rule("storage.buckets.insert", fault));
            let body = json!({"name": name});
            assert_eq!(status(&bench, reqwest::Method::POST, BUCKET, &body).await, None);
            let found = bench.get(&format!("/storage/storage/v1/b/{name}")).await;
            assert_eq!(found.status == 200, there, "{name}");
        }
    }

    #[tokio::test]
    async fn hooks_run_at_their_side_of_the_effect() {
        let bench = Bench::start().await;
        let calls = Arc::new(AtomicU32::new(0));
        for fault in [Fault::Before, Fault::After] {
            let counted = Arc::clone(&calls);
            let hook = Hook(Arc::new(move || {
                counted.fetch_add(1, Ordering::SeqCst);
            }));
            bench
                .running
                .emulator
                .faults
                .add(rule("run.projects.locations.services.list", fault(hook)));
            assert_eq!(bench.get(SERVICES).await.status, 200);
        }
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_new_project_has_no_accounts_and_hardly_an_api() {
        let bench = Bench::with(crate::emulator::Settings {
            project: "demo-project".to_owned(),
            bare: true,
            ..crate::emulator::Settings::default()
        })
        .await;
        let refused = bench.get(SERVICES).await;
        assert_eq!(refused.json["error"]["details"][0]["reason"], "SERVICE_DISABLED");
        let path = "/serviceusage/v1/projects/demo-project/services:batchEnable";
        let ids = json!({"serviceIds": ["run.googleapis.com", "iam.googleapis.com"]});
        assert_eq!(bench.post(path, &ids).await.status, 200);
        assert_eq!(bench.get(SERVICES).await.status, 200);
        let accounts = bench.get("/iam/v1/projects/demo-project/serviceAccounts").await;
        assert_eq!((accounts.status, &accounts.json["accounts"]), (200, &Value::Null));
    }
}
