use std::collections::BTreeMap;

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::json;

use super::*;

const API: &str = "http://127.0.0.1:1/github";

pub(super) struct Got {
    pub status: u16,
    link: Option<String>,
    pub json: Value,
}

async fn send(github: &GitHub, token: Option<&str>, method: &str, path: &str, body: Value) -> Got {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let call = Call {
        id: String::new(),
        method: method.parse().unwrap(),
        path: format!("/repos/{path}"),
        params: BTreeMap::new(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers,
        caller: None,
        body: if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        },
        json: body,
    };
    let reply = github.answer(API, &[TOKEN], &call);
    let link = reply
        .headers
        .get("link")
        .map(|value| value.to_str().unwrap().to_owned());
    let bytes = axum::body::to_bytes(reply.body, 16 << 20).await.unwrap();
    let json: Value = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).unwrap()
    };
    let status = reply.status.as_u16();
    let (operation, _) = contract::find(&call.method, call.path.trim_matches('/')).unwrap();
    if let Some(required) = operation.answers.get(&status.to_string()) {
        let items = json.as_array().cloned().unwrap_or_else(|| vec![json.clone()]);
        for (name, item) in required
            .iter()
            .flat_map(|name| items.iter().map(move |item| (name, item)))
        {
            assert!(item.get(name).is_some(), "{} lacks {name}", operation.id);
        }
    }
    Got { status, link, json }
}

pub(super) async fn act(github: &GitHub, method: &str, path: &str, body: Value) -> Got {
    send(github, Some(TOKEN), method, &format!("{REPOSITORY}/{path}"), body).await
}

