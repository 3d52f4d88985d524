//! Artifact Registry: single images of a repository, by digest.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;

use super::{
    artifact_registry::Repository,
    client::Client,
    error::Error,
    gone::{self, Deletion},
    operation::Operation,
    request::{Request, segment},
};
use crate::environment::Api;

/// Deleting an image takes seconds.
const DEADLINE: Duration = Duration::from_secs(300);

/// The tags of an image; `None` when it isn't there. Google names a hundred of them at most.
pub async fn tags(
    c: &Client,
    repository: &Repository<'_>,
    package: &str,
    digest: &str,
) -> Result<Option<Vec<String>>, Error> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Version {
        related_tags: Vec<Tag>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Tag {
        name: String,
    }
    let what = format!("look at the image `{}@{digest}`", repository.image(package));
    let request = Request::get(Api::ArtifactRegistry, path(repository, package, digest), what)
        .needs("artifactregistry.versions.get")
        .query("view", "FULL");
    let found: Option<Version> = c.find(request).await?;
    let name = |tag: Tag| tag.name.rsplit('/').next().map(str::to_owned);
    Ok(found.map(|version| version.related_tags.into_iter().filter_map(name).collect()))
}

/// Deletes an image with its tags and looks until it is gone. Absent is fine.
///
/// # Errors
/// Also when it is still there although Google says that it was deleted.
pub async fn delete(
    c: &Client,
    repository: &Repository<'_>,
    package: &str,
    digest: &str,
) -> Result<(), Error> {
    let what = format!("delete the image `{}@{digest}`", repository.image(package));
    let deletion = Deletion {
        what: &what,
        until: c.deadline(DEADLINE),
    };
    let send = || async {
        // Without `force` Google keeps an image that has tags, and ours have one each.
        let path = path(repository, package, digest);
        let request = Request::new(Api::ArtifactRegistry, Method::DELETE, path, what.clone())
            .needs("artifactregistry.versions.delete")
            .query("force", "true")
            .repeatable();
        match c.find::<Operation>(request).await? {
            Some(operation) => repository.finish(c, operation, &what).await,
            None => Ok(()),
        }
    };
    let is_there = || async { Ok(tags(c, repository, package, digest).await?.is_some()) };
    gone::delete(c, &deletion, send, is_there).await
}

fn path(repository: &Repository<'_>, package: &str, digest: &str) -> String {
    format!("{}/versions/{}", repository.package(package), segment(digest))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::google::testing::{Server, answer};

    const REPOSITORY: Repository<'_> = Repository {
        project: "p",
        location: "r",
        repository: "llm-deploy",
    };

    fn gone() -> Value {
        json!({"error": {"code": 404, "status": "NOT_FOUND", "message": "Requested entity was not found."}})
    }

    #[tokio::test]
    async fn an_image_is_deleted_with_its_tags_and_waited_for() {
        let server = Server::script(vec![
            answer(
                200,
                json!({"relatedTags": [{"name": "projects/p/…/tags/0123456789abcdef"}]}),
            ),
            answer(200, json!({"name": "projects/p/locations/r/operations/o"})),
            answer(
                200,
                json!({"name": "projects/p/locations/r/operations/o", "done": true}),
            ),
            answer(404, gone()),
        ])
        .await;
        let google = server.client();
        let found = tags(&google, &REPOSITORY, "team/qwen", "sha256:1").await.unwrap();
        assert_eq!(found, Some(vec!["0123456789abcdef".to_owned()]));
        delete(&google, &REPOSITORY, "team/qwen", "sha256:1")
            .await
            .unwrap();
        let version =
            "/v1/projects/p/locations/r/repositories/llm-deploy/packages/team%2Fqwen/versions/sha256%3A1";
        let lines = server.lines();
        assert!(lines[0].contains(&format!("{version}?view=FULL")), "{lines:?}");
        assert!(
            lines[1].starts_with("DELETE") && lines[1].contains(&format!("{version}?force=true")),
            "{lines:?}"
        );
    }

    #[tokio::test]
    async fn an_image_that_is_gone_is_fine() {
        let server = Server::script(vec![
            answer(404, gone()),
            answer(404, gone()),
            answer(404, gone()),
        ])
        .await;
        let google = server.client();
        assert_eq!(
            tags(&google, &REPOSITORY, "qwen", "sha256:1").await.unwrap(),
            None
        );
        delete(&google, &REPOSITORY, "qwen", "sha256:1").await.unwrap();
    }
}
