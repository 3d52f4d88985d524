//! Hugging Face's Hub: the model catalogue, its refusals, its files without the weights.
//!
//! File lists follow the real repositories; sizes of weights are close to the real ones, commits are made up.
//! Small JSON files are real answers; weights are announced (HEAD, `X-Linked-Size`) and never served. The
//! refusals have the Hub's statuses and bodies: an unknown or private repository is 401 `Invalid username or
//! password.` to the anonymous and 404 `RepoNotFound` to others; a gated one is 401 or 403 `GatedRepo` for its
//! files and revisions, while its plain metadata is public.

mod catalogue;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode},
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{Call, Reply, Shared};
use catalogue::Entry;

/// A token that has been granted every repository, as has what the emulator's secret `hf-token` holds.
pub const TOKEN: &str = "hf_emulatorReader";
/// A valid token of a user who has been granted no gated and no private repository.
pub const UNGRANTED_TOKEN: &str = "hf_emulatorStranger";

/// How tokens that the emulator made up begin.
const MADE_UP: &str = "hf_emulator";

/// What the hub holds: a catalogue that doesn't change.
#[derive(Default)]
pub struct Hub {}

/// A model repository.
#[derive(Clone, Debug)]
pub struct Model {
    pub id: String,
    /// 40 hexadecimal digits.
    pub commit: String,
    pub gated: bool,
    /// Path and bytes.
    pub files: Vec<(String, u64)>,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anonymous,
    Stranger,
    Granted,
}

type Answer = Result<Reply, Reply>;

impl Hub {
    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let secret = emulator.secrets.value("hf-token", "latest");
        // Only what the emulator made up itself: a secret that a test overwrote holds a bad token.
        let secret = secret
            .and_then(|value| String::from_utf8(value).ok())
            .filter(|token| token.starts_with(MADE_UP));
        answer(&emulator.base_url, secret.as_deref(), call).unwrap_or_else(|refusal| refusal)
    }

    /// The repository at its branch `main`.
    pub fn model(&self, id: &str) -> Option<Model> {
        let entry = catalogue::find(id)?;
        Some(Model {
            id: id.to_owned(),
            commit: entry.commit("main")?,
            gated: entry.gated.is_some(),
            files: entry.files(),
        })
    }
}

/// Longest context, in tokens, that a catalogued model's config.json allows (`max_position_embeddings`).
pub fn context_length(id: &str) -> Option<usize> {
    catalogue::find(id).map(|entry| entry.context)
}

fn answer(base_url: &str, secret: Option<&str>, call: &Call) -> Answer {
    let caller = caller(&call.headers, secret)?;
    let path = call.path.trim_start_matches('/');
    let parts: Vec<String> = path
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    match parts.as_slice() {
        _ if !reads => Err(refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            None,
            "Method Not Allowed",
        )),
        ["api", "whoami-v2"] => whoami(caller),
        ["api", "models", owner, name] => {
            let entry = visible(&format!("{owner}/{name}"), caller)?;
            Ok(Reply::ok(&info(entry, "main", call)?))
        }
        ["api", "models", owner, name, "revision", revision] => {
            let entry = readable(&format!("{owner}/{name}"), caller)?;
            Ok(Reply::ok(&info(entry, revision, call)?))
        }
        ["api", "models", owner, name, "tree", revision, folder @ ..] => {
            let entry = readable(&format!("{owner}/{name}"), caller)?;
            tree(
                entry,
                revision,
                &folder.join("/"),
                call.query("recursive") == Some("true"),
            )
        }
        [owner, name, "resolve", revision, file @ ..] if !file.is_empty() => {
            let entry = readable(&format!("{owner}/{name}"), caller)?;
            resolve(base_url, entry, revision, &file.join("/"), call)
        }
        ["api", ..] => Err(refusal(
            StatusCode::NOT_FOUND,
            None,
            "Sorry, we can't find the page you are looking for.",
        )),
        _ => Err(refusal(StatusCode::NOT_FOUND, None, "Not Found")),
    }
}

