//! Cloud Build v1: the messages and the calls.

mod types;

use reqwest::Method;
use serde::Deserialize;

use super::{
    client::Client,
    error::Error,
    logging::quoted,
    operation::Operation,
    request::{Request, segment},
    write::Written,
};
use crate::environment::Api;
pub use types::*;

/// Starts a build. When it is unknown whether that worked, the build is looked for by a tag that no other has; only
/// when there is none it is sent again.
pub async fn create(c: &Client, project: &str, location: &str, build: &Build) -> Result<Build, Error> {
    #[derive(Deserialize)]
    struct Metadata {
        build: Build,
    }
    let what = format!("start a build in `{location}`");
    let mark = format!("request-{}", uuid::Uuid::new_v4().simple());
    let request = Request::new(
        Api::CloudBuild,
        Method::POST,
        builds(project, location),
        what.clone(),
    )
    .needs("cloudbuild.builds.create")
    .json(&Build {
        tags: [build.tags.as_slice(), std::slice::from_ref(&mark)].concat(),
        ..build.clone()
    })?;
    let there = || marked(c, project, location, &mark);
    let operation: Operation = match c.write(&request, there).await? {
        Written::Answered(operation) => operation,
        Written::Found(build) => return Ok(build),
    };
    operation.failure(&what)?;
    let metadata = operation.metadata.unwrap_or_default();
    Metadata::deserialize(metadata)
        .map(|m| m.build)
        .map_err(|e| Error::Decode {
            what,
            host: Api::CloudBuild.host().to_owned(),
            reason: e.to_string(),
        })
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

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct List {
    builds: Vec<Build>,
    next_page_token: String,
}

/// The build with a tag that only one has, whatever has become of it: a short one may be over by now.
async fn marked(c: &Client, project: &str, location: &str, mark: &str) -> Result<Option<Build>, Error> {
    let request = Request::get(
        Api::CloudBuild,
        builds(project, location),
        format!("list the builds in `{location}`"),
    )
    .needs("cloudbuild.builds.list")
    .query("filter", format!("tags={}", quoted(mark)));
    let list: List = c.json(request).await?;
    let is_it = |b: &Build| b.tags.iter().any(|t| t == mark);
    Ok(list.builds.into_iter().find(is_it))
}

async fn oldest_active(
    c: &Client,
    project: &str,
    location: &str,
    tags: &[String],
) -> Result<Option<Build>, Error> {
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
