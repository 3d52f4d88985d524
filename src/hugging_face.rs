//! Hugging Face: which files a model has at which commit.
//!
//! The answer decides what a build downloads, so it is read as hostile: names that leave their folder,
//! absurd sizes and anything but a commit hash are refused.

mod select;

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, LOCATION};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    environment::{BadBaseUrl, Environment},
    http::{self, Retry},
    tempo::Tempo,
};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read; the biggest real ones are a few MB.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
const MOST_FILES: usize = 20_000;
/// Sum of all files, bytes: ten times the biggest public model.
const MOST_BYTES: u64 = 20_000_000_000_000;
/// A renamed model redirects to its new name, once.
const REDIRECTS: usize = 3;

/// A model at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// As Hugging Face spells it; differs from what was asked when the model was renamed.
    pub id: String,
    /// 40 hexadecimal digits.
    pub commit: String,
    /// Sorted by path.
    pub files: Vec<ModelFile>,
    /// Downloads need a token of somebody who accepted the terms.
    pub gated: bool,
    pub architectures: Vec<String>,
    pub license: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Relative, with `/`; proven to stay in its folder.
    pub path: String,
    pub bytes: u64,
}

/// Why a model can't be resolved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{0}` is not a Hugging Face model id. Write it as on its page, such as `Qwen/Qwen3-4B`")]
    BadId(String),
    #[error(
        "Hugging Face has no model `{id}`{}. Check the spelling",
        if *.with_token { " that this token may see" } else { " that can be seen without a token; a private one needs HF_TOKEN" }
    )]
    NotFound { id: String, with_token: bool },
    #[error(
        "model `{id}` has no revision `{revision}`. Set `revision` to a branch, tag or commit of https://huggingface.co/{id}"
    )]
    NoRevision { id: String, revision: String },
    #[error(
        "model `{id}` is gated: accept its terms at https://huggingface.co/{id}, put a token of that account into \
         Secret Manager and name the secret in `hf-token-secret` (and HF_TOKEN for this machine)"
    )]
    Gated { id: String },
    #[error(
        "Hugging Face refuses the token (HTTP {status}: {message}). Make a new one with read access at https://huggingface.co/settings/tokens"
    )]
    BadToken { status: u16, message: String },
    #[error("Hugging Face could not answer about `{id}` (HTTP {status}: {message}). Try again later")]
    Service {
        id: String,
        status: u16,
        message: String,
    },
    #[error("no answer from {host} about model `{id}`: {reason}. Check the network and try again")]
    Unreachable {
        id: String,
        host: String,
        reason: String,
    },
    #[error("the answer of {host} about model `{id}` can't be used: {reason}")]
    Untrusted {
        id: String,
        host: String,
        reason: String,
    },
    #[error("model `{id}` has no weights that vLLM loads (safetensors, .bin or .pt at the top level)")]
    NoWeights { id: String },
    #[error(transparent)]
    BadBaseUrl(#[from] BadBaseUrl),
    #[error("could not set up the HTTP client: {0}")]
    Setup(String),
}

/// Asks the hub which files `id` has at `revision` (branch, tag or commit). Transient failures are tried
/// again.
pub async fn resolve(
    environment: &Environment,
    id: &str,
    revision: &str,
    token: Option<&SecretString>,
) -> Result<ModelFiles, Error> {
    resolve_with(environment, id, revision, token, Retry::default()).await
}

async fn resolve_with(
    environment: &Environment,
    id: &str,
    revision: &str,
    token: Option<&SecretString>,
    retry: Retry,
) -> Result<ModelFiles, Error> {
    check_id(id)?;
    if matches!(revision, "" | "." | "..") {
        return Err(Error::NoRevision {
            id: id.to_owned(),
            revision: revision.to_owned(),
        });
    }
    let base = environment.base_url("HF_ENDPOINT", "https://huggingface.co")?;
    let revision_part = utf8_percent_encode(revision, NON_ALPHANUMERIC);
    let url = base
        .join(&format!("api/models/{id}/revision/{revision_part}?blobs=true"))
        .map_err(|_| Error::BadId(id.to_owned()))?;
    let hub = Hub {
        client: http::client(environment.tempo.of(TIMEOUT)).map_err(|e| Error::Setup(http::explain(e)))?,
        host: base.host_str().unwrap_or("Hugging Face").to_owned(),
        id,
        revision,
        token,
        retry,
        tempo: environment.tempo,
    };
    match hub.model(url).await {
        // Without a token a gated model's revisions are closed, but its own page is open, and describes `main`.
        Err(Error::Gated { .. }) if token.is_none() && revision == "main" => {
            let page = base
                .join(&format!("api/models/{id}?blobs=true"))
                .map_err(|_| Error::BadId(id.to_owned()))?;
            hub.model(page).await
        }
        result => result,
    }
}

struct Hub<'a> {
    client: reqwest::Client,
    host: String,
    id: &'a str,
    revision: &'a str,
    token: Option<&'a SecretString>,
    retry: Retry,
    tempo: Tempo,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// A success that is not all there.
    fn breaks_off(&self) -> bool {
        let whole = serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).is_ok();
        (200..300).contains(&self.status) && !whole
    }
}

