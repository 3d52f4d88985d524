//! Cloud Build v1: the messages and the calls.

mod types;

use reqwest::Method;
use serde::Deserialize;

use super::{
    client::{Client, Request, segment},
    error::Error,
    logging::quoted,
    operation::Operation,
};
use crate::environment::Api;
pub use types::*;

/// Further tries to create a build after one whose outcome is unknown and that isn't found.
const CREATE_TRIES: u32 = 3;

/// Starts a build. When it is unknown whether that worked, a running build with all of this one's tags is
/// looked for and taken over; only when there is none is it sent again.
pub async fn create(c: &Client, project: &str, location: &str, build: &Build) -> Result<Build, Error> {
    #[derive(Deserialize)]
    struct Metadata {
        build: Build,
    }
    let what = format!("start a build in `{location}`");
    let mut tries = 0;
    loop {
        tries += 1;
        let request = Request::new(
            Api::CloudBuild,
            Method::POST,
            builds(project, location),
            what.clone(),
        )
        .needs("cloudbuild.builds.create")
        .json(build)?;
        match c.json::<Operation>(request).await {
            Ok(operation) => {
                operation.failure(&what)?;
                let metadata = operation.metadata.unwrap_or_default();
                return Metadata::deserialize(metadata)
                    .map(|m| m.build)
                    .map_err(|e| Error::Decode {
                        what,
                        host: Api::CloudBuild.host().to_owned(),
                        reason: e.to_string(),
                    });
            }
            Err(error) if error.is_ambiguous() && !build.tags.is_empty() => {
                tokio::time::sleep(c.pace().watch).await;
                if let Some(found) = oldest_active(c, project, location, &build.tags).await? {
                    return Ok(found);
                }
                if tries >= CREATE_TRIES {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

pub async fn get(c: &Client, project: &str, location: &str, id: &str) -> Result<Build, Error> {
    let path = format!("{}/{}", builds(project, location), segment(id));
    let what = format!("look at the build `{id}`");
    c.json(Request::get(Api::CloudBuild, path, what).needs("cloudbuild.builds.get"))
        .await
}

/// Ends a build. One that has ended already, or isn't there, is fine.
pub async fn cancel(c: &Client, project: &str, location: &str, id: &str) -> Result<(), Error> {
    let path = format!("{}/{}:cancel", builds(project, location), segment(id));
    let request = Request::new(
        Api::CloudBuild,
        Method::POST,
        path,
        format!("cancel the build `{id}`"),
    )
    .json(&serde_json::json!({}))?
    .repeatable();
    match c.json::<Build>(request).await {
        Err(error) if !(error.is_not_found() || error.is_precondition()) => Err(error),
        _ => Ok(()),
    }
}

/// The build with this tag that is waiting or running; of several the oldest, so that everybody who looks takes the
/// same.
pub async fn find_active(
    c: &Client,
    project: &str,
    location: &str,
    tag: &str,
) -> Result<Option<Build>, Error> {
    oldest_active(c, project, location, &[tag.to_owned()]).await
}

async fn oldest_active(
    c: &Client,
    project: &str,
    location: &str,
    tags: &[String],
) -> Result<Option<Build>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    #[derive(Default)]
    struct List {
        builds: Vec<Build>,
        next_page_token: String,
    }
    let filter = tags
        .iter()
        .map(|t| format!("tags={}", quoted(t)))
        .collect::<Vec<_>>()
        .join(" AND ");
    let (mut page, mut all) = (String::new(), Vec::new());
    loop {
        let mut request = Request::get(
            Api::CloudBuild,
            builds(project, location),
            format!("list the builds in `{location}`"),
        )
        .needs("cloudbuild.builds.list")
        .query("filter", filter.clone())
        .query("pageSize", "100");
        if !page.is_empty() {
            request = request.query("pageToken", page);
        }
        let list: List = c.json(request).await?;
        // The filter is Google's word; what it lets through is checked.
        let fits = |b: &Build| !b.status.is_terminal() && tags.iter().all(|t| b.tags.contains(t));
        all.extend(list.builds.into_iter().filter(fits));
        if list.next_page_token.is_empty() {
            return Ok(all.into_iter().min_by_key(|b| (b.created(), b.id.clone())));
        }
        page = list.next_page_token;
    }
}

fn builds(project: &str, location: &str) -> String {
    format!(
        "v1/projects/{}/locations/{}/builds",
        segment(project),
        segment(location)
    )
}
