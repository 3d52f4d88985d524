//! Repositories and locations.

use std::collections::BTreeMap;

use chrono::Utc;
use serde_json::{Map, Value, json};

use super::{Policy, Repository, State, cleanup, time};
use crate::{Call, Reply, list, policy::test_permissions};

const REPOSITORY: &str = "google.devtools.artifactregistry.v1.Repository";
/// Those in which Cloud Run has GPUs, some others, and the multi-regions.
/// <https://cloud.google.com/artifact-registry/docs/repositories/repo-locations>
const LOCATIONS: [&str; 17] = [
    "asia",
    "asia-east1",
    "asia-northeast1",
    "asia-south1",
    "asia-south2",
    "asia-southeast1",
    "australia-southeast1",
    "europe",
    "europe-west1",
    "europe-west3",
    "europe-west4",
    "us",
    "us-central1",
    "us-east1",
    "us-east4",
    "us-west1",
    "us-west4",
];

impl State {
    pub(super) fn locations(&self, call: &Call, project: &str) -> Reply {
        let location = call.param("locationsId");
        let shown =
            |id: &str| json!({"name": format!("projects/{project}/locations/{id}"), "locationId": id});
        match call.id.rsplit("locations.").next().unwrap_or("") {
            "list" => list::reply(call, "locations", &LOCATIONS.map(shown)),
            "get" if LOCATIONS.contains(&location) => Reply::ok(&shown(location)),
            "get" => unknown_location(location),
            "operations.get" => {
                let id = call.param("operationsId");
                self.operations.get(&format!(
                    "projects/{project}/locations/{location}/operations/{id}"
                ))
            }
            _ => Reply::not_implemented(call),
        }
    }

    pub(super) fn repository(&mut self, call: &Call, project: &str, method: &str) -> Reply {
        let location = call.param("locationsId");
        if !LOCATIONS.contains(&location) {
            return unknown_location(location);
        }
        match method {
            "create" => self.create(call, project),
            "list" => {
                let own = self.repositories.iter().filter(|((l, _), _)| l == location);
                let all: Vec<Value> = own.map(|(_, r)| shown(r)).collect();
                if call.query("filter").is_some_and(|f| !f.is_empty()) {
                    return Reply::not_implemented(call);
                }
                list::reply(call, "repositories", &all)
            }
            "delete" => {
                let found = self.repositories.remove(&key(call));
                match found {
                    Some(_) => self
                        .operations
                        .begin(project, location, "google.protobuf.Empty", &json!({})),
                    None => missing(call, project),
                }
            }
            _ => match self.repositories.get_mut(&key(call)) {
                Some(repository) => one(repository, call, method),
                None => missing(call, project),
            },
        }
    }

    fn create(&mut self, call: &Call, project: &str) -> Reply {
        let location = call.param("locationsId").to_owned();
        let id = call.query("repositoryId").unwrap_or("").to_owned();
        if !is_repository_id(&id) {
            return Reply::invalid(&format!(
                "Repository id \"{id}\" is invalid: it must start with a lower-case letter, end with a letter or digit, and hold lower-case letters, digits and hyphens only, at most 63."
            ));
        }
        if !call.json["format"].is_string() || call.json["format"] == "FORMAT_UNSPECIFIED" {
            return Reply::invalid("Repository format must be specified.");
        }
        if let Err(mistake) = cleanup::check(&call.json["cleanupPolicies"]) {
            return Reply::invalid(&mistake);
        }
        if self.repositories.contains_key(&(location.clone(), id.clone())) {
            return Reply::already_exists("the repository already exists");
        }
        let repository = Repository::new(project, &location, &id, &call.json);
        let resource = repository.resource.clone();
        self.repositories.insert((location.clone(), id), repository);
        self.operations.begin(project, &location, REPOSITORY, &resource)
    }
}

impl Repository {
    pub(super) fn new(project: &str, location: &str, id: &str, settings: &Value) -> Self {
        let name = format!("projects/{project}/locations/{location}/repositories/{id}");
        let uri = format!("{location}-docker.pkg.dev/{project}/{id}");
        Self {
            resource: resource(&name, &uri, settings),
            policy: Policy::default(),
            packages: BTreeMap::new(),
        }
    }
}

fn one(repository: &mut Repository, call: &Call, method: &str) -> Reply {
    match method {
        "get" => Reply::ok(&shown(repository)),
        "patch" => patch(repository, call),
        "getIamPolicy" => Reply::ok(&repository.policy.show()),
        "setIamPolicy" => repository.policy.set(&call.json),
        "testIamPermissions" => test_permissions(&call.json),
        _ => Reply::not_implemented(call),
    }
}

fn patch(repository: &mut Repository, call: &Call) -> Reply {
    let mask = call.query("updateMask").unwrap_or("");
    let sent = call.json.as_object().cloned().unwrap_or_default();
    let fields: Vec<&str> = match mask {
        "" | "*" => sent.keys().map(String::as_str).collect(),
        mask => mask
            .split(',')
            .map(|p| p.split('.').next().unwrap_or(p))
            .collect(),
    };
    let fixed = ["format", "mode", "kmsKeyName"];
    let changes =
        |f: &&&str| fixed.contains(*f) && sent.get(**f).is_some_and(|v| *v != repository.resource[**f]);
    if let Some(field) = fields.iter().find(changes) {
        return Reply::invalid(&format!("The field {field} is immutable."));
    }
    if let Err(mistake) = cleanup::check(sent.get("cleanupPolicies").unwrap_or(&Value::Null)) {
        return Reply::invalid(&mistake);
    }
    let resource = repository.resource.as_object_mut();
    let Some(resource) = resource else {
        return super::not_found();
    };
    for field in fields.iter().filter(|f| **f != "name") {
        match sent.get(*field) {
            Some(value) => resource.insert((*field).to_owned(), value.clone()),
            None => resource.shift_remove(*field),
        };
    }
    resource.insert("updateTime".to_owned(), time(Utc::now()));
    Reply::ok(&shown(repository))
}

fn key(call: &Call) -> (String, String) {
    (
        call.param("locationsId").to_owned(),
        call.param("repositoriesId").to_owned(),
    )
}

fn resource(name: &str, uri: &str, sent: &Value) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), name.into());
    for (field, value) in sent.as_object().into_iter().flatten() {
        if field != "name" {
            out.insert(field.clone(), value.clone());
        }
    }
    if !out.contains_key("mode") {
        out.insert("mode".into(), "STANDARD_REPOSITORY".into());
    }
    out.insert("registryUri".into(), uri.into());
    out.insert("createTime".into(), time(Utc::now()));
    out.insert("updateTime".into(), time(Utc::now()));
    out.into()
}

fn shown(repository: &Repository) -> Value {
    let versions = repository.packages.values().flat_map(|p| p.versions.values());
    let mut out = repository.resource.clone();
    out["sizeBytes"] = versions.map(|v| v.bytes).sum::<u64>().to_string().into();
    out
}

pub(super) fn missing(call: &Call, project: &str) -> Reply {
    let (location, id) = key(call);
    Reply::not_found(&format!(
        "Repository \"projects/{project}/locations/{location}/repositories/{id}\" not found"
    ))
}

fn unknown_location(location: &str) -> Reply {
    Reply::permission_denied(
        &format!("Location {location} is not found or access is unauthorized."),
        "artifactregistry.locations.get",
        "artifactregistry.googleapis.com",
    )
}

fn is_repository_id(id: &str) -> bool {
    (1..=63).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
