//! Cloud Run v2: the messages and the calls.

mod ready;
pub mod types;

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;

use super::{
    client::Client,
    error::Error,
    gone::{self, Deletion},
    operation::{Operation, Waited, wait},
    request::{Request, segment},
    write::Written,
};
use crate::environment::Api;
use ready::Watch;
use types::{Revision, Service, short_name};

/// Where services live.
#[derive(Clone, Copy, Debug)]
pub struct Location<'a> {
    pub project: &'a str,
    pub region: &'a str,
}

impl Location<'_> {
    fn services(&self) -> String {
        format!(
            "v2/projects/{}/locations/{}/services",
            segment(self.project),
            segment(self.region)
        )
    }

    fn service(&self, id: &str) -> String {
        format!("{}/{}", self.services(), segment(id))
    }
}

pub async fn get(c: &Client, location: &Location<'_>, service: &str) -> Result<Option<Service>, Error> {
    c.find(Request::get(
        Api::Run,
        location.service(service),
        format!("look at the Cloud Run service `{service}`"),
    ))
    .await
}

/// One revision of a service, by its short name.
pub async fn revision(
    c: &Client,
    location: &Location<'_>,
    service: &str,
    revision: &str,
) -> Result<Option<Revision>, Error> {
    c.find(Request::get(
        Api::Run,
        format!("{}/revisions/{}", location.service(service), segment(revision)),
        format!("look at the revision `{revision}`"),
    ))
    .await
}

/// Every service of the region.
pub async fn list(c: &Client, location: &Location<'_>) -> Result<Vec<Service>, Error> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct List {
        services: Vec<Service>,
        next_page_token: String,
    }
    let (mut all, mut page) = (Vec::new(), String::new());
    loop {
        let mut request = Request::get(
            Api::Run,
            location.services(),
            format!("list the Cloud Run services in `{}`", location.region),
        )
        .query("pageSize", "100");
        if !page.is_empty() {
            request = request.query("pageToken", page);
        }
        let list: List = c.json(request).await?;
        all.extend(list.services);
        if list.next_page_token.is_empty() {
            return Ok(all);
        }
        page = list.next_page_token;
    }
}

/// The revisions of a service, or of every service of the region.
pub async fn revisions(
    c: &Client,
    location: &Location<'_>,
    service: Option<&str>,
) -> Result<Vec<Revision>, Error> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct List {
        revisions: Vec<Revision>,
        next_page_token: String,
    }
    let what = match service {
        Some(service) => format!("list the revisions of the Cloud Run service `{service}`"),
        None => format!("list the revisions in `{}`", location.region),
    };
    let path = format!("{}/revisions", location.service(service.unwrap_or("-")));
    let (mut all, mut page) = (Vec::new(), String::new());
    loop {
        let mut request = Request::get(Api::Run, path.clone(), what.clone())
            .needs("run.revisions.list")
            .query("pageSize", "100");
        if !page.is_empty() {
            request = request.query("pageToken", page);
        }
        let list: List = c.json(request).await?;
        all.extend(list.revisions);
        if list.next_page_token.is_empty() {
            return Ok(all);
        }
        page = list.next_page_token;
    }
}

/// Creates the service and waits until it is ready. `on_progress` gets Cloud Run's own words as they change.
///
/// When it is unknown whether the request arrived, the service is looked for before it is sent again.
pub async fn create(
    c: &Client,
    location: &Location<'_>,
    service_id: &str,
    service: &Service,
    deadline: Duration,
    on_progress: &(dyn Fn(&str) + Sync),
) -> Result<Service, Error> {
    let what = format!("create the Cloud Run service `{service_id}`");
    let until = c.deadline(deadline);
    let request = Request::new(Api::Run, Method::POST, location.services(), what.clone())
        .query("serviceId", service_id)
        .json(service)?;
    let operation = match c.write(&request, || get(c, location, service_id)).await? {
        Written::Answered(operation) => Some(operation),
        Written::Found(_) => None,
    };
    let watch = Watch {
        c,
        location,
        service_id,
        what: &what,
        until,
        on_progress,
    };
    watch.until_ready(operation).await
}

