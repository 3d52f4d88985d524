//! Payloads of the events that start a workflow, as Actions writes them to GITHUB_EVENT_PATH.

use serde_json::{Value, json};

use super::{GitHub, HEAD_BRANCH, answers};

/// Where links in a payload point.
const API: &str = "https://api.github.com";

/// The payload of `push` (to `main`), `pull_request.opened`, `pull_request.synchronize`,
/// `pull_request.reopened`, `pull_request.closed`, `schedule` or `workflow_dispatch` in `repository`
/// (`owner/name`). `None` for any other kind.
///
/// `pull_request` is the number of the pull request; the title and body are what [`GitHub::seed`] makes.
pub fn event_payload(kind: &str, repository: &str, pull_request: u64) -> Option<Value> {
    let github = GitHub::default();
    github.seed(repository);
    let mut state = github.lock();
    let repo = state.repo(repository)?;
    let mut payload = match kind.split_once('.') {
        None if kind == "push" => push(repository),
        None if kind == "schedule" => json!({ "schedule": "17 6 * * *" }),
        None if kind == "workflow_dispatch" => {
            json!({"inputs": null, "ref": "refs/heads/main", "workflow": ".github/workflows/llm.yml"})
        }
        Some(("pull_request", action @ ("opened" | "synchronize" | "reopened" | "closed"))) => {
            let mut issue = repo.issues.get(&super::PULL_REQUEST)?.clone();
            issue.number = pull_request;
            if action == "closed" {
                issue.open = false;
                issue.closed_at = Some("2026-01-06T08:00:00Z".to_owned());
            }
            let mut payload = json!({
                "action": action, "number": pull_request, "pull_request": answers::pull(API, repo, &issue),
            });
            if action == "synchronize" {
                payload["before"] = json!(answers::commit(repository, "before"));
                payload["after"] = json!(answers::commit(repository, HEAD_BRANCH));
            }
            payload
        }
        _ => return None,
    };
    let owner = repository.split('/').next().unwrap_or_default();
    payload["repository"] = answers::repository(API, repo);
    payload["organization"] = json!({
        "login": owner, "id": 6_811_672, "node_id": "O_kwDO67f0d8", "url": format!("{API}/orgs/{owner}"),
        "repos_url": format!("{API}/orgs/{owner}/repos"), "description": "",
    });
    payload["sender"] = answers::user(API, "octocat");
    Some(payload)
}

fn push(repository: &str) -> Value {
    let (before, after) = (
        answers::commit(repository, "before"),
        answers::commit(repository, "main"),
    );
    let person = json!({"name": "Mona Lisa", "email": "octocat@github.com", "username": "octocat"});
    let commit = json!({
        "id": after, "tree_id": answers::commit(repository, "tree"), "distinct": true,
        "message": "Serve a newer model\n\nCo-authored-by: Hubot", "timestamp": "2026-01-05T09:00:00+01:00",
        "url": format!("https://github.com/{repository}/commit/{after}"), "author": person, "committer": person,
        "added": [], "removed": [], "modified": ["llm-deploy.yaml"],
    });
    json!({
        "ref": "refs/heads/main", "before": before, "after": after, "base_ref": null,
        "compare": format!("https://github.com/{repository}/compare/{}...{}", short(&before), short(&after)),
        "created": false, "deleted": false, "forced": false, "commits": [commit], "head_commit": commit,
        "pusher": {"name": "octocat", "email": "octocat@github.com"},
    })
}

fn short(sha: &str) -> &str {
    sha.get(..12).unwrap_or(sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_names_its_repository_and_has_its_own_fields() {
        for (kind, fields) in [
            ("push", &["/ref", "/after", "/head_commit/id", "/pusher/name"][..]),
            (
                "pull_request.opened",
                &[
                    "/action",
                    "/number",
                    "/pull_request/head/sha",
                    "/pull_request/base/ref",
                ],
            ),
            (
                "pull_request.synchronize",
                &["/before", "/after", "/pull_request/head/repo/full_name"],
            ),
            (
                "pull_request.closed",
                &["/pull_request/closed_at", "/pull_request/merged"],
            ),
            ("schedule", &["/schedule"]),
        ] {
            let payload = event_payload(kind, "acme/llm", 7).unwrap();
            for field in fields.iter().chain(&["/repository/full_name", "/sender/login"]) {
                assert!(
                    payload.pointer(field).is_some_and(|v| !v.is_null()),
                    "{kind} has no {field}"
                );
            }
            assert_eq!(payload["repository"]["full_name"], "acme/llm");
        }
        let closed = event_payload("pull_request.closed", "acme/llm", 7).unwrap();
        assert_eq!(
            (&closed["pull_request"]["state"], &closed["number"]),
            (&json!("closed"), &json!(7))
        );
        assert!(event_payload("pull_request.labeled", "acme/llm", 7).is_none());
    }
}
