//! Deletes previews: a closed pull request's, and those that outlived their time. Never anything without our labels.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{Services, failed::Failed, images::Images, recorder::Recorder};
use crate::{
    config::Model,
    event::RunId,
    google::run::{
        self, Location,
        types::{Service, short_name},
    },
    plan::{
        owner::Owner,
        target::{self, label},
    },
    report::Status,
};

/// Deleting a service takes seconds; a minute or two is slow.
const DEADLINE: Duration = Duration::from_secs(300);

/// Why a preview goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its pull request is. Nobody needs its images any more, unless it was merged.
    Closed { merged: bool },
    /// Its pull request lacks the label that a preview needs, and may get it again.
    Unlabelled,
    /// Its pull request may be pushed to again, and then needs its images.
    Expired(DateTime<Utc>),
    /// A person asked for it; whether its pull request is closed is not known, or it is open.
    Asked,
    /// The configuration has no model for it any more; the next commit may bring it back.
    Swapped,
}

impl Reason {
    pub const fn takes_images(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

/// A preview that goes.
pub struct Preview<'a> {
    pub service: &'a Service,
    /// Of its pull request.
    pub number: u64,
    pub reason: Reason,
}

/// This repository's previews among `services`, with the number of their pull request. Pure.
pub fn previews<'a>(services: &'a [Service], repository: Owner<'_>) -> Vec<(&'a Service, u64)> {
    ours(services, repository, label::PREVIEW)
        .filter_map(|s| Some((s, s.labels.get(label::PULL_REQUEST)?.parse().ok()?)))
        .collect()
}

/// This repository's production services among `services` that no model of the configuration is for any more. They
/// are never deleted here: somebody may still call them. Pure.
pub fn forgotten<'a>(services: &'a [Service], repository: Owner<'_>, models: &[Model]) -> Vec<&'a str> {
    ours(services, repository, label::PRODUCTION)
        .filter_map(|s| s.name.as_deref().map(short_name))
        .filter(|name| models.iter().all(|model| model.name != *name))
        .collect()
}

/// Of a pull request's previews those that an earlier run of this very configuration made, for models that it had then:
/// `kept` are the services of those that it has now. Others are another workflow's, or a later run's. Pure.
pub fn swapped<'a>(
    services: &'a [Service],
    repository: Owner<'_>,
    number: u64,
    source: &str,
    run: RunId,
    kept: &[&str],
) -> Vec<&'a Service> {
    let is_kept = |s: &Service| {
        s.name
            .as_deref()
            .map(short_name)
            .is_none_or(|name| kept.contains(&name))
    };
    let mut theirs = previews(services, repository);
    theirs.retain(|(service, of)| {
        let earlier = target::run_in_labels(&service.labels)
            .is_some_and(|made| (made.number, made.attempt) < (run.number, run.attempt));
        *of == number && earlier && has(&service.labels, label::SOURCE, source) && !is_kept(service)
    });
    theirs.into_iter().map(|(service, _)| service).collect()
}

fn ours<'a>(services: &'a [Service], repository: Owner<'_>, kind: &str) -> impl Iterator<Item = &'a Service> {
    services
        .iter()
        .filter(|s| has(&s.labels, label::MANAGED_BY, label::TOOL))
        .filter(move |s| repository.is_in(&s.labels))
        .filter(move |s| has(&s.labels, label::KIND, kind))
}

/// When a preview's time is up; `None` without a readable label, and such a preview is kept.
pub fn expiry(service: &Service) -> Option<DateTime<Utc>> {
    target::expiry(&service.labels)
}

fn has(labels: &BTreeMap<String, String>, key: &str, value: &str) -> bool {
    labels.get(key).is_some_and(|found| found == value)
}

/// All services of the project's region.
pub async fn list(services: &Services, project: &str, region: &str) -> Result<Vec<Service>, Failed> {
    run::list(&services.google, &Location { project, region })
        .await
        .map_err(|e| {
            Failed::google(
                &format!("list the Cloud Run services of {project} in {region}"),
                &e,
            )
        })
}

/// Deletes one preview, with the images that only it needs, and says so in a report of its own.
pub async fn delete(
    services: &Services,
    location: Location<'_>,
    images: &Images<'_>,
    preview: &Preview<'_>,
) -> Recorder {
    let Location { project, region } = location;
    let service = preview.service;
    let id = service
        .name
        .as_deref()
        .map(short_name)
        .unwrap_or_default()
        .to_owned();
    let model = served_model(service).unwrap_or_default();
    let mut recorder = Recorder::new(
        &id,
        &model,
        !service.invoker_iam_disabled,
        Arc::clone(&services.progress),
    )
    .hiding(services.environment.masks());
    recorder.facts = super::facts::place(services, project, region, &id);
    let mut warnings = Vec::new();
    let deleted = recorder
        .stage("cleanup", async {
            let mut said = vec![why(&preview.reason)];
            if let Reason::Closed { merged } = preview.reason {
                let cleaned = images.delete(service, preview.number, merged).await;
                said.extend(cleaned.said);
                warnings = cleaned.warnings;
            }
            run::delete(&services.google, &location, &id, DEADLINE)
                .await
                .map_err(|e| {
                    Failed::google(&format!("delete the preview {id}"), &e).fix(by_hand(&id, project, region))
                })?;
            Ok(((), said.join("; ")))
        })
        .await;
    for warning in warnings {
        recorder.warn(warning);
    }
    if deleted.is_some() {
        recorder.report.status = Status::Deleted;
    }
    recorder
}

