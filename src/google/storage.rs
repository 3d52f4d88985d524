//! Cloud Storage: the bucket for build sources and logs, and for production's history.

pub mod document;
mod lifecycle;

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use lifecycle::Lifecycle;

use super::{
    client::Client,
    error::Error,
    request::{Request, segment},
    resource_manager::project_number,
};
use crate::environment::Api;

const UPLOAD_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of a log that are asked for at a time.
pub const CHUNK: u64 = 4 * 1024 * 1024;

/// What a log object had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogChunk {
    /// The object isn't there (yet).
    NotYet,
    NothingNew,
    Bytes(Bytes),
}

/// A bucket of whichever project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Bucket {
    name: String,
    pub project_number: String,
    lifecycle: Lifecycle,
}

impl Bucket {
    /// Whether some rule deletes or moves objects by itself.
    pub fn has_lifecycle(&self) -> bool {
        !self.lifecycle.rule.is_empty()
    }

    /// Whether builds' sources and logs are deleted by themselves after some days.
    pub fn deletes_old(&self) -> bool {
        self.lifecycle.deletes_old()
    }

    /// Whether production's history is deleted by itself after some days.
    pub fn deletes_history(&self) -> bool {
        self.lifecycle.deletes_history()
    }

    /// Whether its lifecycle is the one that llm-deploy set before there was a history, which goes with the rest.
    pub fn has_former_lifecycle(&self) -> bool {
        self.lifecycle.is_former()
    }
}

/// Makes the bucket unless it is there: uniform access, no public access, sources and logs deleted after
/// 7 days. True when it was made. A bucket of another project is refused: whoever owns it could exchange the build's
/// source.
pub async fn ensure_bucket(c: &Client, project: &str, bucket: &str, location: &str) -> Result<bool, Error> {
    if find_bucket(c, project, bucket).await?.is_some() {
        return Ok(false);
    }
    let body = json!({
        "name": bucket,
        "location": location,
        "iamConfiguration": {
            "uniformBucketLevelAccess": { "enabled": true },
            "publicAccessPrevention": "enforced",
        },
        "lifecycle": lifecycle::wanted(),
        "softDeletePolicy": { "retentionDurationSeconds": "0" },
    });
    let request = Request::new(
        Api::Storage,
        Method::POST,
        "storage/v1/b".to_owned(),
        format!("create the bucket `{bucket}`"),
    )
    .query("project", project)
    .json(&body)?
    .repeatable();
    match c.send(request, &[409]).await?.status {
        // Two jobs may have made it at once, or our own first try had its effect.
        409 => match find_bucket(c, project, bucket).await? {
            Some(_) => Ok(false),
            None => Err(foreign(bucket, project)),
        },
        _ => Ok(true),
    }
}

/// Has sources and logs deleted after 7 days, as [`ensure_bucket`] does with a new one.
pub async fn set_lifecycle(c: &Client, bucket: &str) -> Result<(), Error> {
    let request = Request::new(
        Api::Storage,
        Method::PATCH,
        format!("storage/v1/b/{}", segment(bucket)),
        format!("set the lifecycle of the bucket `{bucket}`"),
    )
    .json(&json!({ "lifecycle": lifecycle::wanted() }))?
    .repeatable();
    c.send(request, &[]).await.map(drop)
}

/// The project's bucket; `None` when it isn't among the buckets that can be seen.
///
/// # Errors
/// [`Error::ForeignBucket`] when it is another project's.
pub async fn find_bucket(c: &Client, project: &str, bucket: &str) -> Result<Option<Bucket>, Error> {
    match listed(c, project, bucket).await {
        // A deployer with rights on this bucket alone can't list: compare the projects' numbers.
        Err(error) if error.is_permission_denied() && error.disabled_api().is_none() => {
            match look(c, bucket).await? {
                None => Ok(None),
                Some(found) if found.project_number == project_number(c, project).await? => Ok(Some(found)),
                Some(_) => Err(foreign(bucket, project)),
            }
        }
        listed => listed,
    }
}