/// Changes the fields of `update_mask` and waits until the service is ready. With an etag in `service`, a
/// change by somebody else in between is a conflict ([`Error::is_conflict`]).
pub async fn patch(
    c: &Client,
    location: &Location<'_>,
    service_id: &str,
    service: &Service,
    update_mask: &[&str],
    deadline: Duration,
    on_progress: &(dyn Fn(&str) + Sync),
) -> Result<Service, Error> {
    let what = format!("update the Cloud Run service `{service_id}`");
    let until = c.deadline(deadline);
    let request = Request::new(
        Api::Run,
        Method::PATCH,
        location.service(service_id),
        what.clone(),
    )
    .query("updateMask", update_mask.join(","))
    .json(service)?;
    let there = || async {
        let live = get(c, location, service_id).await?;
        Ok(live.filter(|live| took_effect(service, live, update_mask)))
    };
    let operation = match c.write(&request, there).await? {
        Written::Answered(operation) => Some(operation),
        Written::Found(_) => None,
    };
    let watch = Watch {
        c,
        location,
        service_id,
        what: &what,
        until,
        on_progress,
    };
    watch.until_ready(operation).await
}

/// Waits until a service that somebody else created or changed is as it was asked for.
pub async fn settled(
    c: &Client,
    location: &Location<'_>,
    service_id: &str,
    deadline: Duration,
    on_progress: &(dyn Fn(&str) + Sync),
) -> Result<Service, Error> {
    let watch = Watch {
        c,
        location,
        service_id,
        what: &format!("see the Cloud Run service `{service_id}` become ready"),
        until: c.deadline(deadline),
        on_progress,
    };
    watch.until_ready(None).await
}

/// Whether the live service shows what an update of unknown outcome asked for. Compared is what we always
/// set and the server gives back as it got it.
fn took_effect(wanted: &Service, live: &Service, update_mask: &[&str]) -> bool {
    let revision = |s: &Service| s.template.as_ref().and_then(|t| t.revision.clone());
    update_mask.iter().all(|field| match field.split('.').next() {
        Some("template") => revision(wanted).is_some() && revision(wanted) == revision(live),
        Some("traffic") => wanted.traffic == live.traffic,
        Some("labels") => wanted.labels == live.labels,
        Some("scaling") => wanted.scaling == live.scaling,
        Some("ingress") => wanted.ingress == live.ingress,
        Some("invokerIamDisabled") => wanted.invoker_iam_disabled == live.invoker_iam_disabled,
        Some("launchStage") => wanted.launch_stage == live.launch_stage,
        _ => false,
    })
}

/// Deletes the service with its revisions and looks until it is gone. Absent is fine.
///
/// # Errors
/// Also when it is still there although Cloud Run says that it was deleted.
pub async fn delete(
    c: &Client,
    location: &Location<'_>,
    service_id: &str,
    deadline: Duration,
) -> Result<(), Error> {
    let what = format!("delete the Cloud Run service `{service_id}`");
    let deletion = Deletion {
        what: &what,
        until: c.deadline(deadline),
    };
    let send = || async {
        let path = location.service(service_id);
        let request = Request::new(Api::Run, Method::DELETE, path, what.clone()).repeatable();
        let waited = Waited {
            api: Api::Run,
            version: "v2/",
            can_wait: true,
            what: &what,
            until: deletion.until,
        };
        match c.find::<Operation>(request).await? {
            Some(operation) => wait(c, &waited, operation).await.map(drop),
            None => Ok(()),
        }
    };
    let is_there = || async { Ok(get(c, location, service_id).await?.is_some()) };
    gone::delete(c, &deletion, send, is_there).await
}

/// The service's name as resources carry it: `projects/…/services/NAME` → `NAME`.
fn revision_of(service: &Service) -> Option<String> {
    let name = service.latest_created_revision.as_deref()?;
    Some(short_name(name).to_owned()).filter(|n| !n.is_empty())
}

#[cfg(test)]
mod tests;