#[tokio::test]
async fn a_comment_is_created_changed_found_and_deleted() {
    let github = GitHub::default();
    let made = act(&github, "POST", "issues/12/comments", json!({"body": "one"})).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json["user"]["login"], "github-actions[bot]");
    let id = made.json["id"].as_u64().unwrap();
    let path = format!("issues/comments/{id}");
    assert_eq!(
        act(&github, "PATCH", &path, json!({"body": "two"})).await.status,
        200
    );
    assert_eq!(act(&github, "GET", &path, Value::Null).await.json["body"], "two");
    assert_eq!(github.comments(REPOSITORY, 12)[0].body, "two");
    assert_eq!(act(&github, "DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(act(&github, "GET", &path, Value::Null).await.status, 404);
    assert!(github.comments(REPOSITORY, 12).is_empty());
}

#[tokio::test]
async fn lists_come_in_pages_with_links() {
    let github = GitHub::default();
    for n in 0..65 {
        github.comment_as(REPOSITORY, 12, "octocat", &format!("{n}"));
    }
    let first = act(&github, "GET", "issues/12/comments", Value::Null).await;
    assert_eq!(first.json.as_array().unwrap().len(), 30);
    let link = first.link.unwrap();
    assert!(
        link.contains("issues/12/comments?page=2>; rel=\"next\"") && link.contains("page=3>; rel=\"last\""),
        "{link}"
    );
    let last = act(
        &github,
        "GET",
        "issues/12/comments?per_page=50&page=2",
        Value::Null,
    )
    .await;
    assert_eq!(last.json.as_array().unwrap().len(), 15);
    assert!(!last.link.unwrap().contains("rel=\"next\""));
}

#[tokio::test]
async fn requests_outside_the_description_are_refused_in_github_s_words() {
    let github = GitHub::default();
    for (path, body, words) in [
        ("issues/12/comments", json!({}), "\"body\" wasn't supplied."),
        (
            "issues/12/comments",
            json!({"body": 5}),
            "For 'properties/body', 5 is not a string.",
        ),
        (
            "issues/12/comments",
            json!({"body": "x", "text": "y"}),
            "\"text\" is not a permitted key.",
        ),
        (
            "deployments",
            json!({"ref": "main", "required_contexts": "none"}),
            "is not an array",
        ),
        ("deployments", json!({"ref": "gone"}), "No ref found for: gone"),
        (
            "deployments/1/statuses",
            json!({"state": "done"}),
            "is not a member of",
        ),
    ] {
        let got = act(&github, "POST", path, body).await;
        let message = got.json["message"].as_str().unwrap();
        assert!(
            got.status == 422 && message.contains(words),
            "{path}: {} {message}",
            got.status
        );
        assert!(
            got.json["documentation_url"]
                .as_str()
                .unwrap()
                .starts_with("https://docs.github.com/")
        );
    }
    let got = act(&github, "GET", "issues/12/comments?perpage=1", Value::Null).await;
    assert_eq!(got.status, 422);
    let got = act(
        &github,
        "POST",
        "issues/12/comments",
        json!({"body": "x".repeat(65_537)}),
    )
    .await;
    assert_eq!(
        (got.status, got.json["errors"][0]["message"].as_str().unwrap()),
        (422, "Body is too long (maximum is 65536 characters)")
    );
    assert_eq!(
        act(
            &github,
            "POST",
            "issues/12/comments",
            json!({"body": "é".repeat(65_536)})
        )
        .await
        .status,
        201
    );
}

#[tokio::test]
async fn tokens_and_permissions_decide_who_may_what() {
    let github = GitHub::default();
    let path = format!("{REPOSITORY}/issues/12/comments");
    let body = json!({"body": "x"});
    assert_eq!(send(&github, None, "GET", &path, Value::Null).await.status, 200);
    assert_eq!(send(&github, None, "POST", &path, body.clone()).await.status, 401);
    let bad = send(&github, Some("ghs_other"), "GET", &path, Value::Null).await;
    assert_eq!(
        (bad.status, bad.json["message"].as_str().unwrap()),
        (401, "Bad credentials")
    );
    assert_eq!(
        send(&github, None, "GET", PRIVATE_REPOSITORY, Value::Null)
            .await
            .status,
        404
    );
    assert_eq!(
        send(&github, Some(TOKEN), "GET", PRIVATE_REPOSITORY, Value::Null)
            .await
            .json["private"],
        true
    );
    assert_eq!(
        send(&github, Some(TOKEN), "GET", "acme/llm", Value::Null)
            .await
            .status,
        404
    );
    github.seed("acme/llm");
    assert_eq!(
        send(&github, Some(TOKEN), "GET", "acme/llm", Value::Null)
            .await
            .status,
        200
    );
    github.permit("pull-requests", Access::Read);
    assert_eq!(
        send(&github, Some(TOKEN), "POST", &path, body.clone())
            .await
            .status,
        201
    );
    github.permit("issues", Access::None);
    let refused = send(&github, Some(TOKEN), "POST", &path, body).await;
    assert_eq!(
        (refused.status, refused.json["message"].as_str().unwrap()),
        (403, "Resource not accessible by integration")
    );
    assert_eq!(
        send(&github, Some(TOKEN), "GET", &path, Value::Null).await.status,
        200
    );
    github.permit("deployments", Access::Read);
    assert_eq!(
        act(&github, "POST", "deployments", json!({"ref": "main"}))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn deployments_follow_the_rules_about_checks_merging_and_inactivity() {
    let github = GitHub::default();
    let conflict = act(&github, "POST", "deployments", json!({"ref": "main"})).await;
    assert_eq!(conflict.status, 409);
    let merged = act(
        &github,
        "POST",
        "deployments",
        json!({"ref": HEAD_BRANCH, "required_contexts": []}),
    )
    .await;
    assert_eq!(merged.status, 202);
    let body =
        json!({"ref": HEAD_BRANCH, "required_contexts": [], "auto_merge": false, "environment": "preview"});
    let first = act(&github, "POST", "deployments", body.clone()).await;
    assert_eq!(first.status, 201);
    let second = act(&github, "POST", "deployments", body).await;
    for made in [&first, &second] {
        let path = format!("deployments/{}/statuses", made.json["id"]);
        let status =
            json!({"state": "success", "environment_url": "https://example.com/x", "description": "up"});
        assert_eq!(act(&github, "POST", &path, status).await.status, 201);
    }
    let seen = github.deployments(REPOSITORY);
    assert_eq!(seen[0].states, ["success", "inactive"]);
    assert_eq!(seen[1].states, ["success"]);
    assert_eq!(seen[1].environment_url.as_deref(), Some("https://example.com/x"));
    let path = format!("deployments/{}/statuses", second.json["id"]);
    let bad = act(
        &github,
        "POST",
        &path,
        json!({"state": "success", "environment_url": "javascript:1"}),
    )
    .await;
    assert_eq!(bad.status, 422);
    let long = act(
        &github,
        "POST",
        &path,
        json!({"state": "success", "description": "x".repeat(141)}),
    )
    .await;
    assert_eq!(long.status, 422);
    let listed = act(&github, "GET", "deployments?environment=preview", Value::Null).await;
    assert_eq!(listed.json[0]["id"], second.json["id"]);
    assert_eq!(
        act(&github, "GET", &path, Value::Null).await.json[0]["state"],
        "success"
    );
    assert_eq!(
        act(&github, "GET", "deployments?environment=other", Value::Null)
            .await
            .json,
        json!([])
    );
    github.finish_checks(REPOSITORY);
    assert_eq!(
        act(&github, "POST", "deployments", json!({"ref": "main"}))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn issues_are_opened_found_by_label_and_closed() {
    let github = GitHub::default();
    let made = act(
        &github,
        "POST",
        "issues",
        json!({"title": "Down", "labels": ["llm-deploy"]}),
    )
    .await;
    assert_eq!((made.status, &made.json["number"]), (201, &json!(13)));
    let found = act(&github, "GET", "issues?labels=llm-deploy&state=open", Value::Null).await;
    assert_eq!(found.json.as_array().unwrap().len(), 1);
    assert_eq!(github.open_issues(REPOSITORY), ["Down"]);
    assert_eq!(
        act(&github, "POST", "issues/13/labels", json!({"labels": ["more"]}))
            .await
            .json[1]["name"],
        "more"
    );
    let closed = act(
        &github,
        "PATCH",
        "issues/13",
        json!({"state": "closed", "state_reason": "completed"}),
    )
    .await;
    assert_eq!(
        (&closed.json["state"], &closed.json["state_reason"]),
        (&json!("closed"), &json!("completed"))
    );
    assert!(github.open_issues(REPOSITORY).is_empty());
    assert_eq!(
        act(&github, "POST", "issues", json!({"title": ""})).await.status,
        422
    );
}

#[tokio::test]
async fn pull_requests_and_comments_are_what_octocrab_reads() {
    let github = GitHub::default();
    let pull = act(&github, "GET", "pulls/12", Value::Null).await.json;
    let typed: octocrab::models::pulls::PullRequest = serde_json::from_value(pull).unwrap();
    assert_eq!(typed.head.sha.len(), 40);
    github.close_pull_request(REPOSITORY, 12);
    let closed = act(&github, "GET", "pulls/12", Value::Null).await.json;
    let typed: octocrab::models::pulls::PullRequest = serde_json::from_value(closed).unwrap();
    assert!(typed.closed_at.is_some());
    assert_eq!(
        act(&github, "GET", "pulls?state=open", Value::Null).await.json,
        json!([])
    );
    let made = act(&github, "POST", "issues/12/comments", json!({"body": "x"}))
        .await
        .json;
    let typed: octocrab::models::issues::Comment = serde_json::from_value(made).unwrap();
    assert_eq!(typed.body.as_deref(), Some("x"));
    let made = act(&github, "POST", "issues", json!({"title": "t", "labels": ["a"]}))
        .await
        .json;
    serde_json::from_value::<octocrab::models::issues::Issue>(made).unwrap();
    let repo = act(&github, "GET", "", Value::Null).await;
    assert_eq!(repo.json["default_branch"], "main");
}

#[tokio::test]
async fn a_check_run_takes_the_permission_and_says_how_it_ended() {
    let github = GitHub::default();
    let path = "check-runs";
    let sha = answers::commit(REPOSITORY, "main");
    let output = json!({"title": "t", "summary": "s"});
    let whole = json!({"name": "llm-deploy", "head_sha": sha, "status": "completed", "conclusion": "success",
        "external_id": "1.1", "output": output});
    assert_eq!(
        act(&github, "POST", path, whole.clone()).await.status,
        403,
        "a workflow that does not list `checks` has none"
    );
    github.permit("checks", Access::Write);
    let with = |name: &str, value: Value| {
        let mut body = whole.clone();
        body[name] = value;
        body
    };
    let note = |line: u64| json!({"path": "a", "start_line": line, "end_line": 1, "annotation_level": "failure", "message": "m"});
    for refused in [
        with("conclusion", Value::Null),
        with("conclusion", json!("fine")),
        with("head_sha", json!("main")),
        with("details_url", json!("javascript:x")),
        with("output", json!({"title": "t"})),
        with("output", json!({"title": "t", "summary": "é".repeat(65_536)})),
        with(
            "output",
            json!({"title": "t", "summary": "s", "annotations": vec![note(1); 51]}),
        ),
        with(
            "output",
            json!({"title": "t", "summary": "s", "annotations": [note(2)]}),
        ),
        with("colour", json!("red")),
    ] {
        let got = act(&github, "POST", path, refused.clone()).await;
        assert_eq!(got.status, 422, "{refused}");
    }
    let longest = with(
        "output",
        json!({"title": "t", "summary": "é".repeat(65_535), "annotations": vec![note(1); 50]}),
    );
    let made = act(&github, "POST", path, longest).await;
    assert_eq!(
        (made.status, made.json["conclusion"].as_str()),
        (201, Some("success"))
    );
    let more = json!({"output": {"title": "t", "summary": "s", "annotations": [note(1)]}});
    let this = format!("{path}/{}", made.json["id"]);
    let more = act(&github, "PATCH", &this, more).await;
    assert_eq!(
        (more.status, &more.json["output"]["annotations_count"]),
        (200, &json!(51))
    );
    let ended = act(&github, "PATCH", &this, json!({"status": "completed"})).await;
    assert_eq!(ended.status, 422);
    act(&github, "POST", path, with("name", json!("other"))).await;
    let list = format!("commits/{sha}/check-runs");
    let all = act(&github, "GET", &list, Value::Null).await.json;
    assert_eq!(all["total_count"], 2);
    let own = act(
        &github,
        "GET",
        &format!("{list}?check_name=other&per_page=1"),
        Value::Null,
    )
    .await
    .json;
    assert_eq!(
        (own["total_count"].as_u64(), own["check_runs"][0]["name"].as_str()),
        (Some(1), Some("other"))
    );
    assert_eq!(github.check_runs(REPOSITORY)[0].annotations.len(), 51);
}

#[tokio::test]
async fn an_issue_can_be_locked_deleted_or_a_repository_have_none() {
    let github = GitHub::default();
    let open = || {
        act(
            &github,
            "POST",
            "issues",
            json!({"title": "Down", "labels": ["llm-deploy"]}),
        )
    };
    let number = open().await.json["number"].as_u64().unwrap();
    let (issue, notes) = (format!("issues/{number}"), format!("issues/{number}/comments"));
    github.lock_issue(REPOSITORY, number);
    let refused = act(&github, "POST", &notes, json!({"body": "x"})).await;
    assert_eq!(refused.status, 403);
    assert!(refused.json["message"].as_str().unwrap().contains("locked"));
    let closed = json!({"state": "closed", "state_reason": "duplicate"});
    assert_eq!(
        act(&github, "PATCH", &issue, closed).await.json["state_reason"],
        "duplicate"
    );
    github.delete_issue(REPOSITORY, number);
    assert_eq!(act(&github, "GET", &issue, Value::Null).await.status, 410);
    assert_eq!(
        act(&github, "PATCH", &issue, json!({"body": "x"})).await.status,
        410
    );
    assert_eq!(act(&github, "GET", "issues/99", Value::Null).await.status, 404);
    github.has_issues(REPOSITORY, false);
    assert_eq!(open().await.status, 410);
    assert_eq!(
        act(&github, "GET", "issues?labels=llm-deploy", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        act(&github, "POST", "issues/12/comments", json!({"body": "x"}))
            .await
            .status,
        201
    );
    github.has_issues(REPOSITORY, true);
    assert_eq!(open().await.json["number"], number + 1, "a number is given once");
    let theirs = github.open_issue_as(REPOSITORY, "octocat", "t", "b", &["llm-deploy"]);
    let listed = act(&github, "GET", "issues?labels=llm-deploy", Value::Null).await;
    assert_eq!(listed.json[0]["number"], theirs);
    assert_eq!(listed.json[0]["user"]["type"], "User");
}

#[tokio::test]
async fn a_workflow_run_is_there_once_made_and_takes_a_permission() {
    let github = GitHub::default();
    let get = async || act(&github, "GET", "actions/runs/43", Value::Null).await;
    assert_eq!(get().await.status, 404);
    github.run(REPOSITORY, WorkflowRun::push(43));
    let run = get().await.json;
    assert_eq!(
        (&run["status"], &run["conclusion"], &run["head_branch"]),
        (&json!("in_progress"), &Value::Null, &json!("main"))
    );
    github.end_run(REPOSITORY, 43, "failure");
    let run = get().await.json;
    assert_eq!(
        (&run["status"], &run["conclusion"]),
        (&json!("completed"), &json!("failure"))
    );
    github.permit("actions", Access::None);
    assert_eq!(get().await.status, 403);
}