/// The bucket, if the project's own list has it.
pub async fn listed(c: &Client, project: &str, bucket: &str) -> Result<Option<Bucket>, Error> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        items: Vec<Bucket>,
    }
    let what = format!("list the buckets of project `{project}`");
    let list = Request::get(Api::Storage, "storage/v1/b".to_owned(), what)
        .query("project", project)
        .query("prefix", bucket);
    let list: List = c.json(list).await?;
    Ok(list.items.into_iter().find(|b| b.name == bucket))
}

/// The bucket, whosever it is; `None` when there is none of this name anywhere.
pub async fn look(c: &Client, bucket: &str) -> Result<Option<Bucket>, Error> {
    let what = format!("look at the bucket `{bucket}`");
    let path = format!("storage/v1/b/{}", segment(bucket));
    c.find(Request::get(Api::Storage, path, what)).await
}

fn foreign(bucket: &str, project: &str) -> Error {
    Error::ForeignBucket {
        bucket: bucket.to_owned(),
        reason: format!("exists, but not in project `{project}`"),
        fix: "grant the deploying account storage.buckets.list on the project if it is there".to_owned(),
    }
}

/// Uploads an object that must not be there yet, and returns its generation. When an object of this name
/// is there (our own first try, or the same source from another run), its generation is returned.
pub async fn upload(
    c: &Client,
    bucket: &str,
    object: &str,
    content_type: &str,
    body: Bytes,
) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Object {
        generation: String,
    }
    let request = upload_request(bucket, object, (content_type, body), "0")
        .repeatable()
        .timeout(UPLOAD_TIMEOUT);
    match c.json::<Object>(request).await {
        Ok(made) => Ok(made.generation),
        Err(error) if error.http_status() == Some(412) => {
            let get = Request::get(
                Api::Storage,
                object_path(bucket, object),
                format!("look at `{object}` in the bucket `{bucket}`"),
            );
            Ok(c.json::<Object>(get).await?.generation)
        }
        Err(error) => Err(error),
    }
}

/// What the object holds from byte `offset` on, at most [`CHUNK`]: a log may be longer than any answer that is read.
pub async fn read_from(c: &Client, bucket: &str, object: &str, offset: u64) -> Result<LogChunk, Error> {
    let mut request = Request::get(
        Api::Storage,
        object_path(bucket, object),
        format!("read `{object}` from the bucket `{bucket}`"),
    )
    .query("alt", "media");
    request.range = Some((offset, offset + CHUNK - 1));
    let response = c.send(request, &[404, 416]).await?;
    let new = match response.status {
        404 => return Ok(LogChunk::NotYet),
        416 => return Ok(LogChunk::NothingNew),
        206 => response.body,
        // The range was passed over: the whole object.
        _ => match usize::try_from(offset) {
            Ok(seen) if seen < response.body.len() => response.body.slice(seen..),
            _ => Bytes::new(),
        },
    };
    Ok(if new.is_empty() {
        LogChunk::NothingNew
    } else {
        LogChunk::Bytes(new)
    })
}

/// An upload in place of `generation`; `0` where there must be none.
fn upload_request<'a>(
    bucket: &str,
    object: &str,
    content: (&'a str, Bytes),
    generation: &str,
) -> Request<'a> {
    let mut request = Request::new(
        Api::Storage,
        Method::POST,
        format!("upload/storage/v1/b/{}/o", segment(bucket)),
        format!("upload `{object}` to the bucket `{bucket}`"),
    )
    .query("uploadType", "media")
    .query("name", object)
    .query("ifGenerationMatch", generation);
    request.body = Some(content);
    request
}

fn object_path(bucket: &str, object: &str) -> String {
    format!("storage/v1/b/{}/o/{}", segment(bucket), segment(object))
}
