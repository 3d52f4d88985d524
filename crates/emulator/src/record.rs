//! One JSON line per request, written as it arrives. Credentials stay out.

use std::{
    fs::File,
    io,
    io::Write as _,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value, json};

use super::Call;

/// Appends to the file of `settings.record`.
#[derive(Default)]
pub struct Recorder {
    file: Option<Mutex<File>>,
    /// Whole requests, for whom [`Recorder::keep`] was called.
    kept: Mutex<Option<Vec<(String, Call)>>>,
}

impl Recorder {
    /// From now on whole requests are kept in memory, with all that the file hides.
    pub fn keep(&self) {
        self.lock().get_or_insert_default();
    }

    pub fn keeps(&self) -> bool {
        self.lock().is_some()
    }

    /// The kept requests with their service's prefix; `endpoint` for those to a deployed service.
    pub fn kept(&self) -> Vec<(String, Call)> {
        self.lock().clone().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<(String, Call)>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// When the file can't be opened for appending.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|e| super::running::unwritten(path, &e))?;
        Ok(Self {
            file: Some(Mutex::new(file)),
            ..Self::default()
        })
    }

    /// A request that has just arrived. A line that can't be written is lost: the caller's answer matters more.
    pub fn write(&self, service: &str, call: &Call) {
        self.remember(service, call);
        let Some(file) = &self.file else { return };
        let mut line = line(service, call).to_string();
        line.push('\n');
        if let Ok(mut file) = file.lock() {
            let _ = file.write_all(line.as_bytes());
        }
    }

    /// A request that goes into no file: one to a deployed service.
    pub fn remember(&self, service: &str, call: &Call) {
        if let Some(kept) = self.lock().as_mut() {
            kept.push((service.to_owned(), call.clone()));
        }
    }
}

fn line(service: &str, call: &Call) -> Value {
    let mut out = Map::new();
    out.insert("service".into(), service.into());
    if !call.id.is_empty() {
        out.insert("id".into(), call.id.as_str().into());
    }
    out.insert("method".into(), call.method.as_str().into());
    out.insert("path".into(), call.path.as_str().into());
    out.insert("query".into(), query(&call.query));
    let body = match (&call.json, call.body.len()) {
        (Value::Null, 0) => Value::Null,
        (Value::Null, bytes) => json!({ "bytes": bytes }),
        (json, _) => without_secrets(json),
    };
    out.insert("body".into(), body);
    Value::Object(out)
}

fn query(query: &[(String, String)]) -> Value {
    let mut out = Map::new();
    for (name, value) in query {
        let value: Value = if is_secret(name) {
            HIDDEN.into()
        } else {
            value.as_str().into()
        };
        match out.get_mut(name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first.clone(), value]),
            None => {
                out.insert(name.clone(), value);
            }
        }
    }
    Value::Object(out)
}

const HIDDEN: &str = "(hidden)";

fn is_secret(name: &str) -> bool {
    matches!(
        name,
        "access_token" | "oauth_token" | "key" | "subjectToken" | "actorToken"
    )
}

/// Subject tokens and secret payloads are credentials, too.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| {
                let hidden = is_secret(k) || (k == "payload" && v.get("data").is_some());
                (k.clone(), if hidden { HIDDEN.into() } else { without_secrets(v) })
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        other => other.clone(),
    }
}
