//! The worker of a build: fetches the source, carries the steps out, pushes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    context::{self, Files},
    image::{self, Image},
    log::BuildLog,
    methods::{is_final, now, runs_as},
    step, substitutions,
};
use crate::{
    PROJECT_NUMBER, Shared, access::Resource, docker_registry, run::quantity, storage, tokens::Principal,
};

/// Seconds that the phases pretend to take at a pace of 1.
const QUEUE: f64 = 0.4;
const FETCH: f64 = 0.3;
const PUSH: f64 = 0.8;
/// Bytes a second at which images are compressed and pushed: several layers at a time from a large worker.
const PUSH_RATE: f64 = 150e6;

/// How a build that doesn't succeed ends.
pub struct Failure {
    pub status: &'static str,
    /// `failureInfo.type`.
    pub kind: Option<&'static str>,
    pub detail: String,
}

/// A build under way.
pub struct Job {
    pub emulator: Shared,
    pub id: String,
    /// With substitutions carried out.
    pub build: Value,
    /// What the build runs as.
    account: Principal,
    pub log: BuildLog,
    pub files: Files,
    /// Images in the worker's daemon, by name.
    pub images: BTreeMap<String, Image>,
    /// Seconds that the build would have taken; held against its timeouts.
    pub clock: f64,
}

/// Carries a build out, and writes how it ended.
pub async fn run(emulator: Shared, id: String, stop: CancellationToken) {
    let Some(build) = emulator.builds.with(&id, |r| r.build.clone()) else {
        return;
    };
    let build = substitutions::apply(&build);
    let account = Principal::ServiceAccount(runs_as(&emulator, &build));
    let mut job = Job {
        log: BuildLog::of(&emulator, &build, &account),
        account,
        emulator,
        id,
        build,
        files: Files::new(),
        images: BTreeMap::new(),
        clock: 0.0,
    };
    let outcome = tokio::select! {
        outcome = job.work() => outcome,
        () = stop.cancelled() => Err(Failure {
            status: "CANCELLED",
            kind: None,
            detail: "Build was cancelled.".to_owned(),
        }),
    };
    job.conclude(outcome);
}

impl Job {
    /// Sleeps for a pretended delay.
    pub async fn pretend(&self, seconds: f64) {
        let factor = self.emulator.settings.pace.max(0.0);
        if factor > 0.0 {
            tokio::time::sleep(std::time::Duration::from_secs_f64(seconds * factor)).await;
        }
    }

    /// Changes the stored build, unless it is over.
    pub fn update(&self, act: impl FnOnce(&mut Value)) {
        self.emulator.builds.with(&self.id, |r| {
            if !is_final(&r.build) {
                act(&mut r.build);
            }
        });
    }

    async fn work(&mut self) -> Result<(), Failure> {
        self.pretend(QUEUE).await;
        self.update(|b| {
            b["status"] = json!("WORKING");
            b["startTime"] = json!(now());
        });
        if let Some(bucket) = self.log.bucket_is_missing() {
            return Err(Failure {
                status: "FAILURE",
                kind: Some("LOGGING_FAILURE"),
                detail: format!("could not write logs: bucket \"{bucket}\" does not exist"),
            });
        }
        if let Some(refused) = self
            .log
            .bucket()
            .and_then(|b| self.denied("storage.objects.create", b))
        {
            return Err(Failure {
                status: "FAILURE",
                kind: Some("LOGGING_FAILURE"),
                detail: format!(
                    "Failure setting up GCS logging: failed to create GCS logging client: error creating logfile: \
                     googleapi: Error 403: {refused}, forbidden"
                ),
            });
        }
        self.log.line(&format!("starting build \"{}\"\n", self.id));
        let started = now();
        self.fetch().await?;
        self.timing("FETCHSOURCE", &started);
        self.log.line("BUILD");
        let secrets = self.secrets()?;
        let started = now();
        step::all(self, &secrets).await?;
        self.timing("BUILD", &started);
        let started = now();
        self.push().await?;
        self.timing("PUSH", &started);
        Ok(())
    }

    /// Whether the build's account may do something.
    fn may(&self, permission: &str, on: &Resource) -> bool {
        self.emulator.may(&self.account, permission, on)
    }

