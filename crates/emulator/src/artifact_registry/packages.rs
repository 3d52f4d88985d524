//! Packages, their versions and tags.

use serde_json::{Value, json};

use super::{Package, State, Version, not_found, repositories::missing, time};
use crate::{Call, Reply, list};

const EMPTY: &str = "google.protobuf.Empty";

impl State {
    pub(super) fn packages(&mut self, call: &Call, project: &str, method: &str) -> Reply {
        let location = call.param("locationsId");
        let key = (location.to_owned(), call.param("repositoriesId").to_owned());
        let Some(repository) = self.repositories.get_mut(&key) else {
            return missing(call, project);
        };
        let root = format!(
            "projects/{project}/locations/{location}/repositories/{}/packages/",
            key.1
        );
        if method == "list" {
            let packages = repository.packages.iter();
            let all: Vec<Value> = packages.map(|(name, p)| shown(&root, name, p)).collect();
            return list::reply(call, "packages", &all);
        }
        // The path parameter arrives decoded: `team/model` stands for `team%2Fmodel`.
        let name = call.param("packagesId");
        let Some(package) = repository.packages.get_mut(name) else {
            return not_found();
        };
        let (reply, deleted) = match method {
            "get" => (Reply::ok(&shown(&root, name, package)), false),
            "delete" => {
                repository.packages.remove(name);
                (Reply::ok(&Value::Null), true)
            }
            "versions.delete" => delete_version(package, call),
            method if method.starts_with("versions.") => {
                (versions(package, call, &root, &method[9..]), false)
            }
            method => (tags(package, call, &root, method), false),
        };
        if deleted {
            return self.operations.begin(project, location, EMPTY, &json!({}));
        }
        reply
    }
}

fn shown(root: &str, name: &str, package: &Package) -> Value {
    json!({
        "name": format!("{root}{}", escape(name)), "createTime": time(package.created),
        "updateTime": time(package.updated),
    })
}

fn versions(package: &Package, call: &Call, root: &str, method: &str) -> Reply {
    let full = call.query("view") == Some("FULL");
    let package_name = format!("{root}{}", escape(call.param("packagesId")));
    let shown = |digest: &str, version: &Version| {
        let mut out = json!({
            "name": format!("{package_name}/versions/{digest}"), "createTime": time(version.created),
            "updateTime": time(version.updated),
            "metadata": {"imageSizeBytes": version.bytes.to_string(), "name": format!("{package_name}/versions/{digest}")},
        });
        if full {
            let tags = package.tags_of(digest).into_iter();
            out["relatedTags"] = tags.map(|t| shown_tag(&package_name, t, digest)).collect();
        }
        out
    };
    match method {
        "list" => {
            let all: Vec<Value> = package.versions.iter().map(|(d, v)| shown(d, v)).collect();
            list::reply(call, "versions", &all)
        }
        "get" => {
            let digest = call.param("versionsId");
            let version = package.versions.get(digest);
            version.map_or_else(not_found, |v| Reply::ok(&shown(digest, v)))
        }
        _ => Reply::not_implemented(call),
    }
}

/// The refusal, or whether it was deleted.
fn delete_version(package: &mut Package, call: &Call) -> (Reply, bool) {
    let digest = call.param("versionsId");
    if !package.versions.contains_key(digest) {
        return (not_found(), false);
    }
    let tags = package.tags_of(digest).join(", ");
    if !tags.is_empty() && call.query("force") != Some("true") {
        let message = format!(
            "Cannot delete version {digest} because it has tags: {tags}. Set force to delete it with its tags."
        );
        return (Reply::failed_precondition(&message), false);
    }
    package.remove(digest);
    (Reply::ok(&Value::Null), true)
}

fn tags(package: &mut Package, call: &Call, root: &str, method: &str) -> Reply {
    let name = format!("{root}{}", escape(call.param("packagesId")));
    let tag = call.param("tagsId");
    match method {
        "tags.list" => list_tags(package, call, &name),
        "tags.get" => {
            let digest = package.tags.get(tag);
            digest.map_or_else(not_found, |d| Reply::ok(&shown_tag(&name, tag, d)))
        }
        "tags.delete" => match package.tags.remove(tag) {
            Some(_) => Reply::ok(&json!({})),
            None => not_found(),
        },
        "tags.create" => {
            let tag = call.query("tagId").unwrap_or("");
            if tag.is_empty() || package.tags.contains_key(tag) {
                return Reply::already_exists(&format!("Tag \"{tag}\" already exists, or is no tag."));
            }
            point(package, call, &name, tag)
        }
        "tags.patch" => point(package, call, &name, tag),
        _ => Reply::not_implemented(call),
    }
}

fn list_tags(package: &Package, call: &Call, name: &str) -> Reply {
    let wanted = match call.query("filter").unwrap_or("") {
        "" => None,
        filter => match filter.strip_prefix("version=") {
            Some(version) => version.trim_matches('"').rsplit('/').next(),
            None => return Reply::invalid(&format!("Invalid filter: {filter}")),
        },
    };
    let fitting = package
        .tags
        .iter()
        .filter(|(_, d)| wanted.is_none_or(|w| w == *d));
    let all: Vec<Value> = fitting.map(|(t, d)| shown_tag(name, t, d)).collect();
    list::reply(call, "tags", &all)
}

fn point(package: &mut Package, call: &Call, name: &str, tag: &str) -> Reply {
    let version = call.json["version"].as_str().unwrap_or("");
    let digest = version
        .strip_prefix(name)
        .and_then(|v| v.strip_prefix("/versions/"));
    match digest {
        Some(digest) if package.versions.contains_key(digest) => {
            package.tags.insert(tag.to_owned(), digest.to_owned());
            Reply::ok(&shown_tag(name, tag, digest))
        }
        Some(_) => not_found(),
        None => Reply::invalid("The version must be one of the same package."),
    }
}

fn shown_tag(package: &str, tag: &str, digest: &str) -> Value {
    json!({"name": format!("{package}/tags/{tag}"), "version": format!("{package}/versions/{digest}")})
}

/// Nested image names are one segment: `team/model` is `team%2Fmodel`.
pub(super) fn escape(name: &str) -> String {
    name.replace('/', "%2F")
}