impl Hub<'_> {
    async fn model(&self, mut url: Url) -> Result<ModelFiles, Error> {
        for _ in 0..=REDIRECTS {
            let answer = self.get(&url).await?;
            match answer.status {
                200..=299 => return self.read(&answer.body),
                301 | 302 | 307 | 308 => url = self.redirected(&url, &answer.headers)?,
                status => return Err(self.refusal(status, &answer.headers, &answer.body)),
            }
        }
        Err(self.untrusted("it redirects in circles"))
    }

    async fn get(&self, url: &Url) -> Result<Answer, Error> {
        let (mut sent, mut waited) = (0, Duration::ZERO);
        loop {
            sent += 1;
            let result = self.once(url).await;
            let retry_after = match &result {
                Ok(answer) if http::is_transient(answer.status) => {
                    http::retry_after(&answer.headers, chrono::Utc::now())
                }
                Err(Error::Unreachable { .. }) => None,
                Ok(answer) if answer.breaks_off() => None,
                _ => return result,
            };
            let Some(pause) = self.retry.pause(sent, waited, retry_after, fastrand::f64()) else {
                return result;
            };
            waited += pause;
            self.tempo.sleep(pause).await;
        }
    }

    async fn once(&self, url: &Url) -> Result<Answer, Error> {
        let unreachable = |e| Error::Unreachable {
            id: self.id.to_owned(),
            host: self.host.clone(),
            reason: http::explain(e),
        };
        let mut request = self.client.get(url.clone());
        if let Some(token) = self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let mut response = request.send().await.map_err(unreachable)?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if answer.body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(self.untrusted("it is too long"));
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    /// Follows within the same origin only: the token goes nowhere else.
    fn redirected(&self, from: &Url, headers: &HeaderMap) -> Result<Url, Error> {
        let to = headers.get(LOCATION).and_then(|v| v.to_str().ok());
        let to = to
            .and_then(|t| from.join(t).ok())
            .filter(|to| to.origin() == from.origin());
        to.ok_or_else(|| self.untrusted("it redirects to another host"))
    }

    /// The hub says in a header what is wrong; a missing and a private model look alike without a token.
    fn refusal(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
        let header = |name| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
        };
        let id = self.id.to_owned();
        let text = match header("x-error-message") {
            "" => String::from_utf8_lossy(body).into_owned(),
            text => text.to_owned(),
        };
        let message = http::shorten(&text);
        match (status, header("x-error-code")) {
            (_, "GatedRepo") => Error::Gated { id },
            (_, "RevisionNotFound") => Error::NoRevision {
                id,
                revision: self.revision.to_owned(),
            },
            (401, code) if self.token.is_some() && code != "RepoNotFound" => {
                Error::BadToken { status, message }
            }
            (_, "RepoNotFound") | (401 | 404, _) => Error::NotFound {
                id,
                with_token: self.token.is_some(),
            },
            (403, _) if self.token.is_some() => Error::BadToken { status, message },
            (403, _) => Error::Gated { id },
            _ => Error::Service { id, status, message },
        }
    }

    fn read(&self, body: &[u8]) -> Result<ModelFiles, Error> {
        let raw: RawModel = serde_json::from_slice(body).map_err(|e| self.untrusted(&e.to_string()))?;
        let model = raw.checked().map_err(|reason| self.untrusted(&reason))?;
        if model.weights_bytes() == 0 {
            return Err(Error::NoWeights { id: model.id });
        }
        Ok(model)
    }

    fn untrusted(&self, reason: &str) -> Error {
        Error::Untrusted {
            id: self.id.to_owned(),
            host: self.host.clone(),
            reason: http::shorten(reason),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawModel {
    id: String,
    sha: String,
    /// `false`, `"auto"` or `"manual"`.
    #[serde(default)]
    gated: Value,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    card_data: Value,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
}

impl RawModel {
    fn checked(self) -> Result<ModelFiles, String> {
        check_id(&self.id).map_err(|_| "its id is no model id".to_owned())?;
        if self.sha.len() != 40 || !self.sha.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("its commit is no commit hash".to_owned());
        }
        if self.siblings.len() > MOST_FILES {
            return Err(format!("it lists {} files", self.siblings.len()));
        }
        let mut files = Vec::with_capacity(self.siblings.len());
        for Sibling {
            rfilename: path,
            size,
        } in self.siblings
        {
            if !is_plain_path(&path) {
                return Err(format!(
                    "it has a file name that leaves its folder or can't be written: {path:?}"
                ));
            }
            let bytes = size.ok_or_else(|| format!("it gives no size for `{path}`"))?;
            files.push(ModelFile { path, bytes });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        if files.windows(2).any(|pair| pair[0].path == pair[1].path) {
            return Err("it lists a file twice".to_owned());
        }
        let total = files.iter().try_fold(0_u64, |sum, f| sum.checked_add(f.bytes));
        if total.is_none_or(|t| t > MOST_BYTES) {
            return Err("its sizes are absurd".to_owned());
        }
        let architectures = self.config.get("architectures").and_then(Value::as_array);
        let text = |v: &Value| v.as_str().map(http::shorten);
        Ok(ModelFiles {
            id: self.id,
            commit: self.sha,
            files,
            gated: matches!(&self.gated, Value::String(_) | Value::Bool(true)),
            architectures: architectures.into_iter().flatten().filter_map(text).collect(),
            license: self.card_data.get("license").and_then(text),
        })
    }
}

/// `name` or `owner/name`, in the characters that the hub allows.
fn check_id(id: &str) -> Result<(), Error> {
    let part = |p: &str| {
        !p.is_empty()
            && p.len() <= 96
            && !p.starts_with(['.', '-'])
            && !p.contains("..")
            && p.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() <= 2 && parts.iter().all(|p| part(p)) {
        Ok(())
    } else {
        Err(Error::BadId(id.to_owned()))
    }
}

/// Relative, without `..`, in characters that neither a shell script's line nor an image import trips over.
pub(crate) fn is_plain_path(path: &str) -> bool {
    path.len() <= 512
        && path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && part.len() <= 255 && !part.starts_with('-'))
        && !path.chars().any(|c| c.is_control() || c == '\\')
}

#[cfg(test)]
mod tests;