    /// Cloud Storage's words when the build's account may not do something in a bucket.
    fn denied(&self, permission: &str, bucket: &str) -> Option<String> {
        let allowed = self.may(permission, &Resource::Bucket(bucket.to_owned()));
        (!allowed).then(|| storage::denial(self.account.name(), permission))
    }

    fn timing(&self, phase: &str, started: &str) {
        self.update(|b| {
            if b.get("timing").is_none() {
                b["timing"] = json!({});
            }
            b["timing"][phase] = json!({"startTime": started, "endTime": now()});
        });
    }

    async fn fetch(&mut self) -> Result<(), Failure> {
        let Some(storage) = self.build.pointer("/source/storageSource").cloned() else {
            return Ok(());
        };
        let text = |key: &str| storage[key].as_str().unwrap_or_default().to_owned();
        let (bucket, object, generation) = (text("bucket"), text("object"), text("generation"));
        self.log.line("FETCHSOURCE");
        let place = format!("gs://{bucket}/{object}");
        self.log
            .line(&format!("Fetching storage object: {place}#{generation}"));
        self.pretend(FETCH).await;
        let failed = |detail: String| Failure {
            status: "FAILURE",
            kind: Some("FETCH_SOURCE_FAILED"),
            detail,
        };
        // The copying client lists the object before it reads it.
        let needed = ["storage.objects.list", "storage.objects.get"];
        if let Some(refused) = needed.iter().find_map(|p| self.denied(p, &bucket)) {
            self.log.line(&format!("AccessDeniedException: 403 {refused}"));
            return Err(failed(format!("error fetching storage source: {refused}")));
        }
        let live = self.emulator.storage.generation(&bucket, &object);
        let asked = generation.is_empty() || live.is_some_and(|live| live.to_string() == generation);
        let archive = self.emulator.storage.get(&bucket, &object);
        let Some(archive) = archive.filter(|_| asked) else {
            self.log
                .line("ERROR: (gcloud.storage.cp) The following URLs matched no objects or files:");
            self.log.line(&place);
            return Err(failed(format!(
                "error fetching storage source: {place} does not exist"
            )));
        };
        self.files =
            context::unpack(&archive).map_err(|e| failed(format!("error fetching storage source: {e}")))?;
        self.log.line(&format!(
            "Operation completed over 1 objects/{} B.",
            archive.len()
        ));
        let resolved = storage.clone();
        self.update(|b| b["sourceProvenance"] = json!({"resolvedStorageSource": resolved}));
        self.clock += 10.0;
        Ok(())
    }

    /// Values of the declared secrets, by their environment variable.
    fn secrets(&self) -> Result<BTreeMap<String, String>, Failure> {
        let declared = self
            .build
            .pointer("/availableSecrets/secretManager")
            .and_then(Value::as_array);
        let mut values = BTreeMap::new();
        for secret in declared.into_iter().flatten() {
            let name = secret["versionName"].as_str().unwrap_or_default();
            let project = name.split('/').nth(1).unwrap_or_default();
            let ours = project == self.emulator.settings.project || project == PROJECT_NUMBER;
            let mut parts = name.split('/').skip(3).step_by(2);
            let (short, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or("latest"));
            let env = secret["env"].as_str().unwrap_or_default().to_owned();
            let on = Resource::Secret(short.to_owned());
            if !ours || !self.may("secretmanager.versions.access", &on) {
                let reason = format!(
                    "PermissionDenied desc = Permission 'secretmanager.versions.access' denied for resource '{name}' \
                     (or it may not exist)."
                );
                return Err(self.no_secret(&env, name, &reason));
            }
            let Some(value) = self.emulator.secrets.value(short, version) else {
                let reason = format!("NotFound desc = Secret [{short}] not found or has no versions.");
                return Err(self.no_secret(&env, name, &reason));
            };
            values.insert(env, String::from_utf8_lossy(&value).into_owned());
        }
        Ok(values)
    }

