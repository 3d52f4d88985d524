//! What a fault does to a request: before it takes effect, and to its answer.

use std::{io, sync::atomic::Ordering, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Method, header},
};
use futures::StreamExt;
use serde_json::Value;

use super::{Fault, Faults, Pattern, Rule, Seen, answers, lock};
use crate::{Call, Emulator, Reply, run::quantity, tokens};

/// Longest answer that is looked into, in bytes.
const LARGEST: usize = 256 << 20;
/// The longest that one `wait` for an operation lasts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Before the request has an effect: the answer, when there is to be no effect at all.
pub async fn before(emulator: &Emulator, service: &str, call: &Call, fault: Option<&Fault>) -> Option<Reply> {
    match fault? {
        Fault::Answer {
            status,
            retry_after,
            body,
        } => return Some(answers::error(service, *status, *retry_after, body.as_ref())),
        Fault::Quota(quota) => return Some(answers::quota(*quota)),
        Fault::ResetBefore => return Some(Reply::hang_up()),
        Fault::Hang => std::future::pending().await,
        Fault::Before(hook) => (hook.0)(),
        Fault::Revoked => {
            if let Some(token) = tokens::bearer(&call.headers) {
                emulator.tokens.expire(token);
            }
        }
        Fault::CancelBuilds => emulator.builds.cancel_all(),
        _ => {}
    }
    None
}

/// After the request had its effect.
pub async fn after(
    emulator: &Emulator,
    service: &str,
    call: &Call,
    fault: Option<&Fault>,
    reply: Reply,
) -> Reply {
    let faults = &emulator.faults;
    let reply = match fault {
        Some(Fault::ResetAfter) => return Reply::hang_up(),
        Some(Fault::AnswerAfter(status)) => return answers::error(service, *status, None, None),
        Some(Fault::HangAfter) => std::future::pending().await,
        Some(Fault::Truncated) => return cut(reply, true).await,
        Some(Fault::Garbled) => return cut(reply, false).await,
        Some(Fault::Altered(alteration)) => {
            let (reply, mut json) = look(reply).await;
            let places = alteration.apply(&mut json);
            if places == 0 {
                return reply;
            }
            faults
                .lied
                .fetch_add(u32::try_from(places).unwrap_or(u32::MAX), Ordering::SeqCst);
            let (status, headers) = (reply.status, reply.headers);
            let mut changed = Reply::json(status, &json);
            // Links to further pages, and the like.
            for (name, value) in &headers {
                if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
                    changed.headers.append(name.clone(), value.clone());
                }
            }
            changed
        }
        Some(Fault::Slow(by)) => {
            tokio::time::sleep(*by).await;
            reply
        }
        Some(Fault::Endless) => {
            let (reply, json) = look(reply).await;
            lock(&faults.endless).extend(names(&json));
            reply
        }
        Some(Fault::FoundLate(times)) => {
            let (reply, json) = look(reply).await;
            if let Some(name) = made(call, &json).filter(|_| reply.status.is_success()) {
                faults.add(hidden(
                    service,
                    &format!("/{name}"),
                    *times,
                    404,
                    Some(Method::GET),
                ));
            }
            reply
        }
        Some(Fault::GrantedLate(times)) => {
            let (service, path) = granted(service, call);
            faults.add(hidden(service, &path, *times, 403, None));
            reply
        }
        Some(Fault::LogStops) => {
            faults.logs_stopped.store(true, Ordering::SeqCst);
            reply
        }
        Some(Fault::LogGone) => {
            faults.logs_stopped.store(true, Ordering::SeqCst);
            faults.add(hidden("storage", "log-", u32::MAX, 404, Some(Method::GET)));
            reply
        }
        Some(Fault::After(hook)) => {
            (hook.0)();
            reply
        }
        _ => reply,
    };
    let reply = unending(faults, call, reply).await;
    if faults.is_watched() && is_json(&reply) {
        let (reply, json) = look(reply).await;
        lock(&faults.answers).push((Seen::of(service, call), json));
        return reply;
    }
    reply
}

