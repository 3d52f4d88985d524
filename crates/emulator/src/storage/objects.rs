//! Objects: metadata, lists, deletion.

use axum::http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{Bucket, Object, Storage, download, errors};
use crate::{Call, Reply};

/// Objects per page when the request doesn't say.
const PAGE: usize = 1000;

impl Storage {
    pub(super) fn get_object(&self, call: &Call) -> Reply {
        self.with_bucket(call, "storage.objects.get", |bucket| {
            let name = call.param("object");
            let (bucket_name, objects) = (name_of(bucket), &bucket.objects);
            let Some(object) = objects.get(name).filter(|o| is_generation(call, o)) else {
                return errors::no_object(&bucket_name, name);
            };
            if !conditions_hold(call, Some(object)) {
                return errors::condition_not_met();
            }
            if call.query("alt") == Some("media") {
                return download::content(object, &call.headers);
            }
            Reply::ok(&metadata(&bucket_name, name, object))
        })
    }

    pub(super) fn list_objects(&self, call: &Call) -> Reply {
        self.with_bucket(call, "storage.objects.list", |bucket| {
            let asked = call.query("maxResults").and_then(|n| n.parse().ok());
            let page = asked.unwrap_or(PAGE).clamp(1, PAGE);
            Reply::ok(&listing(bucket, call, page))
        })
    }

    pub(super) fn delete_object(&self, call: &Call) -> Reply {
        self.with_bucket(call, "storage.objects.delete", |bucket| {
            let name = call.param("object");
            let bucket_name = name_of(bucket);
            let Some(object) = bucket.objects.get(name).filter(|o| is_generation(call, o)) else {
                return errors::no_object(&bucket_name, name);
            };
            if !conditions_hold(call, Some(object)) {
                return errors::condition_not_met();
            }
            bucket.objects.remove(name);
            let reply = Reply::json(StatusCode::NO_CONTENT, &Value::Null);
            Reply {
                body: axum::body::Body::empty(),
                ..reply
            }
        })
    }
}

pub(super) fn name_of(bucket: &Bucket) -> String {
    bucket.resource["name"].as_str().unwrap_or_default().to_owned()
}

fn is_generation(call: &Call, object: &Object) -> bool {
    call.query("generation")
        .is_none_or(|g| g == object.generation.to_string())
}

/// `ifGenerationMatch` and `ifGenerationNotMatch`; an object that isn't there has generation 0.
pub(super) fn conditions_hold(call: &Call, object: Option<&Object>) -> bool {
    let generation = object.map_or(0, |o| o.generation).to_string();
    call.query("ifGenerationMatch").is_none_or(|g| g == generation)
        && call.query("ifGenerationNotMatch").is_none_or(|g| g != generation)
}

pub(super) fn metadata(bucket: &str, name: &str, object: &Object) -> Value {
    let generation = object.generation;
    let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let host = "https://storage.googleapis.com";
    let mut out = json!({
        "kind": "storage#object", "id": format!("{bucket}/{name}/{generation}"),
        "selfLink": format!("https://www.googleapis.com/storage/v1/b/{bucket}/o/{encoded}"),
        "mediaLink": format!("{host}/download/storage/v1/b/{bucket}/o/{encoded}?generation={generation}&alt=media"),
        "name": name, "bucket": bucket, "generation": generation.to_string(), "metageneration": "1",
        "contentType": object.content_type, "storageClass": "STANDARD", "size": object.data.len().to_string(),
        "timeCreated": object.created, "updated": object.updated, "etag": format!("{generation:x}"),
    });
    if let Some(custom) = &object.metadata {
        out["metadata"] = custom.clone();
    }
    out
}

fn listing(bucket: &Bucket, call: &Call, page: usize) -> Value {
    let (prefix, delimiter) = (
        call.query("prefix").unwrap_or(""),
        call.query("delimiter").unwrap_or(""),
    );
    let after = call.query("pageToken").unwrap_or("");
    let bucket_name = name_of(bucket);
    let (mut items, mut prefixes, mut last) = (Vec::new(), Vec::<String>::new(), None);
    for (name, object) in &bucket.objects {
        if !name.starts_with(prefix) || name.as_str() <= after {
            continue;
        }
        if items.len() + prefixes.len() == page {
            break;
        }
        last = Some(name);
        let folder = (!delimiter.is_empty())
            .then(|| name[prefix.len()..].find(delimiter))
            .flatten();
        match folder.map(|n| &name[..prefix.len() + n + delimiter.len()]) {
            Some(folder) if prefixes.last().map(String::as_str) == Some(folder) => {}
            Some(folder) => prefixes.push(folder.to_owned()),
            None => items.push(metadata(&bucket_name, name, object)),
        }
    }
    let mut out = Map::new();
    out.insert("kind".into(), "storage#objects".into());
    let more = last.is_some_and(|last| {
        let mut rest = bucket.objects.range(last.clone()..).skip(1);
        rest.any(|(name, _)| name.starts_with(prefix))
    });
    if let (true, Some(last)) = (more, last) {
        out.insert("nextPageToken".into(), last.as_str().into());
    }
    if !prefixes.is_empty() {
        out.insert("prefixes".into(), prefixes.into());
    }
    if !items.is_empty() {
        out.insert("items".into(), items.into());
    }
    out.into()
}