    /// The step that uses a secret fails for it, before its container starts.
    fn no_secret(&self, env: &str, name: &str, reason: &str) -> Failure {
        let steps = self.build["steps"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let uses = |s: &Value| {
            s["secretEnv"]
                .as_array()
                .is_some_and(|l| l.iter().any(|v| v == env))
        };
        let step = steps.iter().position(uses).unwrap_or(0);
        let image = steps
            .get(step)
            .and_then(|s| s["name"].as_str())
            .unwrap_or_default();
        Failure {
            status: "FAILURE",
            kind: None,
            detail: format!(
                "build step {step} \"{image}\" failed: failed to access secret version for secret {name}: rpc error: \
                 code = {reason}"
            ),
        }
    }

    /// Fails a build that would have run out of its time.
    pub fn in_time(&self) -> Result<(), Failure> {
        let timeout = self.build["timeout"].as_str().and_then(quantity::duration);
        match timeout {
            Some(timeout) if self.clock > timeout.as_secs_f64() => Err(Failure {
                status: "TIMEOUT",
                kind: None,
                detail: format!("build timed out after {}s", timeout.as_secs()),
            }),
            _ => Ok(()),
        }
    }

    async fn push(&mut self) -> Result<(), Failure> {
        let names = self.build["images"].as_array().cloned().unwrap_or_default();
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        self.log.line("PUSH");
        let mut pushed = Vec::new();
        for name in names {
            self.log.line(&format!("Pushing {name}"));
            let started = now();
            let image = self.images.get(name).cloned().ok_or_else(|| Failure {
                status: "FAILURE",
                kind: Some("PUSH_IMAGE_NOT_FOUND"),
                detail: format!(
                    "failed to find one or more images after execution of build steps: [\"{name}\"]"
                ),
            })?;
            self.pretend(PUSH).await;
            self.clock += image.bytes as f64 / PUSH_RATE;
            self.in_time()?;
            self.push_one(name, &image)?;
            pushed.push(
                json!({"name": name, "digest": image.digest, "ociMediaType": "IMAGE_MANIFEST",
                "pushTiming": {"startTime": started, "endTime": now()}}),
            );
        }
        self.update(|b| b["results"]["images"] = json!(pushed));
        Ok(())
    }

    /// A `docker push`: by the worker, or by a step.
    pub fn push_one(&self, name: &str, image: &Image) -> Result<(), Failure> {
        let failed = |detail: String| Failure {
            status: "FAILURE",
            kind: Some("PUSH_FAILED"),
            detail: format!("failed to push \"{name}\": {detail}"),
        };
        let target = image::target(name)
            .filter(|t| t.project == self.emulator.settings.project)
            .ok_or_else(|| failed("denied: requested access to the resource is denied".to_owned()))?;
        self.log.line(&format!(
            "The push refers to repository [{}]",
            name.rsplit_once(':').map_or(name, |(n, _)| n)
        ));
        let permission = "artifactregistry.repositories.uploadArtifacts";
        let on = Resource::Repository {
            location: target.location.clone(),
            id: target.repository.clone(),
        };
        if !self.may(permission, &on) {
            let refused =
                docker_registry::denial(permission, &target.project, &target.location, &target.repository);
            return Err(Failure {
                kind: Some("PUSH_NOT_AUTHORIZED"),
                ..failed(format!("denied: {refused}"))
            });
        }
        let (digest, tag) = (&image.digest, &target.tag);
        self.emulator
            .registry
            .push(
                &target.location,
                &target.repository,
                &target.package,
                tag,
                digest,
                image.bytes,
            )
            .map_err(failed)?;
        self.log.line(&format!("{tag}: digest: {digest} size: 3456"));
        Ok(())
    }

    /// The log is whole before the status says that the build is over.
    fn conclude(&self, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => {
                self.log.line("DONE");
                self.update(|b| {
                    b["finishTime"] = json!(now());
                    b["status"] = json!("SUCCESS");
                });
            }
            Err(failure) => {
                let headline = if failure.status == "FAILURE" {
                    "ERROR"
                } else {
                    failure.status
                };
                self.log.line(headline);
                self.log.line(&format!("ERROR: {}", failure.detail));
                self.update(|b| {
                    b["statusDetail"] = json!(failure.detail);
                    if let Some(kind) = failure.kind {
                        b["failureInfo"] = json!({"type": kind, "detail": failure.detail});
                    }
                    b["finishTime"] = json!(now());
                    b["status"] = json!(failure.status);
                });
            }
        }
    }
}
