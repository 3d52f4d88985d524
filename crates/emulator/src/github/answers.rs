//! The JSON of what GitHub answers, with every field that its description requires.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    HEAD_BRANCH,
    state::{Issue, Repo, Status, StoredCheck, StoredComment, StoredDeployment, WorkflowRun},
};

/// The commit at the head of a branch: 40 hexadecimal digits, always the same.
pub fn commit(repository: &str, branch: &str) -> String {
    let hash = Sha256::digest(format!("{repository}\0{branch}"));
    hash.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

/// An opaque id such as GitHub's GraphQL has.
fn node(kind: &str, id: u64) -> String {
    format!("{kind}_kwDO{id:x}")
}

pub fn user(api: &str, login: &str) -> Value {
    let bot = login.ends_with("[bot]");
    let id: u64 = match login {
        "github-actions[bot]" => 41_898_282,
        "octocat" | "octo-org" => 583_231,
        // Another one for each.
        _ => {
            let hash = Sha256::digest(login.to_lowercase());
            hash.iter()
                .take(4)
                .fold(1 << 33, |id, byte| id * 2 + u64::from(*byte))
        }
    };
    let encoded = login.replace('[', "%5B").replace(']', "%5D");
    let url = format!("{api}/users/{encoded}");
    let page = if bot {
        format!("https://github.com/apps/{}", login.trim_end_matches("[bot]"))
    } else {
        format!("https://github.com/{login}")
    };
    json!({
        "login": login, "id": id, "node_id": node(if bot { "BOT" } else { "U" }, id),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"), "gravatar_id": "", "url": url,
        "html_url": page, "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following%7B/other_user%7D"),
        "gists_url": format!("{url}/gists%7B/gist_id%7D"), "starred_url": format!("{url}/starred%7B/owner%7D%7B/repo%7D"),
        "subscriptions_url": format!("{url}/subscriptions"), "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events%7B/privacy%7D"),
        "received_events_url": format!("{url}/received_events"), "type": if bot { "Bot" } else { "User" },
        "user_view_type": "public", "site_admin": false,
    })
}

const COUNTS: &[&str] = &[
    "forks",
    "forks_count",
    "network_count",
    "stargazers_count",
    "watchers",
    "watchers_count",
    "subscribers_count",
];
const SWITCHED_OFF: &[&str] = &[
    "is_template",
    "has_projects",
    "has_wiki",
    "has_pages",
    "has_downloads",
    "has_discussions",
    "archived",
    "disabled",
    "web_commit_signoff_required",
];

/// Another number for each repository.
fn repository_id(name: &str) -> u64 {
    if name == super::REPOSITORY {
        return 1_296_269;
    }
    let hash = Sha256::digest(name.to_lowercase());
    hash.iter()
        .take(4)
        .fold(1 << 33, |id, byte| id * 2 + u64::from(*byte))
}

