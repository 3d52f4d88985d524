//! The build that this run has started: it ends with the run, when the run is cancelled or a newer one takes over.
//!
//! A build that another run started is never cancelled: that run may still follow it, and if it was killed, the next
//! one takes the build up.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::task::TaskTracker;

use super::Services;
use crate::google::{
    Client, Error,
    cloud_build::{self, Build},
};

/// A cancelled workflow leaves seconds for everything.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Knows the one build that may be running for a model at this run's request.
pub struct OwnBuild {
    /// Tag of this run's builds alone.
    pub mark: String,
    /// A request under way goes on when the stage that waits for it is dropped, so that no build is lost sight of.
    requests: TaskTracker,
    started: Arc<Mutex<Option<Place>>>,
    /// Page with the log of the build that is followed, this run's or another's.
    log_url: Mutex<Option<String>>,
}

#[derive(Clone)]
struct Place {
    project: String,
    location: String,
    id: String,
}

impl Default for OwnBuild {
    fn default() -> Self {
        Self {
            mark: format!("run.{}", uuid::Uuid::new_v4().simple()),
            requests: TaskTracker::new(),
            started: Arc::default(),
            log_url: Mutex::default(),
        }
    }
}

impl OwnBuild {
    pub async fn start(
        &self,
        google: &Client,
        project: &str,
        location: &str,
        body: Build,
    ) -> Result<Build, Error> {
        let (google, started) = (google.clone(), Arc::clone(&self.started));
        let (project, location) = (project.to_owned(), location.to_owned());
        let request = self.requests.spawn(async move {
            let build = cloud_build::create(&google, &project, &location, &body).await?;
            *started.lock().unwrap_or_else(PoisonError::into_inner) = Some(Place {
                project,
                location,
                id: build.id.clone(),
            });
            Ok(build)
        });
        request
            .await
            .unwrap_or_else(|lost| Err(Error::Setup(lost.to_string())))
    }

    /// Whether this is the build that this run has started.
    pub fn is(&self, id: &str) -> bool {
        self.started().as_ref().is_some_and(|place| place.id == id)
    }

    /// Where the log of the build is to be read.
    pub fn followed(&self, log_url: &str) {
        *self.log_url.lock().unwrap_or_else(PoisonError::into_inner) = Some(log_url.to_owned());
    }

    pub fn log_url(&self) -> Option<String> {
        self.log_url
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// It has ended.
    pub fn forget(&self) {
        *self.started() = None;
    }

    /// Cancels it, if there is one; its id. Takes three seconds at most.
    pub async fn cancel(&self, google: &Client) -> Result<Option<String>, String> {
        let work = async {
            self.requests.close();
            self.requests.wait().await;
            let Some(place) = self.started().clone() else {
                return Ok(None);
            };
            cloud_build::cancel(google, &place.project, &place.location, &place.id)
                .await
                .map_err(|e| e.to_string())?;
            self.forget();
            Ok(Some(place.id))
        };
        tokio::time::timeout(LAST_WORDS, work)
            .await
            .unwrap_or_else(|_| Err("Cloud Build did not answer in time".to_owned()))
    }

    /// Cancels it, if there is one, and says so under `service`.
    pub async fn cancel_and_tell(&self, services: &Services, service: &str) {
        match self.cancel(&services.google).await {
            Ok(Some(id)) => services
                .progress
                .note(service, &format!("build {id} is cancelled")),
            Ok(None) => {}
            Err(why) => services
                .progress
                .warn(service, &format!("the build may still be running: {why}")),
        }
    }

    fn started(&self) -> MutexGuard<'_, Option<Place>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::google::testing::{Server, answer};

    #[tokio::test]
    async fn a_build_whose_cancellation_was_refused_is_still_this_run_s_own() {
        let refused = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "No."}});
        let server = Server::script(vec![
            answer(200, json!({"metadata": {"build": {"id": "b"}}})),
            answer(403, refused),
            answer(200, json!({"id": "b"})),
        ])
        .await;
        let (google, own) = (server.client(), OwnBuild::default());
        own.start(&google, "p", "r", Build::default()).await.unwrap();
        assert!(own.cancel(&google).await.is_err());
        assert!(own.is("b"));
        assert_eq!(own.cancel(&google).await, Ok(Some("b".to_owned())));
        assert_eq!(own.cancel(&google).await, Ok(None));
    }
}
