use super::super::{
    Access, GitHub, PULL_REQUEST, REPOSITORY,
    tests::{Got, act},
};
use serde_json::Value;

const FILE: &str = "infra/llm-deploy.yaml";

fn github() -> GitHub {
    let github = GitHub::default();
    github.put_file(REPOSITORY, "main", FILE, "project: a-b-c\n");
    github
}

async fn get(github: &GitHub, path: &str) -> Got {
    act(github, "GET", path, Value::Null).await
}

#[tokio::test]
async fn a_file_is_found_by_branch_and_by_commit() {
    let github = github();
    let branch = get(&github, "branches/main").await;
    let sha = branch.json["commit"]["sha"].as_str().unwrap().to_owned();
    for git_ref in ["main", "refs/heads/main", &sha] {
        let got = get(&github, &format!("contents/{FILE}?ref={git_ref}")).await;
        assert_eq!(got.json["content"], "cHJvamVjdDogYS1iLWMK\n", "{git_ref}");
        assert_eq!(got.json["encoding"], "base64");
    }
    assert!(get(&github, "contents/infra").await.json.is_array());
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_githubs_words() {
    let github = github();
    for (path, words) in [
        ("contents/llm-deploy.yaml?ref=main", "Not Found"),
        ("contents/infra/llm-deploy.yaml?ref=faster-model", "Not Found"),
        (
            "contents/infra/llm-deploy.yaml?ref=gone",
            "No commit found for the ref gone",
        ),
        ("branches/gone", "Branch not found"),
    ] {
        let got = get(&github, path).await;
        assert_eq!((got.status, &got.json["message"]), (404, &words.into()), "{path}");
    }
    github.permit("contents", Access::None);
    assert_eq!(get(&github, "branches/main").await.status, 403);
    assert_eq!(get(&github, &format!("contents/{FILE}")).await.status, 403);
}

#[tokio::test]
async fn a_large_file_comes_without_its_content() {
    let github = github();
    github.put_file(REPOSITORY, "main", "large", &"x".repeat((1 << 20) + 1));
    let got = get(&github, "contents/large").await;
    assert_eq!(
        (&got.json["content"], &got.json["encoding"]),
        (&"".into(), &"none".into())
    );
}

#[tokio::test]
async fn a_pull_request_shows_its_labels_and_its_base() {
    let github = github();
    github.label(REPOSITORY, PULL_REQUEST, "deploy-preview");
    github.retarget(REPOSITORY, PULL_REQUEST, "release");
    let got = get(&github, "pulls/12").await.json;
    assert_eq!(got["labels"][0]["name"], "deploy-preview");
    assert_eq!(got["base"]["ref"], "release");
    github.unlabel(REPOSITORY, PULL_REQUEST, "Deploy-Preview");
    let got = get(&github, "pulls/12").await.json;
    assert_eq!(got["labels"], Value::Array(Vec::new()));
}