/// The repository with its many `…_url` fields.
pub fn repository(api: &str, repo: &Repo) -> Value {
    let (owner, name) = repo.full_name.split_once('/').unwrap_or((&repo.full_name, ""));
    let url = format!("{api}/repos/{}", repo.full_name);
    let page = format!("https://github.com/{}", repo.full_name);
    let id = repository_id(&repo.full_name);
    let mut out = json!({
        "id": id, "node_id": node("R", id), "name": name, "full_name": repo.full_name, "private": repo.private,
        "owner": user(api, owner), "html_url": page, "description": "An LLM endpoint", "fork": false, "url": url,
        "git_url": format!("git://github.com/{}.git", repo.full_name),
        "ssh_url": format!("git@github.com:{}.git", repo.full_name), "clone_url": format!("{page}.git"),
        "svn_url": page, "mirror_url": null, "homepage": null, "language": null, "size": 108, "default_branch": "main",
    });
    for field in COUNTS {
        out[*field] = json!(0);
    }
    for field in SWITCHED_OFF {
        out[*field] = json!(false);
    }
    let more = json!({
        "open_issues": repo.issues.len(), "open_issues_count": repo.issues.len(), "topics": [], "has_issues": repo.has_issues,
        "visibility": if repo.private { "private" } else { "public" }, "license": null,
        "pushed_at": "2026-01-05T08:00:00Z", "created_at": "2026-01-01T08:00:00Z",
        "updated_at": "2026-01-05T08:00:00Z", "allow_forking": true,
    });
    if let (Some(all), Value::Object(more)) = (out.as_object_mut(), more) {
        all.extend(more);
    }
    for (field, rest) in [
        ("archive_url", "{archive_format}{/ref}"),
        ("assignees_url", "assignees{/user}"),
        ("blobs_url", "git/blobs{/sha}"),
        ("branches_url", "branches{/branch}"),
        ("collaborators_url", "collaborators{/collaborator}"),
        ("comments_url", "comments{/number}"),
        ("commits_url", "commits{/sha}"),
        ("compare_url", "compare/{base}...{head}"),
        ("contents_url", "contents/{+path}"),
        ("contributors_url", "contributors"),
        ("deployments_url", "deployments"),
        ("downloads_url", "downloads"),
        ("events_url", "events"),
        ("forks_url", "forks"),
        ("git_commits_url", "git/commits{/sha}"),
        ("git_refs_url", "git/refs{/sha}"),
        ("git_tags_url", "git/tags{/sha}"),
        ("hooks_url", "hooks"),
        ("issue_comment_url", "issues/comments{/number}"),
        ("issue_events_url", "issues/events{/number}"),
        ("issues_url", "issues{/number}"),
        ("keys_url", "keys{/key_id}"),
        ("labels_url", "labels{/name}"),
        ("languages_url", "languages"),
        ("merges_url", "merges"),
        ("milestones_url", "milestones{/number}"),
        ("notifications_url", "notifications{?since,all,participating}"),
        ("pulls_url", "pulls{/number}"),
        ("releases_url", "releases{/id}"),
        ("stargazers_url", "stargazers"),
        ("statuses_url", "statuses/{sha}"),
        ("subscribers_url", "subscribers"),
        ("subscription_url", "subscription"),
        ("tags_url", "tags"),
        ("teams_url", "teams"),
        ("trees_url", "git/trees{/sha}"),
    ] {
        out[field] = json!(format!("{url}/{rest}"));
    }
    out
}

pub fn comment(api: &str, repo: &Repo, comment: &StoredComment) -> Value {
    let url = format!("{api}/repos/{}", repo.full_name);
    let kind = if repo
        .issues
        .get(&comment.issue)
        .is_some_and(|issue| issue.head_sha.is_some())
    {
        "pull"
    } else {
        "issues"
    };
    json!({
        "id": comment.id, "node_id": node("IC", comment.id), "url": format!("{url}/issues/comments/{}", comment.id),
        "html_url": format!(
            "https://github.com/{}/{kind}/{}#issuecomment-{}", repo.full_name, comment.issue, comment.id
        ),
        "issue_url": format!("{url}/issues/{}", comment.issue), "user": user(api, &comment.user),
        "created_at": comment.created_at, "updated_at": comment.updated_at,
        "author_association": if comment.user.ends_with("[bot]") { "NONE" } else { "CONTRIBUTOR" },
        "body": comment.body, "performed_via_github_app": null,
    })
}

pub fn label(api: &str, repo: &Repo, name: &str) -> Value {
    let id: u64 = name
        .bytes()
        .fold(208_045_946, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte));
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    json!({
        "id": id, "node_id": node("LA", id), "url": format!("{api}/repos/{}/labels/{encoded}", repo.full_name),
        "name": name, "description": null, "color": "ededed", "default": false,
    })
}

/// An issue; a pull request seen as one has a link to itself.
pub fn issue(api: &str, repo: &Repo, issue: &Issue) -> Value {
    let url = format!("{api}/repos/{}", repo.full_name);
    let this = format!("{url}/issues/{}", issue.number);
    let kind = if issue.head_sha.is_some() {
        "pull"
    } else {
        "issues"
    };
    let page = format!("https://github.com/{}/{kind}/{}", repo.full_name, issue.number);
    let id = 3_000_000_000 + issue.number;
    let mut out = json!({
        "id": id, "node_id": node("I", id), "url": this, "repository_url": url,
        "labels_url": format!("{this}/labels%7B/name%7D"), "comments_url": format!("{this}/comments"),
        "events_url": format!("{this}/events"), "html_url": page, "number": issue.number,
        "state": state(issue), "state_reason": issue.state_reason, "title": issue.title, "body": issue.body,
        "user": user(api, &issue.user),
        "labels": issue.labels.iter().map(|name| label(api, repo, name)).collect::<Vec<_>>(),
        "assignee": null, "assignees": [], "milestone": null, "locked": issue.locked, "active_lock_reason": null,
        "comments": repo.comments.iter().filter(|comment| comment.issue == issue.number).count(),
        "closed_at": issue.closed_at, "closed_by": null, "created_at": issue.created_at,
        "updated_at": issue.updated_at, "author_association": "CONTRIBUTOR",
    });
    if issue.head_sha.is_some() {
        out["pull_request"] = json!({
            "url": format!("{url}/pulls/{}", issue.number), "html_url": page, "diff_url": format!("{page}.diff"),
            "patch_url": format!("{page}.patch"), "merged_at": null,
        });
    }
    out
}

