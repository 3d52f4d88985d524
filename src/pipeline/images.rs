//! Deletes the images of a closed pull request's preview that nothing else needs.
//!
//! That is thrift and no more: whatever goes wrong here is a warning, the preview goes all the same, and the
//! repository's cleanup policy deletes what was left.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{Services, facts, failed::Failed};
use crate::{
    config::Build,
    google::{
        Error,
        artifact_registry::Repository,
        cloud_build, image_versions,
        run::{
            self, Location,
            types::{Revision, Service, short_name},
        },
    },
    image::adoption_tag,
    plan::{
        images::{self, Image, Kept},
        preview_name,
    },
};

/// Longest that a preview's end is put off for its images.
const LIMIT: Duration = Duration::from_secs(120);

/// What the images of a run's deletions are held against.
pub struct Images<'a> {
    services: &'a Services,
    build: &'a Build,
    repository: Repository<'a>,
    /// `owner/name`.
    owner: &'a str,
    /// Every revision of the region; `None` when they could not be seen.
    revisions: Option<Vec<Revision>>,
    /// Services whose images go with them.
    going: BTreeSet<String>,
    /// So that a permission that is missing is told once.
    told: AtomicBool,
}

/// What became of a preview's images.
#[derive(Debug, Default)]
pub struct Cleaned {
    /// One part of a sentence each: `image 0123456789ab deleted`.
    pub said: Vec<String>,
    pub warnings: Vec<String>,
}

impl<'a> Images<'a> {
    /// Looks at what runs in the region; `going` are the services whose images go with them. Nothing is asked when
    /// there are none.
    pub async fn look(
        services: &'a Services,
        build: &'a Build,
        location: Location<'a>,
        owner: &'a str,
        going: BTreeSet<String>,
    ) -> Self {
        let mut looked = Self {
            services,
            build,
            repository: Repository {
                project: location.project,
                location: location.region,
                repository: &build.repository,
            },
            owner,
            revisions: Some(Vec::new()),
            going,
            told: AtomicBool::new(false),
        };
        if !looked.going.is_empty() {
            match run::revisions(&services.google, &location, None).await {
                Ok(found) => looked.revisions = Some(found),
                Err(error) => {
                    looked.revisions = None;
                    let what = "see which images are in use, so they stay";
                    services.progress.warn("images", &looked.warning(what, &error));
                }
            }
        }
        looked
    }

    /// Deletes the images that only this preview's revisions have.
    ///
    /// Before the service itself: whoever is killed in between finds the service again, and with it the images. Cloud
    /// Run keeps a copy of its own of what a revision runs.
    pub async fn delete(&self, preview: &Service, pull_request: u64, merged: bool) -> Cleaned {
        let mut cleaned = Cleaned::default();
        let limit = self.services.environment.tempo.of(LIMIT);
        let work = self.each(preview, pull_request, merged, &mut cleaned);
        if tokio::time::timeout(limit, work).await.is_err() {
            let late = "its images were not all deleted in time; the rest stays until the repository's cleanup policy deletes it";
            cleaned.warnings.push(late.to_owned());
        }
        cleaned
    }

    async fn each(&self, preview: &Service, pull_request: u64, merged: bool, cleaned: &mut Cleaned) {
        let Some(all) = &self.revisions else {
            cleaned
                .said
                .push(format!("its images are kept: {}", Kept::Unseen));
            return;
        };
        let service = preview.name.as_deref().map(short_name).unwrap_or_default();
        let (mut own, mut staying) = (Vec::new(), Vec::new());
        for revision in all {
            match images::service_of(revision) {
                of if of == service => own.push(revision.clone()),
                of if !self.going.contains(of) => staying.push(revision.clone()),
                _ => {}
            }
        }
        // What a merge brings to production: the pull request's last state, which is what the preview was last given.
        let newest = preview.template.as_ref().and_then(|t| t.containers.first());
        let newest = newest.filter(|_| merged).map(|c| c.image.as_str());
        let prefix = self.repository.path_of_images();
        for reference in images::references(&own) {
            let named =
                |image: &Image| preview_name::is_of(service, &image.package, self.owner, pull_request);
            let Some(image) = Image::parse(reference, &prefix).filter(named) else {
                continue;
            };
            let kept = if newest == Some(reference) {
                Some(Kept::Merged)
            } else if let Some(user) = images::user(&image.digest, &staying) {
                Some(Kept::Runs(user.to_owned()))
            } else {
                self.unless_needed(&image, cleaned).await
            };
            let name = image.short();
            cleaned.said.push(match kept {
                None => format!("image {name} deleted"),
                Some(why) => format!("image {name} kept: {why}"),
            });
        }
    }

    /// Deletes an image that no service has, unless somebody pinned it or is about to push it.
    async fn unless_needed(&self, image: &Image, cleaned: &mut Cleaned) -> Option<Kept> {
        let done = self.try_delete(image).await;
        done.unwrap_or_else(|error| {
            let kept = if error.is_permission_denied() {
                Kept::Forbidden
            } else {
                Kept::Unseen
            };
            if !self.told.swap(true, Ordering::Relaxed) {
                let what = format!(
                    "delete the image {} of a closed pull request, so it stays until the repository's cleanup policy deletes it",
                    image.short()
                );
                cleaned.warnings.push(self.warning(&what, &error));
            }
            Some(kept)
        })
    }

    async fn try_delete(&self, image: &Image) -> Result<Option<Kept>, Error> {
        let google = &self.services.google;
        let (repository, package) = (&self.repository, image.package.as_str());
        let tags = image_versions::tags(google, repository, package, &image.digest).await?;
        let Some(tags) = tags else {
            // It is gone already.
            return Ok(None);
        };
        if let Some(tag) = images::pin(&tags) {
            return Ok(Some(Kept::Pinned(tag.to_owned())));
        }
        for key in &tags {
            let tag = adoption_tag(package, key);
            let running = cloud_build::find_active(google, repository.project, &self.build.location, &tag);
            if let Some(build) = running.await? {
                return Ok(Some(Kept::Building(build.id)));
            }
        }
        image_versions::delete(google, repository, package, &image.digest).await?;
        Ok(None)
    }

    /// The error, with the role and the command where a permission is missing.
    fn warning(&self, what: &str, error: &Error) -> String {
        let place = facts::place(
            self.services,
            self.repository.project,
            self.repository.location,
            "",
        );
        let known = Failed::google(what, error).explained(&place.or(&facts::build(self.build)));
        let fix = known
            .failure
            .fix
            .map_or_else(String::new, |fix| format!(". {fix}"));
        format!("could not {what}: {error}{fix}")
    }
}
