//! An object's content, whole or by range.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::{Object, Storage, errors};
use crate::{Reply, server::bytes_reply};

impl Storage {
    /// `bucket` and `object` percent-encoded, as in the URL.
    pub(super) fn download_plain(&self, bucket: &str, object: &str, headers: &HeaderMap) -> Reply {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (bucket, object) = (decode(bucket), decode(object));
        let buckets = self.lock();
        let Some(found) = buckets.get(&bucket).filter(|b| !b.foreign) else {
            let message = "The specified bucket does not exist.";
            return errors::xml(StatusCode::NOT_FOUND, "NoSuchBucket", message, "");
        };
        match found.objects.get(&object) {
            Some(object) => content(object, headers),
            None => errors::xml(
                StatusCode::NOT_FOUND,
                "NoSuchKey",
                "The specified key does not exist.",
                &format!("No such object: {bucket}/{object}"),
            ),
        }
    }
}

pub fn content(object: &Object, headers: &HeaderMap) -> Reply {
    let length = object.data.len();
    let range = headers.get("range").and_then(|v| v.to_str().ok());
    let mut reply = match range.and_then(parse) {
        None => part(object, 0, length, StatusCode::OK),
        Some(range) => match bounds(range, length) {
            Some((from, to)) => {
                let mut reply = part(object, from, to, StatusCode::PARTIAL_CONTENT);
                set(
                    &mut reply,
                    "content-range",
                    &format!("bytes {from}-{}/{length}", to - 1),
                );
                reply
            }
            None => {
                let message = "The requested range cannot be satisfied.";
                let mut reply = errors::xml(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "InvalidRange",
                    message,
                    range_text(range).as_str(),
                );
                set(&mut reply, "content-range", &format!("bytes */{length}"));
                reply
            }
        },
    };
    set(&mut reply, "x-goog-generation", &object.generation.to_string());
    set(&mut reply, "accept-ranges", "bytes");
    reply
}

fn part(object: &Object, from: usize, to: usize, status: StatusCode) -> Reply {
    let data = Bytes::copy_from_slice(&object.data[from..to]);
    bytes_reply(status, &object.content_type, data)
}

fn set(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers.insert(name, value);
    }
}

/// First and last byte of `bytes=a-b`, `bytes=a-` or `bytes=-n`.
type Range = (Option<usize>, Option<usize>);

/// Anything else is ignored, as HTTP says.
fn parse(header: &str) -> Option<Range> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    let range = (number(first)?, number(last)?);
    match range {
        (None, None) => None,
        (Some(first), Some(last)) if first > last => None,
        range => Some(range),
    }
}

/// Half-open bounds within `length` bytes; `None` when nothing of the object is in the range.
fn bounds(range: Range, length: usize) -> Option<(usize, usize)> {
    match range {
        (Some(first), _) if first >= length => None,
        (Some(first), last) => Some((first, last.map_or(length, |l| l.saturating_add(1).min(length)))),
        (None, Some(count)) if count > 0 && length > 0 => Some((length.saturating_sub(count), length)),
        _ => None,
    }
}

fn range_text(range: Range) -> String {
    let text = |n: Option<usize>| n.map_or(String::new(), |n| n.to_string());
    format!("bytes={}-{}", text(range.0), text(range.1))
}
