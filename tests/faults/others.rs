//! What belongs to others, and has to stay as it is whatever happens.

use llm_deploy_emulator::github;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{OTHER_REGION, PROJECT, REGION, World};

/// Names of the services that are not this repository's: one beside its own, one in another region.
pub const SERVICES: [(&str, &str); 2] = [("neighbour-pr-12", REGION), ("abroad-pr-12", OTHER_REGION)];

/// Comments that look like ours, and one that doesn't; services that are labelled like ours.
pub async fn seed(world: &World) {
    let marker = format!("<!-- llm-deploy:preview/{PROJECT}/{REGION} -->");
    for (user, body) in [
        ("octocat", "Looks good to me."),
        (
            "other[bot]",
            &format!("{marker}\n<!-- llm-deploy-run:99-0 -->\n### Preview is ready"),
        ),
    ] {
        world
            .github()
            .comment_as(github::REPOSITORY, github::PULL_REQUEST, user, body);
    }
    for (name, region) in SERVICES {
        let path = format!("/run/v2/projects/{PROJECT}/locations/{region}/services?serviceId={name}");
        let service = json!({
            "labels": {
                "managed-by": "llm-deploy", "llm-deploy-repository": "others_models", "llm-deploy-repository-id": "99",
                "llm-deploy-kind": "preview", "llm-deploy-pull-request": "12", "llm-deploy-expires": "1700000000",
            },
            "template": {"containers": [{"image": "us-docker.pkg.dev/cloudrun/container/hello"}]},
        });
        world.send(Method::POST, &path, &service).await;
    }
}

/// All of it, as it is now.
pub async fn now(world: &World) -> Vec<Value> {
    let comments = world.github().comments(github::REPOSITORY, github::PULL_REQUEST);
    let theirs = comments
        .iter()
        .filter(|comment| comment.user != "github-actions[bot]");
    let mut all: Vec<Value> = theirs
        .map(|comment| json!({"user": comment.user, "body": comment.body}))
        .collect();
    for (name, region) in SERVICES {
        let path = format!("/run/v2/projects/{PROJECT}/locations/{region}/services/{name}");
        let service = world.get(&path).await;
        all.push(json!({
            "name": service["name"], "labels": service["labels"], "template": service["template"],
            "generation": service["generation"], "uid": service["uid"],
        }));
    }
    all
}
