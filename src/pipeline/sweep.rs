//! The end of previews: of a closed pull request's, of expired ones, and of those that nobody will close any more.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, future::join_all};

use super::{
    cleanup::{self, Preview, Reason},
    failed::Blame,
    github_pages as pages,
    images::Images,
    jobs::{Job, Recorded},
    places::{self, Place, places},
    recorder::Recorder,
    survey,
};
use crate::{
    event::PullRequest,
    google::run::{
        Location,
        types::{Service, short_name},
    },
    plan::target::{Target, label},
    report::Status,
};

/// The model of a configuration that is only good for deleting: it names no service.
pub const ANY_MODEL: &str = "any/model";
/// Places that are listed at a time.
const AT_ONCE: usize = 8;

/// The services of one place.
pub struct Found {
    pub place: Place,
    pub services: Vec<Service>,
}

impl Job<'_> {
    /// Deletes every preview of a pull request that the event says was closed.
    pub async fn ended(&self, pull_request: &PullRequest) -> Vec<Recorder> {
        let merged = pull_request.merged;
        self.end(pull_request.number, Reason::Closed { merged }).await
    }

    /// Deletes every preview of a pull request, whatever GitHub says of it; with their images when it is closed.
    pub async fn closed(&self, number: u64) -> Recorded {
        let (state, absent) = pages::pull_request_named(self.services, self.github, number).await;
        let closed = state.filter(|state| !state.open);
        let reason = closed.map_or(Reason::Asked, |state| Reason::Closed { merged: state.merged });
        (self.end(number, reason).await, absent.into_iter().collect())
    }

    /// Deletes every preview of a pull request that lacks the label that previews need.
    pub async fn unlabelled(&self, number: u64) -> Vec<Recorder> {
        self.end(number, Reason::Unlabelled).await
    }

    /// Found by their labels, in every place where one was deployed: models may have left the configuration since, and
    /// the configuration may name another project or region.
    async fn end(&self, number: u64, reason: Reason) -> Vec<Recorder> {
        let (mut found, mut recorders) = self.live_everywhere(Some(number)).await;
        recorders.extend(self.add_planned(number, &mut found).await);
        for found in &found {
            let theirs = self
                .previews(found)
                .into_iter()
                .filter(|(_, n)| *n == number)
                .map(|(service, number)| Preview {
                    service,
                    number,
                    reason: reason.clone(),
                });
            recorders.extend(self.delete(&found.place, theirs.collect()).await);
        }
        pages::deactivate(self.services, self.github, &[number]).await;
        recorders
    }

    /// Looks at the services that the configuration names for the pull request, one by one: a list that lacks them, or
    /// shows them with other labels, alone proves nothing. What could not be looked at is returned.
    async fn add_planned(&self, number: u64, found: &mut Vec<Found>) -> Vec<Recorder> {
        let own = Place {
            project: self.config.project.clone(),
            region: self.config.region.clone(),
        };
        // A place that could not be listed has none yet.
        if !found.iter().any(|found| found.place == own) {
            found.push(Found {
                place: own.clone(),
                services: Vec::new(),
            });
        }
        let Some(own) = found.iter_mut().find(|found| found.place == own) else {
            return Vec::new();
        };
        let mut unseen = Vec::new();
        let named = self.config.models.iter().filter(|model| model.id != ANY_MODEL);
        for model in named {
            let (repository, commit) = (&self.context.repository, &self.context.sha);
            let mut target = Target::preview(self.config, model, repository, commit, number, self.now);
            target.repository_id = self.context.repository_id;
            match survey::find(self.services, target).await {
                Ok((_, Some(service))) => {
                    own.services.retain(|one| one.name != service.name);
                    own.services.push(service);
                }
                Ok((_, None)) => {}
                Err(failed) => unseen.push(cleanup::could_not_list(self.services, failed)),
            }
        }
        unseen
    }

    /// Deletes previews that outlived their time, and those whose pull request is closed.
    pub async fn sweep(&self) -> Vec<Recorder> {
        let (found, mut recorders) = self.live_everywhere(None).await;
        recorders.extend(self.sweep_among(&found).await);
        recorders
    }

    pub(super) async fn sweep_among(&self, found: &[Found]) -> Vec<Recorder> {
        let previews = |found: &'_ Found| -> Vec<u64> {
            self.previews(found).iter().map(|(_, number)| *number).collect()
        };
        let numbers: BTreeSet<u64> = found.iter().flat_map(previews).collect();
        let states = numbers.iter().map(|number| async {
            let state = pages::pull_request(self.services, self.github, *number).await;
            (*number, state)
        });
        let states: BTreeMap<_, _> = join_all(states).await.into_iter().collect();
        let (mut numbers, mut recorders) = (BTreeSet::new(), Vec::new());
        for found in found {
            let gone: Vec<Preview<'_>> = self
                .previews(found)
                .into_iter()
                .filter_map(|(service, number)| {
                    // A pull request that can't be seen may be open: only its preview's own time counts then.
                    let state = states.get(&number).and_then(Option::as_ref);
                    let reason = match state.filter(|state| !state.open) {
                        Some(state) => Reason::Closed { merged: state.merged },
                        None => Reason::Expired(cleanup::expiry(service).filter(|when| *when <= self.now)?),
                    };
                    Some(Preview {
                        service,
                        number,
                        reason,
                    })
                })
                .collect();
            numbers.extend(gone.iter().map(|preview| preview.number));
            recorders.extend(self.delete(&found.place, gone).await);
        }
        let numbers: Vec<u64> = numbers.into_iter().collect();
        pages::deactivate(self.services, self.github, &numbers).await;
        recorders
    }

    /// Deletes this pull request's previews of models that left the configuration, once what took their place is there;
    /// says what became of them. A run that a person started again never does: its configuration may be an old one.
    pub(super) async fn sweep_swapped(&self, number: u64, deployed: &[Recorder]) -> Vec<String> {
        let all_done = deployed.iter().all(|r| r.report.status == Status::Succeeded);
        let run = self.context.run.filter(|run| !run.is_repeated());
        let (Some(source), Some(run), true) = (&self.source, run, all_done) else {
            return Vec::new();
        };
        // What can't be listed now goes when the pull request is closed.
        let (found, _) = self.live_everywhere(Some(number)).await;
        let deployed: Vec<&str> = deployed.iter().map(|r| r.report.service.as_str()).collect();
        let mut recorders = Vec::new();
        for found in &found {
            // Elsewhere nothing was deployed by this run.
            let kept = if self.is_own(&found.place) {
                &deployed[..]
            } else {
                &[]
            };
            let gone = cleanup::swapped(&found.services, self.context.into(), number, source, run, kept);
            let gone = gone
                .into_iter()
                .filter(|one| self.is_surely_ours(&found.place, one));
            let gone = gone.map(|service| Preview {
                service,
                number,
                reason: Reason::Swapped,
            });
            recorders.extend(self.delete(&found.place, gone.collect()).await);
        }
        let said = recorders.iter().map(|recorder| {
            let (service, model) = (&recorder.report.service, &recorder.report.model);
            match &recorder.report.failure {
                None => format!("The preview `{service}` of {model} was deleted: no model of the configuration is for it any more."),
                Some(failure) => format!(
                    "The preview `{service}` of {model}, for which the configuration has no model any more, was not deleted: {}",
                    failure.cause
                ),
            }
        });
        said.collect()
    }

    /// This repository's previews in a place. Elsewhere than where the configuration says, only those that have the
    /// repository's number in a label: the place may be a forged record's.
    fn previews<'f>(&self, found: &'f Found) -> Vec<(&'f Service, u64)> {
        let mut all = cleanup::previews(&found.services, self.context.into());
        all.retain(|(service, _)| self.is_surely_ours(&found.place, service));
        all
    }

    fn is_surely_ours(&self, place: &Place, service: &Service) -> bool {
        let has_number = service.labels.contains_key(label::REPOSITORY_ID);
        has_number || self.is_own(place) || self.context.repository_id.is_none()
    }

    pub(super) fn is_own(&self, place: &Place) -> bool {
        (&place.project, &place.region) == (&self.config.project, &self.config.region)
    }

    /// All services of every place where previews of the pull request, or of all, may be; beside them what could not be
    /// listed. A recorded place that the account may not look at is a warning and no failure: anyone with write access
    /// could have recorded it.
    pub(super) async fn live_everywhere(&self, number: Option<u64>) -> (Vec<Found>, Vec<Recorder>) {
        let (services, github) = (self.services, self.github);
        let places = places(services, github, self.config, number, self.now).await;
        let mut recorders = Vec::new();
        if places.dropped {
            recorders.push(cleanup::could_not_list(services, places::too_many()));
        }
        let listed = places.all.into_iter().map(|place| async {
            let listed = cleanup::list(services, &place.project, &place.region).await;
            (place, listed)
        });
        let mut listed = futures::stream::iter(listed).buffered(AT_ONCE);
        let mut all = Vec::new();
        while let Some((place, listed)) = listed.next().await {
            match listed {
                Ok(services) => all.push(Found { place, services }),
                Err(failed) if failed.blame == Blame::Service || self.is_own(&place) => {
                    recorders.push(cleanup::could_not_list(services, failed));
                }
                Err(failed) => {
                    let Place { project, region } = place;
                    let said = format!(
                        "a preview may have been deployed to {project} in {region}, which could not be looked at: {}",
                        failed.failure.cause
                    );
                    services.progress.warn("cleanup", &said);
                }
            }
        }
        (all, recorders)
    }

    pub(super) async fn delete(&self, place: &Place, gone: Vec<Preview<'_>>) -> Vec<Recorder> {
        let location = Location {
            project: &place.project,
            region: &place.region,
        };
        let with_images = gone.iter().filter(|preview| preview.reason.takes_images());
        let going = with_images
            .filter_map(|preview| preview.service.name.as_deref().map(short_name))
            .map(str::to_owned)
            .collect();
        let (services, build) = (self.services, &self.config.build);
        let images = Images::look(services, build, location, &self.context.repository, going).await;
        let deletions = gone
            .iter()
            .map(|preview| cleanup::delete(services, location, &images, preview));
        join_all(deletions).await
    }
}
