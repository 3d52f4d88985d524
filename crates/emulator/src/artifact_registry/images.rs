//! Docker images: every version with its size and tags.

use serde_json::{Value, json};

use super::{Package, State, Version, not_found, packages::escape, repositories::missing, time};
use crate::{Call, Reply, list};

impl State {
    pub(super) fn images(&self, call: &Call, project: &str, method: &str) -> Reply {
        let (location, id) = (call.param("locationsId"), call.param("repositoriesId"));
        let Some(repository) = self.repositories.get(&(location.to_owned(), id.to_owned())) else {
            return missing(call, project);
        };
        let shown = |name: &str, package: &Package, digest: &str, version: &Version| {
            json!({
                "name": format!("projects/{project}/locations/{location}/repositories/{id}/dockerImages/{}@{digest}", escape(name)),
                "uri": format!("{location}-docker.pkg.dev/{project}/{id}/{name}@{digest}"),
                "tags": package.tags_of(digest), "imageSizeBytes": version.bytes.to_string(),
                "uploadTime": time(version.created), "updateTime": time(version.updated),
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            })
        };
        match method {
            "list" => {
                let packages = repository.packages.iter();
                let mut all: Vec<Value> = packages
                    .flat_map(|(name, p)| p.versions.iter().map(move |(d, v)| shown(name, p, d, v)))
                    .collect();
                match sort(&mut all, call.query("orderBy").unwrap_or("")) {
                    Ok(()) => list::reply(call, "dockerImages", &all),
                    Err(refused) => *refused,
                }
            }
            "get" => {
                let image = call.param("dockerImagesId").rsplit_once('@');
                let found = image.and_then(|(name, digest)| {
                    let package = repository.packages.get(name)?;
                    Some(shown(name, package, digest, package.versions.get(digest)?))
                });
                found.map_or_else(not_found, |image| Reply::ok(&image))
            }
            _ => Reply::not_implemented(call),
        }
    }
}

fn sort(images: &mut [Value], order: &str) -> Result<(), Box<Reply>> {
    let (field, descending) = match order.trim().split_once(' ') {
        Some((field, "desc")) => (field, true),
        Some((field, "asc")) => (field, false),
        None => (order.trim(), false),
        Some(_) => ("?", false),
    };
    let key = match field {
        "" | "name" => "name",
        "upload_time" | "uploadTime" => "uploadTime",
        "update_time" | "updateTime" => "updateTime",
        "image_size_bytes" | "imageSizeBytes" => "imageSizeBytes",
        _ => return Err(Box::new(Reply::invalid(&format!("Invalid order_by: {order}")))),
    };
    images.sort_by_cached_key(|i| {
        let text = i[key].as_str().unwrap_or("").to_owned();
        (text.parse::<u64>().ok(), text)
    });
    if descending {
        images.reverse();
    }
    Ok(())
}
