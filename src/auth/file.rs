//! The credentials file that GOOGLE_APPLICATION_CREDENTIALS names.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt as _;

use super::{Error, external_account::ExternalAccount};
use crate::environment::Environment;

/// Bytes that are read of a file with credentials; a real one has a few kilobytes.
const LARGEST: u64 = 1 << 20;

/// A file by its type, each with its path.
pub(super) enum File {
    ExternalAccount(String, ExternalAccount),
    /// The whole text, which gcp_auth reads.
    ServiceAccount(String, SecretString),
    AuthorizedUser(String, UserFields),
    /// With the reason, which follows the file's name in a sentence.
    Unsupported(String, String),
}

/// Fields of an `authorized_user` file.
#[derive(Deserialize)]
pub(super) struct UserFields {
    pub client_id: String,
    pub client_secret: SecretString,
    pub refresh_token: SecretString,
}

impl File {
    pub fn path(&self) -> &str {
        match self {
            Self::ExternalAccount(path, _)
            | Self::ServiceAccount(path, _)
            | Self::AuthorizedUser(path, _)
            | Self::Unsupported(path, _) => path,
        }
    }
}

/// `None` when the variable is not set.
pub(super) async fn named(environment: &Environment) -> Result<Option<File>, Error> {
    let Some(path) = environment.get("GOOGLE_APPLICATION_CREDENTIALS") else {
        return Ok(None);
    };
    read(path).await.map(Some).map_err(|reason| Error::File {
        path: path.to_owned(),
        reason,
    })
}

/// Reads a file with credentials, which may be a pipe (`<(…)` of a shell).
///
/// # Errors
/// For the user, to follow the file's name; without a word of the file.
#[expect(
    clippy::disallowed_methods,
    reason = "who runs the program names it, it may be a pipe, and another thread waits for it"
)]
pub(super) async fn text(path: &Path) -> Result<SecretString, String> {
    let unreadable = |e: std::io::Error| format!("can't be read: {e}");
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut text = String::new();
    let mut head = file.take(LARGEST);
    head.read_to_string(&mut text).await.map_err(unreadable)?;
    Ok(text.into())
}

async fn read(path: &str) -> Result<File, String> {
    let text = text(Path::new(path)).await?;
    // serde's message would quote values; and it takes a list for a struct, not for a map.
    let object = serde_json::from_str::<Map<String, Value>>(text.expose_secret())
        .map_err(|e| format!("is no JSON object (line {} column {})", e.line(), e.column()))?;
    let path = path.to_owned();
    Ok(match object.get("type").and_then(Value::as_str) {
        Some("external_account") => File::ExternalAccount(path, fields(&text, "external_account")?),
        Some("service_account") => File::ServiceAccount(path, text),
        Some("authorized_user") => File::AuthorizedUser(path, fields(&text, "authorized_user")?),
        Some(kind) => File::Unsupported(path, unsupported(kind)),
        None => File::Unsupported(path, "has no `type`: it is no credentials file".to_owned()),
    })
}

fn fields<T: DeserializeOwned>(text: &SecretString, kind: &str) -> Result<T, String> {
    serde_json::from_str(text.expose_secret())
        .map_err(|_| format!("lacks a field of a file of type `{kind}`, or has it in another form"))
}

fn unsupported(kind: &str) -> String {
    format!(
        "is of type `{}`, which llm-deploy does not read: it reads external_account (of \
         google-github-actions/auth), service_account and authorized_user",
        crate::http::flatten(kind, 60)
    )
}
