//! Uploads: content alone, or content with metadata.

use axum::http::StatusCode;
use serde_json::Value;

use super::{Object, Storage, errors, objects};
use crate::{Call, Reply, Shared, access::Resource, tokens::Principal};

/// What an upload brings.
struct Upload {
    metadata: Value,
    content_type: String,
    data: Vec<u8>,
}

impl Storage {
    pub(super) fn insert_object(&self, emulator: &Shared, call: &Call) -> Reply {
        let upload = match read(call) {
            Ok(upload) => upload,
            Err(refused) => return *refused,
        };
        let Some(name) = call.query("name").or_else(|| upload.metadata["name"].as_str()) else {
            return errors::error(StatusCode::BAD_REQUEST, "required", "Required parameter: name");
        };
        if name.is_empty() || name.len() > 1024 || name.contains(['\r', '\n']) {
            return errors::invalid(&format!("Invalid object name: {name:?}"));
        }
        // Who puts an object in another's place deletes that one.
        // <https://cloud.google.com/storage/docs/access-control/iam-json>
        let (delete, on) = (
            "storage.objects.delete",
            Resource::Bucket(call.param("bucket").to_owned()),
        );
        let may_replace = call
            .caller
            .as_ref()
            .is_some_and(|caller| emulator.may(caller, delete, &on));
        self.with_bucket(call, "storage.objects.create", |bucket| {
            let old = bucket.objects.get(name);
            if !objects::conditions_hold(call, old) {
                return errors::condition_not_met();
            }
            if old.is_some() && !may_replace {
                let caller = call.caller.as_ref().map_or(errors::ANONYMOUS, Principal::name);
                return errors::denied(caller, delete);
            }
            let mut object = Object::new(upload.data, &upload.content_type);
            // Two uploads in one microsecond still differ.
            let after = old.map_or(0, |o| o.generation + 1);
            object.generation = object.generation.max(after);
            object.metadata = upload.metadata.get("metadata").cloned();
            let shown = objects::metadata(&objects::name_of(bucket), name, &object);
            bucket.objects.insert(name.to_owned(), object);
            Reply::ok(&shown)
        })
    }
}

fn read(call: &Call) -> Result<Upload, Box<Reply>> {
    let header = call.headers.get("content-type").and_then(|v| v.to_str().ok());
    let content_type = header.unwrap_or("application/octet-stream");
    match call.query("uploadType") {
        Some("media") => Ok(Upload {
            metadata: Value::Null,
            content_type: content_type.to_owned(),
            data: call.body.to_vec(),
        }),
        Some("multipart") => multipart(content_type, &call.body)
            .ok_or_else(|| Box::new(errors::invalid("Malformed multipart body."))),
        Some("resumable") => Err(Box::new(Reply::not_implemented(call))),
        _ => Err(Box::new(errors::invalid(
            "Invalid upload request: uploadType must be media, multipart or resumable.",
        ))),
    }
}

/// Two parts: metadata as JSON, then the content.
fn multipart(content_type: &str, body: &[u8]) -> Option<Upload> {
    let (kind, rest) = content_type.split_once(';')?;
    if kind.trim() != "multipart/related" {
        return None;
    }
    let boundary = rest
        .split(';')
        .find_map(|p| p.trim().strip_prefix("boundary="))?
        .trim_matches(['"', '\'']);
    let delimiter = format!("--{boundary}");
    let start = find(body, delimiter.as_bytes())? + delimiter.len();
    let next = format!("\n{delimiter}");
    let (first, rest) = split(&body[start..], next.as_bytes())?;
    let (second, end) = split(rest, next.as_bytes())?;
    if !end.starts_with(b"--") {
        return None;
    }
    let (_, metadata) = headers_and_body(first)?;
    let (headers, data) = headers_and_body(second)?;
    let given = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-type")
            .then(|| value.trim().to_owned())
    });
    let metadata: Value = serde_json::from_slice(metadata).ok()?;
    let content_type = metadata["contentType"].as_str().map(str::to_owned).or(given);
    Some(Upload {
        content_type: content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        data: data.to_vec(),
        metadata,
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// Before and after the delimiter; a carriage return before it belongs to it.
fn split<'a>(text: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, delimiter)?;
    let before = &text[..at];
    let before = before.strip_suffix(b"\r").unwrap_or(before);
    Some((before, &text[at + delimiter.len()..]))
}

fn headers_and_body(part: &[u8]) -> Option<(&str, &[u8])> {
    for blank in [&b"\r\n\r\n"[..], &b"\n\n"[..]] {
        if let Some(at) = find(part, blank) {
            return Some((std::str::from_utf8(&part[..at]).ok()?, &part[at + blank.len()..]));
        }
    }
    None
}
