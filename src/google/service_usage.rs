//! Service Usage: which APIs a project has on.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    client::Client,
    error::Error,
    operation::{Operation, Waited, wait},
    request::{Request, segment},
};
use crate::environment::Api;

/// Most services that one `batchGet` takes. <https://docs.cloud.google.com/service-usage/docs/reference/rest>
const MOST_READ: usize = 30;
/// Most services that one `batchEnable` takes.
const MOST_ENABLED: usize = 20;

/// Whether each of the services, by host name such as `run.googleapis.com`, is on. One request for up to 30.
pub async fn states(c: &Client, project: &str, hosts: &[&str]) -> Result<BTreeMap<String, bool>, Error> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        services: Vec<Service>,
    }
    #[derive(Deserialize)]
    struct Service {
        name: String,
        #[serde(default)]
        state: String,
    }
    let mut states: BTreeMap<String, bool> = hosts.iter().map(|h| ((*h).to_owned(), false)).collect();
    for hosts in hosts.chunks(MOST_READ) {
        let mut request = Request::get(
            Api::ServiceUsage,
            format!("v1/projects/{}/services:batchGet", segment(project)),
            format!("see which APIs of project `{project}` are on"),
        );
        for host in hosts {
            request = request.query("names", format!("projects/{project}/services/{host}"));
        }
        let list: List = c.json(request).await?;
        for service in list.services {
            let host = service.name.rsplit('/').next().unwrap_or_default().to_owned();
            states.insert(host, service.state == "ENABLED");
        }
    }
    Ok(states)
}

/// Turns services on, and waits until they are. Those that are on already stay so.
pub async fn enable(c: &Client, project: &str, hosts: &[&str], deadline: Duration) -> Result<(), Error> {
    let what = format!("turn on APIs of project `{project}`");
    let until = c.deadline(deadline);
    for hosts in hosts.chunks(MOST_ENABLED) {
        let request = Request::new(
            Api::ServiceUsage,
            Method::POST,
            format!("v1/projects/{}/services:batchEnable", segment(project)),
            what.clone(),
        )
        .json(&json!({ "serviceIds": hosts }))?
        .repeatable();
        let operation: Operation = c.json(request).await?;
        let waited = Waited {
            api: Api::ServiceUsage,
            version: "v1/",
            can_wait: false,
            what: &what,
            until,
        };
        wait(c, &waited, operation).await?;
    }
    Ok(())
}
