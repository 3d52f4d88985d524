//! Cloud Logging: what a container said.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{client::Client, error::Error, request::Request};
use crate::environment::Api;

/// Pages that are asked for: an empty one with a token means that the search isn't through yet.
const PAGES: usize = 10;

/// `LogEntry`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Entry {
    /// The same for an entry that was stored twice.
    pub insert_id: String,
    pub timestamp: String,
    log_name: String,
    labels: BTreeMap<String, String>,
    http_request: Option<HttpRequest>,
    text_payload: Option<String>,
    json_payload: Option<Value>,
    proto_payload: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Page {
    pub entries: Vec<Entry>,
    pub next_page_token: String,
}

pub(crate) struct Query<'a> {
    pub project: &'a str,
    pub filter: &'a str,
    pub newest_first: bool,
    /// Entries of a page, at most 1000.
    pub size: u32,
}

/// One page of a search. Waits for its turn: all reads together stay below the project's quota.
pub(crate) async fn page(c: &Client, query: &Query<'_>, token: &str, what: String) -> Result<Page, Error> {
    let mut body = json!({
        "resourceNames": [format!("projects/{}", query.project)],
        "filter": query.filter,
        "orderBy": if query.newest_first { "timestamp desc" } else { "timestamp asc" },
        "pageSize": query.size.clamp(1, 1000),
    });
    if !token.is_empty() {
        body["pageToken"] = token.into();
    }
    let request = Request::new(Api::Logging, Method::POST, "v2/entries:list".to_owned(), what)
        .json(&body)?
        .repeatable();
    c.log_turn().await;
    c.json(request).await
}

/// The last `lines` entries of a revision's log, newest last. Hostile text.
pub async fn revision_log(
    c: &Client,
    project: &str,
    location: &str,
    service: &str,
    revision: &str,
    lines: u32,
) -> Result<Vec<String>, Error> {
    let query = Query {
        project,
        filter: &filter(location, service, revision),
        newest_first: true,
        size: lines,
    };
    let mut token = String::new();
    for _ in 0..PAGES {
        let what = format!("read the log of revision `{revision}`");
        let found = page(c, &query, &token, what).await?;
        if !found.entries.is_empty() || found.next_page_token.is_empty() {
            return Ok(found.entries.into_iter().rev().filter_map(text).collect());
        }
        token = found.next_page_token;
    }
    Ok(Vec::new())
}

/// One line about a Cloud Run service.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub at: DateTime<Utc>,
    pub source: Source,
    /// The instance that it is about.
    pub instance: Option<String>,
    /// Hostile text; empty for a request.
    pub text: String,
}

/// Who wrote a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Cloud Run itself.
    System,
    /// The container.
    Container,
    /// The front end, of a request; `at` is when it came in.
    Request(HttpRequest),
    Other,
}

/// `HttpRequest` of a log entry, as far as it is read. Hostile text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRequest {
    pub request_method: String,
    pub request_url: String,
    pub user_agent: String,
    pub status: u16,
}

/// Everything that was logged about a service since a time, of all of its revisions, oldest first; at most
/// [`PAGES`] × 1000 lines.
pub async fn service_lines(
    c: &Client,
    project: &str,
    location: &str,
    service: &str,
    since: DateTime<Utc>,
) -> Result<Vec<Line>, Error> {
    let filter = [
        ("resource.type", "=", "cloud_run_revision"),
        ("resource.labels.service_name", "=", service),
        ("resource.labels.location", "=", location),
        (
            "timestamp",
            ">=",
            &since.to_rfc3339_opts(SecondsFormat::Micros, true),
        ),
    ]
    .map(|(key, is, value)| format!("{key}{is}{}", quoted(value)))
    .join(" AND ");
    let query = Query {
        project,
        filter: &filter,
        newest_first: false,
        size: 1000,
    };
    let (mut token, mut lines) = (String::new(), Vec::new());
    for _ in 0..PAGES {
        let found = page(c, &query, &token, format!("read the log of service `{service}`")).await?;
        lines.extend(found.entries.into_iter().filter_map(line));
        token = found.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    Ok(lines)
}

/// `None` when it has no time.
fn line(mut entry: Entry) -> Option<Line> {
    let at = DateTime::parse_from_rfc3339(&entry.timestamp).ok()?.to_utc();
    let source = match (entry.http_request.take(), entry.log_name.rsplit("%2F").next()) {
        (Some(request), _) => Source::Request(request),
        (None, Some("stdout" | "stderr")) => Source::Container,
        (None, Some("system")) => Source::System,
        (None, _) => Source::Other,
    };
    Some(Line {
        at,
        source,
        instance: entry.labels.remove("instanceId"),
        text: text(entry).unwrap_or_default(),
    })
}

/// Request entries have no text and say nothing about a container that doesn't start.
fn filter(location: &str, service: &str, revision: &str) -> String {
    [
        ("resource.type", "cloud_run_revision"),
        ("resource.labels.service_name", service),
        ("resource.labels.location", location),
        ("resource.labels.revision_name", revision),
    ]
    .map(|(key, value)| format!("{key}={}", quoted(value)))
    .join(" AND ")
}

/// A string literal of the filter language.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What an entry says, in whichever kind of payload.
pub(crate) fn text(entry: Entry) -> Option<String> {
    let message = |value: &Value, pointer: &str| value.pointer(pointer)?.as_str().map(str::to_owned);
    entry
        .text_payload
        .or_else(|| message(entry.json_payload.as_ref()?, "/message"))
        .or_else(|| entry.json_payload.as_ref().map(Value::to_string))
        .or_else(|| message(entry.proto_payload.as_ref()?, "/status/message"))
        .map(|t| t.trim_end().to_owned())
        .filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_filter() {
        assert_eq!(
            filter("r", "s\" OR \"", "v\\"),
            r#"resource.type="cloud_run_revision" AND resource.labels.service_name="s\" OR \"" AND resource.labels.location="r" AND resource.labels.revision_name="v\\""#
        );
    }

    #[tokio::test]
    async fn an_empty_page_is_not_the_end_of_the_search() {
        use crate::google::testing::{Server, answer};
        let server = Server::script(vec![
            answer(200, json!({"nextPageToken": "t"})),
            answer(
                200,
                json!({"entries": [{"textPayload": "last"}, {"textPayload": "first"}]}),
            ),
        ])
        .await;
        let lines = revision_log(&server.client(), "p", "r", "s", "s-1", 40).await;
        assert_eq!(lines.unwrap(), ["first", "last"]);
        assert_eq!(server.asked()[1].json()["pageToken"], "t");
        let endless = Server::start(|_| answer(200, json!({"nextPageToken": "t"}))).await;
        let lines = revision_log(&endless.client(), "p", "r", "s", "s-1", 40).await;
        assert!(lines.unwrap().is_empty());
    }

    #[test]
    fn text_is_found_in_every_kind_of_payload() {
        let read = |value: Value| text(serde_json::from_value(value).unwrap());
        assert_eq!(read(json!({"textPayload": "a\n"})).as_deref(), Some("a"));
        assert_eq!(
            read(json!({"jsonPayload": {"message": "b"}})).as_deref(),
            Some("b")
        );
        assert_eq!(
            read(json!({"jsonPayload": {"x": 1}})).as_deref(),
            Some(r#"{"x":1}"#)
        );
        let proto = json!({"protoPayload": {"status": {"message": "c"}}});
        assert_eq!(read(proto).as_deref(), Some("c"));
        assert_eq!(read(json!({"httpRequest": {}})), None);
    }
}