fn caller(headers: &HeaderMap, secret: Option<&str>) -> Result<Caller, Reply> {
    let Some(value) = headers.get("authorization").and_then(|value| value.to_str().ok()) else {
        return Ok(Caller::Anonymous);
    };
    match value.split_once(' ').map(|(_, token)| token) {
        Some(UNGRANTED_TOKEN) => Ok(Caller::Stranger),
        Some(token) if token == TOKEN || Some(token) == secret => Ok(Caller::Granted),
        _ => Err(refusal(
            StatusCode::UNAUTHORIZED,
            None,
            "Invalid credentials in Authorization header",
        )),
    }
}

/// A refusal in the Hub's form: the reason in the body and in headers.
fn refusal(status: StatusCode, code: Option<&str>, message: &str) -> Reply {
    let mut reply = Reply::json(status, &json!({ "error": message }));
    let mut insert = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            reply.headers.insert(HeaderName::from_static(name), value);
        }
    };
    insert("x-error-message", message);
    if let Some(code) = code {
        insert("x-error-code", code);
    }
    if status == StatusCode::UNAUTHORIZED {
        insert(
            "www-authenticate",
            "Bearer realm=\"Authentication required\", charset=\"UTF-8\"",
        );
    }
    reply
}

/// The repository, if the caller may know that it exists.
fn visible(id: &str, caller: Caller) -> Result<&'static Entry, Reply> {
    match catalogue::find(id) {
        Some(entry) if !entry.private || caller == Caller::Granted => Ok(entry),
        _ if caller == Caller::Anonymous => Err(refusal(
            StatusCode::UNAUTHORIZED,
            None,
            "Invalid username or password.",
        )),
        _ => Err(refusal(
            StatusCode::NOT_FOUND,
            Some("RepoNotFound"),
            "Repository not found",
        )),
    }
}

/// The repository, if the caller may read its files.
fn readable(id: &str, caller: Caller) -> Result<&'static Entry, Reply> {
    let entry = visible(id, caller)?;
    if entry.gated.is_none() || caller == Caller::Granted {
        return Ok(entry);
    }
    let (status, message) = if caller == Caller::Anonymous {
        let message = format!(
            "Access to model {id} is restricted. You must have access to it and be authenticated to access it. \
             Please log in."
        );
        (StatusCode::UNAUTHORIZED, message)
    } else {
        let message = format!(
            "Access to model {id} is restricted and you are not in the authorized list. Visit \
             https://huggingface.co/{id} to ask for access."
        );
        (StatusCode::FORBIDDEN, message)
    };
    Err(refusal(status, Some("GatedRepo"), &message))
}

fn commit(entry: &Entry, revision: &str) -> Result<String, Reply> {
    entry.commit(revision).ok_or_else(|| {
        let message = format!("Invalid rev id: {revision}");
        refusal(StatusCode::NOT_FOUND, Some("RevisionNotFound"), &message)
    })
}

fn whoami(caller: Caller) -> Answer {
    let name = match caller {
        Caller::Anonymous => {
            return Err(refusal(
                StatusCode::UNAUTHORIZED,
                None,
                "Invalid username or password.",
            ));
        }
        Caller::Stranger => "stranger",
        Caller::Granted => "octo-org",
    };
    Ok(Reply::ok(&json!({
        "type": "user", "id": "65a000000000000000000001", "name": name, "fullname": name, "isPro": false, "orgs": [],
        "auth": {"type": "access_token", "accessToken": {"displayName": "emulator", "role": "read"}},
    })))
}

fn info(entry: &Entry, revision: &str, call: &Call) -> Result<Value, Reply> {
    let sha = commit(entry, revision)?;
    let blobs = call
        .query("blobs")
        .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
    let siblings: Vec<Value> = entry
        .files()
        .into_iter()
        .map(|(path, bytes)| {
            let mut sibling = json!({ "rfilename": path });
            if blobs {
                sibling["size"] = json!(bytes);
                sibling["blobId"] = json!(catalogue::hex(&[entry.id, &path, "blob"], 40));
                if catalogue::is_lfs(&path) {
                    sibling["lfs"] = json!({
                        "sha256": catalogue::hex(&[entry.id, &path], 64), "size": bytes, "pointerSize": 135,
                    });
                }
            }
            sibling
        })
        .collect();
    let license = format!("license:{}", entry.license);
    let mut info = json!({
        "_id": catalogue::hex(&[entry.id], 24), "id": entry.id, "modelId": entry.id, "private": entry.private,
        "pipeline_tag": "text-generation", "library_name": "transformers",
        "tags": ["transformers", "safetensors", entry.model_type, "text-generation", license, "region:us"],
        "downloads": 1_000_000, "likes": 500, "author": entry.id.split('/').next(), "sha": sha,
        "lastModified": "2026-01-15T09:00:00.000Z", "createdAt": "2026-01-10T09:00:00.000Z",
        "gated": entry.gated.map_or(json!(false), |mode| json!(mode)), "disabled": false,
        "config": {"architectures": [entry.architecture], "model_type": entry.model_type},
        "cardData": {"license": entry.license, "pipeline_tag": "text-generation"},
        "siblings": siblings, "spaces": [], "usedStorage": entry.files().iter().map(|(_, bytes)| bytes).sum::<u64>(),
    });
    info["safetensors"] = json!({"parameters": {"BF16": entry.parameters}, "total": entry.parameters});
    Ok(info)
}

