//! The end of previews: of a closed pull request's, of expired ones, and of those that nobody will close any more.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{
    cleanup::{self, Preview, Reason},
    failed::Blame,
    github_pages as pages,
    images::Images,
    jobs::Job,
    places::{Place, places},
    recorder::Recorder,
};
use crate::{
    event::PullRequest,
    google::run::{
        Location,
        types::{Service, short_name},
    },
    report::Status,
};

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
    pub async fn closed(&self, number: u64) -> Vec<Recorder> {
        let state = pages::pull_request(self.services, self.github, number).await;
        let closed = state.filter(|state| !state.open);
        let reason = closed.map_or(Reason::Asked, |state| Reason::Closed { merged: state.merged });
        self.end(number, reason).await
    }

    /// Deletes every preview of a pull request that lacks the label that previews need.
    pub async fn unlabelled(&self, number: u64) -> Vec<Recorder> {
        self.end(number, Reason::Unlabelled).await
    }

    /// Found by their labels, in every place where one was deployed: models may have left the configuration since, and
    /// the configuration may name another project or region.
    async fn end(&self, number: u64, reason: Reason) -> Vec<Recorder> {
        let (found, mut recorders) = match self.live_everywhere(Some(number)).await {
            Ok(found) => found,
            Err(recorder) => return vec![recorder],
        };
        for found in &found {
            let theirs = cleanup::previews(&found.services, self.context.into())
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

    /// Deletes previews that outlived their time, and those whose pull request is closed.
    pub async fn sweep(&self) -> Vec<Recorder> {
        match self.live_everywhere(None).await {
            Ok((found, mut recorders)) => {
                recorders.extend(self.sweep_among(&found).await);
                recorders
            }
            Err(recorder) => vec![recorder],
        }
    }

    pub(super) async fn sweep_among(&self, found: &[Found]) -> Vec<Recorder> {
        let previews = |found: &'_ Found| -> Vec<u64> {
            let previews = cleanup::previews(&found.services, self.context.into());
            previews.iter().map(|(_, number)| *number).collect()
        };
        let numbers: BTreeSet<u64> = found.iter().flat_map(previews).collect();
        let states = numbers.iter().map(|number| async {
            let state = pages::pull_request(self.services, self.github, *number).await;
            (*number, state)
        });
        let states: BTreeMap<_, _> = join_all(states).await.into_iter().collect();
        let (mut numbers, mut recorders) = (BTreeSet::new(), Vec::new());
        for found in found {
            let gone: Vec<Preview<'_>> = cleanup::previews(&found.services, self.context.into())
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
        let Ok((found, _)) = self.live_everywhere(Some(number)).await else {
            return Vec::new();
        };
        let deployed: Vec<&str> = deployed.iter().map(|r| r.report.service.as_str()).collect();
        let mut recorders = Vec::new();
        for (index, found) in found.iter().enumerate() {
            // The first place is where this run deployed.
            let kept = if index == 0 { &deployed[..] } else { &[] };
            let gone = cleanup::swapped(&found.services, self.context.into(), number, source, run, kept);
            let gone = gone.into_iter().map(|service| Preview {
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

    /// All services of every place where previews of the pull request, or of all, may be; the configuration's own comes
    /// first. Beside them what went wrong elsewhere. A place that the account may not look at is told, and no failure:
    /// anyone with write access could have recorded it.
    ///
    /// # Errors
    /// When the configuration's own place can't be listed.
    pub(super) async fn live_everywhere(
        &self,
        number: Option<u64>,
    ) -> Result<(Vec<Found>, Vec<Recorder>), Recorder> {
        let (services, github) = (self.services, self.github);
        let places = places(services, github, self.config, number, self.now).await;
        let listed = places
            .iter()
            .map(|place| cleanup::list(services, &place.project, &place.region));
        let listed = join_all(listed).await;
        let (mut all, mut recorders) = (Vec::new(), Vec::new());
        for (index, (place, listed)) in places.into_iter().zip(listed).enumerate() {
            match listed {
                Ok(services) => all.push(Found { place, services }),
                Err(failed) if index == 0 => return Err(cleanup::could_not_list(services, failed)),
                Err(failed) if failed.blame == Blame::Service => {
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
        Ok((all, recorders))
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