fn state(issue: &Issue) -> &'static str {
    if issue.open { "open" } else { "closed" }
}

fn branch(api: &str, repo: &Repo, name: &str, sha: &str) -> Value {
    let owner = repo.full_name.split('/').next().unwrap_or_default();
    json!({
        "label": format!("{owner}:{name}"), "ref": name, "sha": sha, "user": user(api, owner),
        "repo": repository(api, repo),
    })
}

/// The pull request's branch; of a fork it is in another repository.
fn head_of(api: &str, repo: &Repo, pull: &Issue) -> Value {
    let mut head = branch(
        api,
        repo,
        HEAD_BRANCH,
        pull.head_sha.as_deref().unwrap_or_default(),
    );
    if repo.forks.contains(&pull.number) {
        let name = repo.full_name.split('/').nth(1).unwrap_or_default();
        head["repo"]["id"] = 99.into();
        head["repo"]["full_name"] = format!("stranger/{name}").into();
        head["repo"]["fork"] = true.into();
    }
    head
}

pub fn pull(api: &str, repo: &Repo, pull: &Issue) -> Value {
    let mut out = issue(api, repo, pull);
    let url = format!("{api}/repos/{}", repo.full_name);
    let this = format!("{url}/pulls/{}", pull.number);
    let page = format!("https://github.com/{}/pull/{}", repo.full_name, pull.number);
    let head = pull.head_sha.clone().unwrap_or_default();
    let base = repo.bases.get(&pull.number).map_or("main", String::as_str);
    let more = json!({
        "url": this, "html_url": page, "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
        "issue_url": format!("{url}/issues/{}", pull.number), "commits_url": format!("{this}/commits"),
        "review_comments_url": format!("{this}/comments"),
        "review_comment_url": format!("{url}/pulls/comments%7B/number%7D"),
        "statuses_url": format!("{url}/statuses/{head}"), "merge_commit_sha": pull.merged.then(|| commit(&repo.full_name, "merge")),
        "merged_at": pull.closed_at.as_ref().filter(|_| pull.merged),
        "requested_reviewers": [], "requested_teams": [], "draft": false, "auto_merge": null,
        "head": head_of(api, repo, pull),
        "base": branch(api, repo, base, &commit(&repo.full_name, base)),
        "_links": {
            "self": {"href": this}, "html": {"href": page}, "issue": {"href": format!("{url}/issues/{}", pull.number)},
            "comments": {"href": format!("{url}/issues/{}/comments", pull.number)},
            "review_comments": {"href": format!("{this}/comments")},
            "review_comment": {"href": format!("{url}/pulls/comments%7B/number%7D")},
            "commits": {"href": format!("{this}/commits")}, "statuses": {"href": format!("{url}/statuses/{head}")},
        },
        "merged": pull.merged, "mergeable": true, "rebaseable": true, "mergeable_state": "clean",
        "merged_by": pull.merged.then(|| user(api, "octocat")),
        "review_comments": 0, "maintainer_can_modify": false, "commits": 1, "additions": 1, "deletions": 1,
        "changed_files": 1,
    });
    if let (Some(all), Value::Object(more)) = (out.as_object_mut(), more) {
        for name in [
            "pull_request",
            "repository_url",
            "labels_url",
            "events_url",
            "state_reason",
        ] {
            all.remove(name);
        }
        all.extend(more);
    }
    out
}

pub fn deployment(api: &str, repo: &Repo, one: &StoredDeployment) -> Value {
    let url = format!("{api}/repos/{}", repo.full_name);
    let this = format!("{url}/deployments/{}", one.id);
    let updated = one
        .statuses
        .last()
        .map_or(&one.created_at, |status| &status.created_at);
    json!({
        "url": this, "id": one.id, "node_id": node("DE", one.id), "task": one.task,
        "original_environment": one.environment, "environment": one.environment, "description": one.description,
        "created_at": one.created_at, "updated_at": updated, "statuses_url": format!("{this}/statuses"),
        "repository_url": url, "creator": user(api, &one.creator), "sha": one.sha, "ref": one.git_ref,
        "payload": one.payload, "transient_environment": one.transient, "production_environment": one.production,
        "performed_via_github_app": null,
    })
}