/// An answer that comes event by event is not looked into: it would come all at once.
fn is_json(reply: &Reply) -> bool {
    let kind = reply.headers.get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"))
}

/// An operation that is not to end is shown as under way, however far it is.
async fn unending(faults: &Faults, call: &Call, reply: Reply) -> Reply {
    if lock(&faults.endless).is_empty() || call.id.is_empty() {
        return reply;
    }
    let (reply, mut json) = look(reply).await;
    let endless = names(&json)
        .iter()
        .any(|name| lock(&faults.endless).contains(name));
    let Some(object) = json.as_object_mut().filter(|_| endless) else {
        return reply;
    };
    for field in ["done", "error", "response", "finishTime", "results"] {
        object.remove(field);
    }
    if object.get("status").is_some_and(Value::is_string) {
        object.insert("status".to_owned(), "WORKING".into());
    }
    if call.id.ends_with("operations.wait") {
        let asked = call.json["timeout"].as_str().and_then(quantity::duration);
        tokio::time::sleep(asked.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)).await;
    }
    Reply::json(reply.status, &json)
}

/// What an operation or a build is known by: its name, and the id of the build.
fn names(answer: &Value) -> Vec<String> {
    let known = [
        &answer["name"],
        &answer["id"],
        &answer["metadata"]["build"]["id"],
        &answer["metadata"]["build"]["name"],
    ];
    let known = known.into_iter().filter_map(Value::as_str);
    known.map(str::to_owned).collect()
}

/// The last part of the name of what the request made.
fn made(call: &Call, answer: &Value) -> Option<String> {
    let asked = call
        .query
        .iter()
        .find(|(name, _)| name.ends_with("Id") && name != "projectId");
    let last = |name: &Value| name.as_str()?.rsplit('/').next().map(str::to_owned);
    last(&answer["metadata"]["build"]["id"])
        .or_else(|| asked.map(|(_, id)| id.clone()))
        .or_else(|| last(&answer["name"]))
        .or_else(|| answer["id"].as_u64().map(|id| id.to_string()))
}

/// The service and part of the path of what a policy is about. A project's binds in every service.
fn granted<'a>(service: &'a str, call: &Call) -> (&'a str, String) {
    match service {
        "cloudresourcemanager" => ("", "/locations/".to_owned()),
        "storage" => (service, call.path.trim_end_matches("/iam").to_owned() + "/o"),
        _ => {
            let resource = call.path.rsplit_once(':').map_or(call.path.as_str(), |(r, _)| r);
            (service, format!("{resource}:"))
        }
    }
}

fn hidden(service: &str, path: &str, times: u32, status: u16, method: Option<Method>) -> Rule {
    Rule {
        on: Pattern {
            service: (!service.is_empty()).then(|| service.to_owned()),
            method: method.map(|m| m.to_string()),
            path: Some(path.to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times,
        fault: Fault::Answer {
            status,
            retry_after: None,
            body: None,
        },
    }
}

/// The same answer, and what it says.
async fn look(reply: Reply) -> (Reply, Value) {
    let body = axum::body::to_bytes(reply.body, LARGEST)
        .await
        .unwrap_or_default();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let body = Body::from(body);
    (Reply { body, ..reply }, json)
}

/// The first half of the body, and then the end of the connection or, in good order, of the answer.
async fn cut(reply: Reply, broken: bool) -> Reply {
    let whole = axum::body::to_bytes(reply.body, LARGEST)
        .await
        .unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    let mut headers = reply.headers;
    if !broken {
        headers.remove(header::CONTENT_LENGTH);
        let body = Body::from(half);
        return Reply {
            status: reply.status,
            headers,
            body,
        };
    }
    headers.insert(header::CONTENT_LENGTH, whole.len().into());
    let start = futures::stream::once(async { Ok::<Bytes, io::Error>(half) });
    let end = futures::stream::once(async {
        // What was written goes out first.
        tokio::time::sleep(Duration::from_millis(5)).await;
        Err(io::Error::other("the answer is to be cut short"))
    });
    Reply {
        status: reply.status,
        headers,
        body: Body::from_stream(start.chain(end)),
    }
}
