//! Branches and the files on them.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Answer, Context, GitHub, HEAD_BRANCH, answers, refusal::Refusal, state::Repo};

/// The branch that every repository has besides that of its pull request.
const DEFAULT_BRANCH: &str = "main";
/// Above this a file's content is left out.
const SHOWN: usize = 1 << 20;
/// Characters of base64 in a line.
const LINE: usize = 60;

pub(super) fn get_branch(context: &mut Context<'_>) -> Answer {
    let name = context.rest.first().cloned().unwrap_or_default();
    if !branches(context.repo).contains(&name.as_str()) {
        let docs = &context.operation.docs;
        return Err(Refusal::new(StatusCode::NOT_FOUND, "Branch not found", docs));
    }
    let url = format!("{}/repos/{}", context.api, context.repo.full_name);
    let sha = answers::commit(&context.repo.full_name, &name);
    let protection = format!("{url}/branches/{name}/protection");
    let page = format!("https://github.com/{}/commit/{sha}", context.repo.full_name);
    let person = json!({"name": "Mona Lisa", "email": "octocat@github.com", "date": "2026-01-05T08:00:00Z"});
    let tree = answers::commit(&context.repo.full_name, "tree");
    let git = json!({
        "url": format!("{url}/git/commits/{sha}"), "author": person, "committer": person, "message": "Serve a model",
        "comment_count": 0, "tree": {"sha": tree, "url": format!("{url}/git/trees/{tree}")},
    });
    let author = answers::user(&context.api, "octocat");
    let commit = json!({
        "sha": sha, "node_id": "C_kwDOemulated", "url": format!("{url}/commits/{sha}"), "html_url": page,
        "comments_url": format!("{url}/commits/{sha}/comments"), "commit": git, "author": author,
        "committer": author, "parents": [],
    });
    let body = json!({
        "name": name, "commit": commit,
        "_links": {"self": format!("{url}/branches/{name}"), "html": format!("https://github.com/{}/tree/{name}", context.repo.full_name)},
        "protected": false, "protection": {"enabled": false}, "protection_url": protection,
    });
    Ok((StatusCode::OK, body))
}

pub(super) fn get(context: &mut Context<'_>) -> Answer {
    let path = context.rest.first().cloned().unwrap_or_default();
    let git_ref = context.call.query("ref").unwrap_or(DEFAULT_BRANCH);
    let repo = &*context.repo;
    let Some(branch) = branches(repo)
        .into_iter()
        .find(|branch| means(repo, git_ref, branch))
    else {
        let words = format!("No commit found for the ref {git_ref}");
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            &words,
            &context.operation.docs,
        ));
    };
    let on_branch = |found: &str| repo.files.get(&(branch.to_owned(), found.to_owned()));
    if let Some(text) = on_branch(&path) {
        return Ok((StatusCode::OK, file(context, &path, git_ref, text)));
    }
    let below = format!("{path}/");
    let entries: Vec<Value> = repo
        .files
        .iter()
        .filter(|((on, file), _)| on == branch && file.starts_with(&below))
        .map(|((_, path), text)| entry(context, path, git_ref, text))
        .collect();
    if entries.is_empty() {
        return Err(context.not_found());
    }
    Ok((StatusCode::OK, Value::Array(entries)))
}

/// All branches: the two that are always there, and those with files.
fn branches(repo: &Repo) -> Vec<&str> {
    let mut all = vec![DEFAULT_BRANCH, HEAD_BRANCH];
    all.extend(repo.files.keys().map(|(branch, _)| branch.as_str()));
    all
}

/// A branch by its name, its full name, or the commit at its head.
fn means(repo: &Repo, git_ref: &str, branch: &str) -> bool {
    git_ref.strip_prefix("refs/heads/").unwrap_or(git_ref) == branch
        || git_ref == answers::commit(&repo.full_name, branch)
}

fn file(context: &Context<'_>, path: &str, git_ref: &str, text: &str) -> Value {
    let mut out = entry(context, path, git_ref, text);
    let packed = STANDARD.encode(text);
    let lines: Vec<&str> = packed
        .as_bytes()
        .chunks(LINE)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    let (content, encoding) = match text.len() {
        0..=SHOWN => (format!("{}\n", lines.join("\n")), "base64"),
        _ => (String::new(), "none"),
    };
    out["content"] = json!(content);
    out["encoding"] = json!(encoding);
    out
}

fn entry(context: &Context<'_>, path: &str, git_ref: &str, text: &str) -> Value {
    let repository = &context.repo.full_name;
    let url = format!("{}/repos/{repository}", context.api);
    let this = format!("{url}/contents/{path}?ref={git_ref}");
    let page = format!("https://github.com/{repository}/blob/{git_ref}/{path}");
    let sha: String = Sha256::digest(text)
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let blob = format!("{url}/git/blobs/{sha}");
    json!({
        "type": "file", "size": text.len(), "name": path.rsplit('/').next(), "path": path, "sha": sha, "url": this,
        "git_url": blob, "html_url": page,
        "download_url": format!("https://raw.githubusercontent.com/{repository}/{git_ref}/{path}"),
        "_links": {"self": this, "git": blob, "html": page},
    })
}

impl GitHub {
    /// Puts a file on a branch, as a push would; the branch comes into being with it.
    pub fn put_file(&self, repository: &str, branch: &str, path: &str, text: &str) {
        if let Some(repo) = self.lock().repo(repository) {
            let place = (branch.to_owned(), path.to_owned());
            repo.files.insert(place, text.to_owned());
        }
    }

    /// Takes a file from a branch.
    pub fn remove_file(&self, repository: &str, branch: &str, path: &str) {
        if let Some(repo) = self.lock().repo(repository) {
            repo.files.remove(&(branch.to_owned(), path.to_owned()));
        }
    }

    /// Aims a pull request at another branch, as its author may.
    pub fn retarget(&self, repository: &str, number: u64, branch: &str) {
        if let Some(repo) = self.lock().repo(repository) {
            repo.bases.insert(number, branch.to_owned());
        }
    }

    /// Gives an issue or a pull request a label.
    pub fn label(&self, repository: &str, number: u64, name: &str) {
        self.change_labels(repository, number, |labels| {
            if !labels.iter().any(|label| label.eq_ignore_ascii_case(name)) {
                labels.push(name.to_owned());
            }
        });
    }

    /// Takes a label away.
    pub fn unlabel(&self, repository: &str, number: u64, name: &str) {
        self.change_labels(repository, number, |labels| {
            labels.retain(|label| !label.eq_ignore_ascii_case(name));
        });
    }

    fn change_labels(&self, repository: &str, number: u64, change: impl FnOnce(&mut Vec<String>)) {
        let mut state = self.lock();
        let issue = state
            .repo(repository)
            .and_then(|repo| repo.issues.get_mut(&number));
        if let Some(issue) = issue {
            change(&mut issue.labels);
        }
    }
}

#[cfg(test)]
mod tests;