pub fn status(api: &str, repo: &Repo, deployment: u64, status: &Status) -> Value {
    let url = format!("{api}/repos/{}", repo.full_name);
    let this = format!("{url}/deployments/{deployment}");
    json!({
        "url": format!("{this}/statuses/{}", status.id), "id": status.id, "node_id": node("DES", status.id),
        "state": status.state, "creator": user(api, super::comments::ACTOR), "description": status.description,
        "environment": status.environment, "target_url": status.log_url, "created_at": status.created_at,
        "updated_at": status.created_at, "deployment_url": this, "repository_url": url,
        "environment_url": status.environment_url, "log_url": status.log_url, "performed_via_github_app": null,
    })
}

pub fn workflow_run(api: &str, repo: &Repo, run: &WorkflowRun) -> Value {
    let url = format!("{api}/repos/{}", repo.full_name);
    let this = format!("{url}/actions/runs/{}", run.number);
    let sha = run
        .head_sha
        .clone()
        .unwrap_or_else(|| commit(&repo.full_name, &run.head_branch));
    let status = match &run.conclusion {
        Some(_) => "completed",
        None if run.waits => "pending",
        None => "in_progress",
    };
    json!({
        "id": run.number, "name": "LLM", "node_id": node("WFR", run.number), "check_suite_id": 5,
        "check_suite_node_id": node("CS", 5), "head_branch": run.head_branch, "head_sha": sha, "path": run.path,
        "run_number": 1, "run_attempt": run.attempt, "event": run.event, "display_title": "Deploy",
        "status": status, "conclusion": run.conclusion,
        "workflow_id": 7, "url": this, "html_url": format!("https://github.com/{}/actions/runs/{}", repo.full_name, run.number),
        "pull_requests": [], "created_at": run.started_at, "updated_at": run.started_at,
        "run_started_at": run.started_at, "jobs_url": format!("{this}/jobs"), "logs_url": format!("{this}/logs"),
        "check_suite_url": format!("{url}/check-suites/5"), "artifacts_url": format!("{this}/artifacts"),
        "cancel_url": format!("{this}/cancel"), "rerun_url": format!("{this}/rerun"),
        "workflow_url": format!("{url}/actions/workflows/7"),
        "actor": user(api, "octocat"), "triggering_actor": user(api, "octocat"),
        "head_commit": {
            "id": sha, "tree_id": sha, "message": "Deploy", "timestamp": run.started_at,
            "author": {"name": "octocat", "email": "octocat@example.com"},
            "committer": {"name": "octocat", "email": "octocat@example.com"},
        },
        "repository": repository(api, repo), "head_repository": repository(api, repo),
    })
}

pub fn check_run(api: &str, repo: &Repo, check: &StoredCheck) -> Value {
    let url = format!("{api}/repos/{}", repo.full_name);
    let this = format!("{url}/check-runs/{}", check.id);
    let page = format!("https://github.com/{}/runs/{}", repo.full_name, check.id);
    json!({
        "id": check.id, "node_id": node("CR", check.id), "name": check.name, "head_sha": check.head_sha, "url": this,
        "html_url": page, "details_url": check.details_url.as_ref().unwrap_or(&page),
        "external_id": check.external_id, "status": check.status, "conclusion": check.conclusion,
        "started_at": check.started_at, "completed_at": check.completed_at, "check_suite": { "id": 5 },
        "output": {
            "title": check.title, "summary": check.summary, "text": null,
            "annotations_count": check.annotations.len(), "annotations_url": format!("{this}/annotations"),
        },
        "app": actions_app(api), "pull_requests": [],
    })
}

/// The app whose token a job has.
fn actions_app(api: &str) -> Value {
    json!({
        "id": 15_368, "slug": "github-actions", "node_id": node("A", 15_368), "owner": user(api, "github"),
        "name": "GitHub Actions", "description": "Automate your workflow from idea to production",
        "external_url": "https://help.github.com/en/actions", "html_url": "https://github.com/apps/github-actions",
        "created_at": "2018-07-30T09:30:17Z", "updated_at": "2025-03-07T16:35:00Z",
        "permissions": { "checks": "write", "contents": "read" }, "events": [],
    })
}
