//! Files of the repository as they stand on a branch.

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use super::client::{GitHub, Purpose};
use super::error::Error;

/// What a path segment may hold unencoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Reading a branch and reading a file take the same permission.
const PERMISSION: &str = "contents: read";
/// GitHub's word for a path that a commit does not have; an unknown commit gets other words.
const NO_SUCH_FILE: &str = "Not Found";

#[derive(Deserialize)]
struct Branch {
    commit: Commit,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    content: String,
}

impl GitHub {
    /// The text of the file at `path` (from the repository's root) at the head of a branch; `None` when that commit
    /// has no such file.
    ///
    /// The branch is looked up first, for two reasons. GitHub answers 404 for a file, a branch and a repository that
    /// are not there, and for one that the token may not see: once the branch was shown, a 404 means the file. And a
    /// tag may have the branch's name, which `?ref=` by name could mean as well; the commit can't be mistaken.
    ///
    /// # Errors
    /// When GitHub refuses (with the permission that is missing) or can't be reached, when the branch is not there,
    /// and when what is there is no file of text, or one above 1 MB, which this API does not show.
    pub async fn file_on_branch(&self, branch: &str, path: &str) -> Result<Option<String>, Error> {
        let commit = self.branch_commit(branch).await?;
        let action = format!("read {path} on the branch {branch}");
        let purpose = Purpose {
            action: &action,
            permission: PERMISSION,
        };
        let encoded: Vec<String> = path.split('/').map(encode).collect();
        let route = self.route(&format!("contents/{}?ref={}", encoded.join("/"), encode(&commit)));
        let found: Value = match self.get(&route, purpose).await {
            Err(error) if is_no_such_file(&error) => return Ok(None),
            found => found?,
        };
        if found.is_array() {
            return Err(unusable(path, branch, "it is a directory"));
        }
        let entry: Entry = serde_json::from_value(found).map_err(|e| Error::Unreadable {
            action: action.clone(),
            reason: e.to_string(),
        })?;
        text(&entry, path, branch).map(Some)
    }

    async fn branch_commit(&self, branch: &str) -> Result<String, Error> {
        let action = format!("look up the branch {branch}");
        let purpose = Purpose {
            action: &action,
            permission: PERMISSION,
        };
        let route = self.route(&format!("branches/{}", encode(branch)));
        let found: Branch = self.get(&route, purpose).await?;
        Ok(found.commit.sha)
    }
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, SEGMENT).to_string()
}

fn is_no_such_file(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 404, message, .. } if message == NO_SUCH_FILE)
}

fn text(entry: &Entry, path: &str, branch: &str) -> Result<String, Error> {
    if entry.kind != "file" {
        let what = format!("it is a {}", crate::report::escape::line(&entry.kind));
        return Err(unusable(path, branch, &what));
    }
    if entry.encoding != "base64" {
        return Err(unusable(
            path,
            branch,
            "it is larger than 1 MB, and GitHub's contents API shows no such file",
        ));
    }
    let packed: String = entry.content.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(packed)
        .map_err(|_| unusable(path, branch, "GitHub's answer is no base64"))?;
    String::from_utf8(bytes).map_err(|_| unusable(path, branch, "it is not UTF-8"))
}

fn unusable(path: &str, branch: &str, why: &str) -> Error {
    Error::Setup(format!(
        "{path} on the branch {branch} can't be used: {why}. Put the configuration there as a file of text"
    ))
}