fn why(reason: &Reason) -> String {
    match reason {
        Reason::Closed { merged: true } => "deleted, its pull request was merged".to_owned(),
        Reason::Closed { merged: false } => "deleted, its pull request is closed".to_owned(),
        Reason::Unlabelled => {
            "deleted, its pull request lacks the label for a preview; its images stay for when it has it again".to_owned()
        }
        Reason::Expired(when) => format!(
            "deleted, it expired at {}; its images stay for the next push",
            when.format("%Y-%m-%d %H:%M UTC")
        ),
        Reason::Swapped => "deleted, no model of the configuration is for it any more".to_owned(),
        Reason::Asked => "deleted as asked for; its images stay for the next push".to_owned(),
    }
}

fn by_hand(service: &str, project: &str, region: &str) -> String {
    format!(
        "Delete it by hand so that no GPU keeps running: `gcloud run services delete {service} --project {project} --region {region}`"
    )
}

/// The model that a service of ours was started with.
fn served_model(service: &Service) -> Option<String> {
    let args = &service.template.as_ref()?.containers.first()?.args;
    args.iter()
        .find_map(|arg| arg.strip_prefix("--served-model-name="))
        .map(str::to_owned)
}

/// Listing failed: the report still has to say so for the whole run.
pub fn could_not_list(services: &Services, failed: Failed) -> Recorder {
    let mut recorder = Recorder::new("previews", "", true, Arc::clone(&services.progress));
    recorder.fail("cleanup", failed);
    recorder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(labels: &[(&str, &str)]) -> Service {
        Service {
            labels: labels
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            ..Service::default()
        }
    }

    fn owner(name: &str) -> Owner<'_> {
        Owner { name, id: None }
    }

    const OURS: [(&str, &str); 4] = [
        (label::MANAGED_BY, label::TOOL),
        (label::REPOSITORY, "octo_app"),
        (label::KIND, "preview"),
        (label::PULL_REQUEST, "12"),
    ];

    #[test]
    fn only_services_with_all_of_our_labels_are_previews() {
        let ours = service(&OURS);
        assert_eq!(previews(std::slice::from_ref(&ours), owner("octo/app")).len(), 1);
        for missing in 0..OURS.len() {
            let mut labels = OURS.to_vec();
            labels.remove(missing);
            assert!(
                previews(&[service(&labels)], owner("octo/app")).is_empty(),
                "{labels:?}"
            );
        }
        assert!(previews(&[ours], owner("octo/other")).is_empty());
    }

    #[test]
    fn only_an_earlier_preview_of_the_same_configuration_is_swapped_out() {
        let named = |name: &str, number: &str, source: &str, run: &str| {
            let mut labels = OURS.to_vec();
            labels.retain(|(key, _)| *key != label::PULL_REQUEST);
            labels.extend([
                (label::PULL_REQUEST, number),
                (label::SOURCE, source),
                (label::RUN, run),
            ]);
            Service {
                name: Some(format!("projects/p/locations/r/services/{name}")),
                ..service(&labels)
            }
        };
        let all = [
            named("old", "12", "here", "41-0"),
            named("kept", "12", "here", "41-0"),
            named("of-another-workflow", "12", "there", "41-0"),
            named("of-another-pull-request", "13", "here", "41-0"),
            named("of-a-later-run", "12", "here", "43-0"),
            named("of-unknown-age", "12", "here", "soon"),
        ];
        let run = "42-0".parse().unwrap();
        let found = swapped(&all, owner("octo/app"), 12, "here", run, &["kept"]);
        let names: Vec<_> = found
            .iter()
            .filter_map(|s| s.name.as_deref().map(short_name))
            .collect();
        assert_eq!(names, ["old"]);
    }

    #[test]
    fn a_preview_expires_only_at_a_time_that_its_label_gives() {
        let with = |value| expiry(&service(&[(label::EXPIRES, value)])).map(|when| when.timestamp());
        assert_eq!(with("1000"), Some(1000));
        assert_eq!(with("soon"), None);
        assert_eq!(expiry(&service(&OURS)), None);
    }
}