fn tree(entry: &Entry, revision: &str, folder: &str, recursive: bool) -> Answer {
    let sha = commit(entry, revision)?;
    let mut items: Vec<Value> = Vec::new();
    for (path, bytes) in entry.files() {
        let inside = if folder.is_empty() {
            Some(path.as_str())
        } else {
            path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'))
        };
        let Some(inside) = inside else { continue };
        if let (Some((name, _)), false) = (inside.split_once('/'), recursive) {
            let item = json!({
                "type": "directory", "oid": catalogue::hex(&[entry.id, name, &sha], 40), "size": 0, "path": name,
            });
            if !items.contains(&item) {
                items.push(item);
            }
            continue;
        }
        let mut item = json!({
            "type": "file", "oid": catalogue::hex(&[entry.id, &path, "blob"], 40), "size": bytes, "path": path,
        });
        if catalogue::is_lfs(&path) {
            item["lfs"] = json!({
                "oid": catalogue::hex(&[entry.id, &path], 64), "size": bytes, "pointerSize": 135,
            });
        }
        items.push(item);
    }
    if items.is_empty() {
        let message = format!("{folder} does not exist on \"{revision}\"");
        return Err(refusal(StatusCode::NOT_FOUND, Some("EntryNotFound"), &message));
    }
    Ok(Reply::ok(&Value::Array(items)))
}

fn resolve(base_url: &str, entry: &Entry, revision: &str, file: &str, call: &Call) -> Answer {
    let sha = commit(entry, revision)?;
    let Some((_, bytes)) = entry.files().into_iter().find(|(path, _)| path == file) else {
        return Err(refusal(
            StatusCode::NOT_FOUND,
            Some("EntryNotFound"),
            "Entry not found",
        ));
    };
    let mut reply = match entry.content(file) {
        Some(content) => {
            let mut reply = Reply::json(StatusCode::OK, &Value::Null);
            reply.headers.insert(
                "content-type",
                HeaderValue::from_static("text/plain; charset=utf-8"),
            );
            reply.body = if call.method == Method::HEAD {
                Body::empty()
            } else {
                Body::from(content)
            };
            reply
        }
        None if call.method == Method::HEAD => {
            let mut reply = Reply::json(StatusCode::FOUND, &Value::Null);
            reply.body = Body::empty();
            let location = format!("{base_url}/hf/{}", call.path.trim_start_matches('/'));
            if let Ok(value) = HeaderValue::from_str(&location) {
                reply.headers.insert("location", value);
            }
            reply
        }
        None => {
            return Err(refusal(
                StatusCode::NOT_IMPLEMENTED,
                None,
                "The emulator holds no weights",
            ));
        }
    };
    let mut insert = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            reply.headers.insert(HeaderName::from_static(name), value);
        }
    };
    insert("x-repo-commit", sha);
    insert("accept-ranges", "bytes".to_owned());
    if catalogue::is_lfs(file) {
        insert("x-linked-size", bytes.to_string());
        insert(
            "x-linked-etag",
            format!("\"{}\"", catalogue::hex(&[entry.id, file], 64)),
        );
    } else {
        insert(
            "etag",
            format!("\"{}\"", catalogue::hex(&[entry.id, file, "blob"], 40)),
        );
        if call.method == Method::HEAD {
            insert("content-length", bytes.to_string());
        }
    }
    Ok(reply)
}

#[cfg(test)]
mod tests;
